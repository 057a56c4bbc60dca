"""Releases under a change plan: who approves them, which plan is pinned, and whether a candidate may be released now.

Which plan is pinned stands in the list of what happened; the bytes of plans, assessments and approvals are artefacts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError
from securesystemslib.signer import SSlibKey
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from federated.approval import MAX_APPROVALS, NEEDED, read_approval
from federated.assessment import Assessment, Judged, Reported, assess
from federated.change_plan import Planned, parse_plan
from federated.contract import Name
from federated.errors import ConsiliumError, ContractError, SignatureError
from federated.keys import verifier
from federated.manifest import ReleaseManifest
from federated.signing import verified_by
from server.artefacts import Artefacts
from server.contributions import Stored, load, load_manifest
from server.home import CoordinatorHome
from server.registry import (
    ApprovalRow,
    EventRow,
    KeyRow,
    SiteRow,
    current_parcels,
    newest_candidate,
    now,
    record,
)


class PlanError(ConsiliumError):
    """A release that its change plan does not let be made, or that too few have approved."""


@dataclass(frozen=True)
class Permit:
    """Why a release may be made: the digest of its plan, and the approvals as they were signed."""

    plan: str
    approvals: tuple[str, ...]

    @property
    def entry(self) -> dict[str, Any]:
        """What the log's entry of the release says of it."""
        return {"plan": self.plan, "approvals": self.approvals}


def add_approver(session: Session, name: str, public: str) -> None:
    """Somebody may approve releases from now on, who is no site and approves nothing for one. Again is no work.

    Raises:
        ConsiliumError: the name or the key is in use, or cannot be one.
    """
    _require_name(session, name)
    verifier(public, where=name)
    if approvers(session).get(name) == public:
        return
    if name in approvers(session):
        raise ConsiliumError("is an approver with another key", where=name, cure="end that one first, with --end")
    if session.scalar(select(KeyRow).where(KeyRow.public == public)) is not None:
        raise SignatureError("this key is in use already, or was", where=name, cure="make a new one")
    session.add(KeyRow(name=name, role="approver", public=public, site=None, revoked=False))
    record(session, "approver", subject=public, detail=name, entry={"keys": [{"public": public, "role": "approver"}]})


def end_approver(session: Session, name: str) -> None:
    """What this approver signs does not count any more; releases that were made stay as they are.

    Raises:
        ConsiliumError: there is no such approver.
    """
    rows = [row for row in _approver_rows(session) if row.name == name]
    if not rows:
        known = ", ".join(approvers(session)) or "none"
        raise ConsiliumError("is no approver of releases", where=name, cure=f"approvers are: {known}")
    for row in rows:
        row.revoked = True
    record(session, "approver ended", detail=name, entry={"ended": [row.public for row in rows]})


def approvers(session: Session) -> dict[str, str]:
    """Name -> public key of those whose approval counts."""
    return {row.name: row.public for row in _approver_rows(session)}


def pin(session: Session, artefacts: Artefacts, home: CoordinatorHome, data: bytes) -> str:
    """From now on releases are made under this plan; its digest. The same again is no work.

    Raises:
        ConsiliumError: it is no plan of this federation.
    """
    planned = parse_plan(data, federation=home.config.federation)
    if planned.digest != pinned(session):
        artefacts.put(data)
        record(session, "plan", subject=planned.digest, detail=planned.plan.name, entry={"subject": planned.digest})
    return planned.digest


def pinned(session: Session) -> str | None:
    """Digest of the plan under which releases are made; None where none was ever pinned."""
    return session.scalar(_newest_plan())


def is_declared(session: Session, candidate: str, plan: str) -> bool:
    """Whether a plan was the one pinned when a candidate was first made, as an auditor's walk of the log asks."""
    made = select(func.min(EventRow.id)).where(EventRow.event == "candidate", EventRow.subject == candidate)
    return session.scalar(_newest_plan().where(EventRow.id < made.scalar_subquery())) == plan


def _newest_plan() -> Select[str | None]:
    return select(EventRow.subject).where(EventRow.event == "plan").order_by(EventRow.id.desc()).limit(1)


def reports_on(session: Session, artefacts: Artefacts, candidate: str) -> dict[str, Stored]:
    """The sites' newest reports on a candidate, by site."""
    rows = [row for row in current_parcels(session, ("report",)) if row.concerns == candidate]
    return {row.site: load(artefacts, row.digest) for row in rows}


def assess_newest(session: Session, artefacts: Artefacts, home: CoordinatorHome, given: bytes | None) -> Assessment:
    """The newest candidate, with the reports that are here, held against a plan that is given, or the pinned one.

    Raises:
        ConsiliumError: there is no candidate or no plan, or another plan is pinned than the one given.
    """
    newest = newest_candidate(session)
    if newest is None or newest.state != "current":
        why = "there is no candidate" if newest is None else "the newest candidate holds a withdrawn contribution"
        raise ConsiliumError(why, where="change plan", cure="make one with: consilium coordinator release --candidate")
    planned = _plan(session, artefacts, home, given)
    if planned is None:
        raise ConsiliumError("no change plan is pinned", where="change plan", cure="name one with --plan FILE")
    reports = reports_on(session, artefacts, newest.digest)
    return _assessed(artefacts, planned, load_manifest(artefacts, newest.digest), reports)


def approve(session: Session, artefacts: Artefacts, home: CoordinatorHome, data: bytes) -> str:
    """Keeps an approval of the newest candidate; the approver's name. Again is no work.

    Raises:
        ConsiliumError: it is none of an approver, or of something else than what is here now.
    """
    found, keys = read_approval(data), _keys(session)
    names = [keys[key].name for key in verified_by(found.envelope, [each.key for each in keys.values()])]
    if len(names) != 1 or len(found.envelope.signatures) != 1:
        known = ", ".join(approvers(session)) or "none"
        raise SignatureError("is not signed by one approver of releases", where="approval", cure=f"there are: {known}")
    said, candidate = found.predicate, newest_candidate(session)
    if said.federation != home.config.federation or candidate is None or found.digest != candidate.digest:
        raise ContractError("is of another candidate than the newest", where="approval", cure="approve that one")
    assessment = assess_newest(session, artefacts, home, _known_plan(artefacts, said.plan))
    if said.assessment != assessment.digest:
        cure = "look at them again: consilium coordinator approve"
        raise ContractError("is of other figures than the reports give now", where="approval", cure=cure)
    name = artefacts.put(data)
    if session.get(ApprovalRow, name) is None:
        session.add(ApprovalRow(digest=name, assessment=said.assessment, public=_public(keys, names[0]), at=now()))
        record(session, "approve", subject=found.digest, detail=names[0])
    return names[0]


def permit(
    session: Session,
    artefacts: Artefacts,
    home: CoordinatorHome,
    candidate: ReleaseManifest,
    reports: Mapping[str, Stored],
    *,
    given: bytes | None,
    substantial: bool,
) -> Permit | None:
    """Whether a candidate may be released now; None where no plan is given and none is pinned.

    Raises:
        PlanError: a criterion fails, something changed that the plan does not allow, or approvals are lacking.
    """
    planned = _plan(session, artefacts, home, given)
    if planned is None:
        return None
    assessment = _assessed(artefacts, planned, candidate, reports)
    require_met(assessment, substantial=substantial)
    approvals = approvals_of(session, artefacts, assessment)
    if len(approvals) < NEEDED:
        from_whom = f", from {', '.join(approvals)}" if approvals else ""
        what = f"{len(approvals)} of {NEEDED} approvals of this candidate are here{from_whom}"
        cure = "another approver runs: consilium coordinator approve --key KEY"
        raise PlanError(what, where=f"change plan {planned.plan.name}", cure=cure)
    return Permit(planned.digest, tuple(approvals.values())[:MAX_APPROVALS])


def require_met(assessment: Assessment, *, substantial: bool) -> None:
    """Whether a candidate meets its plan.

    Raises:
        PlanError: a criterion fails, or something changed that the plan does not allow and nobody said so.
    """
    if assessment.failed:
        first, more = assessment.failed[0], len(assessment.failed) - 1
        figure = "not known" if first.found is None else f"{first.found:.4g}"
        at = f" ({first.note})" if first.note else ""
        also = f", and {more} more fail" if more else ""
        what = f"{first.criterion.measure} of {first.criterion.subject} is {figure}{at}, needed {first.criterion.limit}"
        raise PlanError(f"{what}{also}", where="change plan", cure="nothing is released; see the table of criteria")
    if assessment.outside and not substantial:
        what = f"{', '.join(assessment.outside)} changed, which it does not allow"
        cure = "approve and release it as a substantial change, with --substantial, or plan for it"
        raise PlanError(what, where="change plan", cure=cure)


def approvals_of(session: Session, artefacts: Artefacts, assessment: Assessment) -> dict[str, str]:
    """Approver -> what they signed of exactly this, of those whose key counts now."""
    names = {public: name for name, public in approvers(session).items()}
    rows = session.scalars(select(ApprovalRow).where(ApprovalRow.assessment == assessment.digest))
    return {
        names[row.public]: artefacts.get(row.digest).decode()
        for row in sorted(rows, key=lambda row: row.public)
        if row.public in names
    }


@dataclass(frozen=True)
class _Approver:
    name: str
    public: str
    key: SSlibKey


def _keys(session: Session) -> dict[str, _Approver]:
    """Key id -> approver."""
    made = [_Approver(name, public, verifier(public, where=name)) for name, public in approvers(session).items()]
    return {each.key.keyid: each for each in made}


def _public(keys: Mapping[str, _Approver], name: str) -> str:
    return next(each.public for each in keys.values() if each.name == name)


def _approver_rows(session: Session) -> Iterable[KeyRow]:
    counts = (KeyRow.role == "approver") & KeyRow.site.is_(None) & KeyRow.revoked.is_(False)
    return session.scalars(select(KeyRow).where(counts).order_by(KeyRow.id)).all()


def _require_name(session: Session, name: str) -> None:
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError as error:
        cure = "use at most 63 of a-z, 0-9, '.', '_' and '-'"
        raise ConsiliumError("is no name for an approver", where=name, cure=cure) from error
    if session.get(SiteRow, name) is not None:
        raise ConsiliumError("is the name of a site", where=name, cure="choose another name")


def _plan(session: Session, artefacts: Artefacts, home: CoordinatorHome, given: bytes | None) -> Planned | None:
    """The plan that is given or pinned; both only where they are the same."""
    standing = pinned(session)
    if given is None:
        given = artefacts.get(standing) if standing is not None else None
    if given is None:
        return None
    planned = parse_plan(given, federation=home.config.federation)
    if standing not in (None, planned.digest):
        cure = "release under that one, or pin this one: consilium coordinator plan FILE"
        raise PlanError(
            "is not the one that is pinned, or was edited since", where=f"change plan {planned.plan.name}", cure=cure
        )
    artefacts.put(given)
    return planned


def _known_plan(artefacts: Artefacts, name: str) -> bytes:
    if not artefacts.path(name).exists():
        cure = "approve what is held against this one: consilium coordinator approve"
        raise ContractError("is of a change plan that was never here, or was edited since", where="approval", cure=cure)
    return artefacts.get(name)


def _assessed(
    artefacts: Artefacts, planned: Planned, candidate: ReleaseManifest, reports: Mapping[str, Stored]
) -> Assessment:
    before = _before(artefacts, candidate.previous) if candidate.previous is not None else None
    found = {site: Reported(each.digest, each.manifest, each.tensors) for site, each in reports.items()}
    assessment = assess(planned, Judged(candidate, found), before)
    artefacts.put(assessment.to_bytes())
    return assessment


def _before(artefacts: Artefacts, name: str) -> Judged:
    """A release with the reports that calibrated it."""
    manifest: ReleaseManifest = load_manifest(artefacts, name)
    stored = {site.name: load(artefacts, site.report) for site in manifest.sites if site.report is not None}
    found = {site: Reported(each.digest, each.manifest, each.tensors) for site, each in stored.items()}
    return Judged(manifest, found)
