"""Under which change plan a release was made, what was found of each criterion, and who approved it."""

from __future__ import annotations

from pydantic import ValidationError

from federated.approval import Approval, read_approval
from federated.assessment import Assessment
from federated.audit.bundle import Bundle
from federated.audit.contents import ASSESSMENTS, PLANS
from federated.audit.dossier.document import Grid, Line, Section
from federated.change_plan import ChangePlan, parse_plan
from federated.errors import ContractError
from federated.faults import first_fault
from federated.log.entries import Entry

TITLE, LOG, PLAN = "Acceptance", "the log", "change plan"
ABOUT = (
    "What was said before the release, and what was found of it. The figures are those that the approvers signed; "
    "consilium audit verify computes them again from the hospitals' reports, and says whose signatures the approvals "
    "bear."
)
NO_PLAN = "None: it was made without a change plan, so that no criterion was declared and nobody had to approve."
GOVERNANCE = ("FUTURE-AI Traceability 6",)


def acceptance(bundle: Bundle, release: str) -> Section:
    """Plan, criteria and approvals of one release.

    Raises:
        ConsiliumError: the log is damaged, or plan or assessment are none.
    """
    entries = (entry for entry in bundle.entries() if entry.event == "release" and entry.subject == release)
    entry = next(entries, None)
    if entry is None or entry.plan is None:
        text = None if entry is None else NO_PLAN
        lines = (Line(topic="Change plan", text=text, source=LOG, items=GOVERNANCE),)
        return Section(title=TITLE, about=ABOUT, lines=lines)
    said, grids = _approved(bundle, entry)
    return Section(title=TITLE, about=ABOUT, lines=said, grids=grids)


def _approved(bundle: Bundle, entry: Entry) -> tuple[tuple[Line, ...], tuple[Grid, ...]]:
    approvals = [read_approval(envelope.encode()) for envelope in entry.approvals]
    keys = sorted({key[:16] for each in approvals for key in each.envelope.signatures})
    said = approvals[0].predicate if approvals else None
    signed = f"{len(keys)} keys: {', '.join(keys)}" if keys else "nobody"
    lines: tuple[Line, ...] = (
        Line(topic="Change plan", text=_plan(bundle, str(entry.plan)), source=PLAN, items=GOVERNANCE),
        Line(topic="Approved by", text=f"{signed}; {_substance(said)}", source=LOG, items=GOVERNANCE),
    )
    return lines, () if said is None else (_criteria(_assessment(bundle, said)),)


def _substance(said: Approval | None) -> str:
    if said is None:
        return "the log holds no approval"
    return "as a substantial change, outside the plan" if said.substantial else "within the plan"


def _plan(bundle: Bundle, name: str) -> str:
    member = f"{PLANS}/{name.removeprefix('sha256:')}.toml"
    if member not in bundle.contents.members:
        return f"{name}, which is not in the bundle"
    plan: ChangePlan = parse_plan(bundle.read(member), federation=bundle.federation, where=bundle.where(member)).plan
    allowed = ", ".join(plan.may_change) or "nothing"
    return f"'{plan.name}', {name}; without being a substantial change may change: {allowed}"


def _assessment(bundle: Bundle, said: Approval) -> Assessment | None:
    member = f"{ASSESSMENTS}/{said.assessment.removeprefix('sha256:')}.json"
    if member not in bundle.contents.members:
        return None
    try:
        return Assessment.model_validate_json(bundle.read(member))  # which has the digest that it is named by
    except ValidationError as error:
        raise ContractError(first_fault(error), where=bundle.where(member)) from error


def _criteria(found: Assessment | None) -> Grid:
    rows = () if found is None else tuple(
        (
            each.criterion.measure,
            each.criterion.subject,
            each.criterion.limit,
            "-" if each.found is None else f"{each.found:.4g}",
            each.note or "-",
            "met" if each.ok else "missed",
        )
        for each in found.findings
    )  # fmt: skip
    return Grid(
        title="Criteria",
        columns=("measure", "counted at", "limit", "found", "where the worst", "result"),
        rows=rows,
        numbers=(3,),
        empty="Not stated: the assessment that was approved is not in the bundle.",
    )
