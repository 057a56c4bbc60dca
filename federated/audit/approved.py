"""Whether a release met the change plan that it was made under, computed again from the reports that it names.

Or, where it brings an older one back, whether it is that.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from federated.approval import read_approval
from federated.audit.outcome import Check
from federated.canonical import digest
from federated.change_plan import parse_plan
from federated.errors import ConsiliumError, ContractError
from federated.manifest import ReleaseManifest, ReportManifest

if TYPE_CHECKING:
    from federated.assessment import Assessment, Judged
    from federated.envelope import Opened
    from federated.log.entries import Entry

NAME = "change plan"
RETURNED = "brought back"


class MissingError(ConsiliumError):
    """A file without which the figures cannot be computed again."""


def approved_check(
    entry: Entry, plan: bytes | None, known: Mapping[str, Opened], recalled: Collection[str] = ()
) -> Check | None:
    """The figures that approvers signed, held against those that the reports give; or whether it is an older release.

    Whose signatures the approvals bear is asked where the log is verified.

    Args:
        entry: of the release, in a log that was verified.
        plan: the change plan's bytes, where they are among the files.
        known: parcels by digest: the release, its candidate, the reports on it, and of the release before the same.
        recalled: releases that had been recalled by then.

    Returns:
        What was found; `ok` is None where files are missing. None for a new release without a plan.
    """
    if entry.event == "roll back":
        return _returned(entry, known, recalled)
    if entry.plan is None:
        return None
    try:
        if plan is None:
            raise MissingError("the plan is not among the files")
        assessment = _again(entry, plan, known)
        _require_signed(entry, assessment)
    except MissingError as error:
        return Check(name=NAME, ok=None, found=f"not recomputed: {error.what}")
    except ConsiliumError as error:
        return Check(name=NAME, ok=False, found=str(error))
    met = len(assessment.findings)
    told = f"; a substantial change: {', '.join(assessment.outside)}" if assessment.outside else ""
    return Check(name=NAME, ok=True, found=f"{met} criteria met, {len(entry.approvals)} approvals{told}")


def _returned(entry: Entry, known: Mapping[str, Opened], recalled: Collection[str]) -> Check:
    """Nobody approves what is brought back, so that it has to be what a release that stood was, but for its place."""
    content, earlier, gone = None, str(entry.subject), ""
    while earlier in known and isinstance(manifest := known[earlier].manifest, ReleaseManifest):
        own = manifest.model_dump(exclude={"number", "previous"})
        if content is not None and own == content and earlier not in recalled:
            return Check(name=RETURNED, ok=True, found=f"has the content of release {manifest.number}")
        if content is not None and own == content:
            gone = gone or f", but for release {manifest.number}, which had been recalled"
        content = content or own
        if manifest.previous is None:
            return Check(name=RETURNED, ok=False, found=f"has the content of no release before it{gone}")
        earlier = manifest.previous
    return Check(name=RETURNED, ok=None, found="not looked at: a release before it is not among the files")


def judged_of(manifest: ReleaseManifest, known: Mapping[str, Opened]) -> Judged:
    """A release with the reports that calibrated it.

    Raises:
        MissingError: one is not among the files.
        ContractError: one is about something else.
    """
    from federated.assessment import Judged, Reported

    reports = {}
    for site in manifest.sites:
        if site.report is None:
            continue
        opened = _opened(site.report, known, f"the report of {site.name}")
        report = opened.manifest
        if not isinstance(report, ReportManifest) or (report.site, report.candidate) != (site.name, manifest.candidate):
            raise ContractError("is about another candidate than the release", where=f"report of {site.name}")
        reports[site.name] = Reported(opened.digest, report, opened.tensors)
    return Judged(manifest, reports)


def _again(entry: Entry, plan: bytes, known: Mapping[str, Opened]) -> Assessment:
    from federated.assessment import Judged, assess

    if digest(plan) != entry.plan:
        raise ContractError("is not the plan that the release was made under", where=NAME)
    planned = parse_plan(plan, federation=entry.federation)
    release = _opened(str(entry.subject), known, "the release").manifest
    candidate = _opened(str(entry.concerns), known, "the candidate").manifest
    if not isinstance(release, ReleaseManifest) or release.candidate != entry.concerns:
        raise ContractError("was made of another candidate than the log says", where="release")
    if _before(release, known) != candidate.previous:
        raise ContractError("approvers compared it with another release than the one before it", where=NAME)
    before = _opened(candidate.previous, known, "the release before").manifest if candidate.previous else None
    judged = Judged(candidate, judged_of(release, known).reports)
    return assess(planned, judged, judged_of(before, known) if before is not None else None)


def _before(release: ReleaseManifest, known: Mapping[str, Opened]) -> str | None:
    """The last release of another candidate: one that was made again with more reports follows its like."""
    name = release.previous
    while name is not None:
        earlier = _opened(name, known, "a release before it").manifest
        if not isinstance(earlier, ReleaseManifest) or earlier.candidate != release.candidate:
            break
        name = earlier.previous
    return name


def _require_signed(entry: Entry, assessment: Assessment) -> None:
    if assessment.failed:
        missed = assessment.failed[0].criterion
        raise ContractError(f"{missed.measure} of {missed.subject} is not {missed.limit}", where=NAME)
    for envelope in entry.approvals:
        said = read_approval(envelope.encode()).predicate
        if said.assessment != assessment.digest:
            raise ContractError("approvers signed other figures than the reports give", where=NAME)
        if assessment.outside and not said.substantial:
            raise ContractError(f"{assessment.outside[0]} changed, which the plan does not allow", where=NAME)


def _opened(name: str, known: Mapping[str, Opened], what: str) -> Opened:
    if name not in known:
        raise MissingError(f"{what} is not among the files")
    return known[name]
