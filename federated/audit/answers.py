"""What hospitals tell of their answers, in a bundle: sums over logs that only grew, and records that were drawn."""

from __future__ import annotations

from collections.abc import Iterator

from federated.audit.contents import DRAWS
from federated.audit.outcome import Audit, Check, outcome
from federated.audit.record import Record
from federated.decision_checks import check_growth, check_shown, check_tree
from federated.decision_summary import check_summary
from federated.draw import Draw, parse_draw, verify_opened
from federated.envelope import Opened
from federated.errors import ContractError
from federated.manifest import DecisionManifest, ReleaseManifest, SummaryManifest


def summary_check(record: Record, opened: Opened) -> Check:
    """A site's sums against the release whose answers they count."""
    release = record.manifests.get(opened.manifest.release)
    if release is None:
        return Check(name="sums", ok=None, found="not held against its release, which is not here")
    return outcome("sums", lambda: _sums(opened, release))


def decision_check(record: Record, opened: Opened) -> Check:
    """An opened decision against its record, its tree and its release."""
    release = record.manifests.get(opened.manifest.release)
    if not isinstance(release, ReleaseManifest):
        return Check(name="record", ok=None, found="not held against its release, which is not here")
    told = list(record.summaries.get(opened.manifest.site, ()))
    found = outcome(
        "record", lambda: _shown(opened, release, told if _is_told(record, opened.manifest, told) else None)
    )
    if found.ok and not _is_told(record, opened.manifest, told):
        return Check(name="record", ok=None, found=f"{found.found}; the summary that it was drawn from is not here")
    return found


def answer_check(record: Record, opened: Opened) -> Check | None:
    """An opened answer, decided again from the features that were opened with it; of a flag there is none."""
    from federated.audit.replay import decided_again

    manifest: DecisionManifest = opened.manifest
    if manifest.decision is None:
        return None
    if manifest.release not in record.whole:
        return Check(name="answer", ok=None, found="not decided again: the release that answered is not here whole")
    found, _ = decided_again(record.model(manifest.release), manifest.decision, opened.tensors["features"])
    return found


def growth_audits(record: Record) -> Iterator[Audit]:
    """Site by site, whether the decision log that its summaries name only grew."""
    for site, ordered in record.summaries.items():
        checks = (_growth(ordered, record.has_summaries(site)),)
        yield Audit(file=f"decisions of {site}", kind="decision log", digest=None, checks=checks, by=site)


def draw_audits(record: Record) -> Iterator[Audit]:
    """Whether a site opened what was drawn, and nothing else in its place."""
    for name in record.bundle.names(DRAWS):
        draw = parse_draw(record.bundle.read(name), where=name)
        checks = _opened(record, draw)
        yield Audit(file=name, kind="draw", digest=draw.digest, checks=checks, by=draw.site)


def _sums(opened: Opened, release: ReleaseManifest) -> str:
    if not isinstance(release, ReleaseManifest):
        raise ContractError("counts answers of what is no release")
    check_summary(opened.manifest, opened.tensors, release)
    hidden = len(opened.manifest.suppressed)
    told = f"; {hidden} cells too small to be told" if hidden else ""
    return f"{opened.manifest.decisions} answers of {opened.manifest.patients} patients{told}"


def _is_told(record: Record, manifest: DecisionManifest, told: list[SummaryManifest]) -> bool:
    """Whether the tree of a decision that was drawn can be looked up: a bundle that lacks its summary blames nobody."""
    named = manifest.draw is None or any(each.size == manifest.size for each in told)
    return named or record.has_summaries(manifest.site)


def _shown(opened: Opened, release: ReleaseManifest, told: list[SummaryManifest] | None) -> str:
    manifest: DecisionManifest = opened.manifest
    check_shown(manifest, opened.tensors, release)
    if told is not None:
        check_tree(manifest, iter(told))
    return f"record {manifest.record.number} of {manifest.size}, as it was logged at {manifest.record.at}"


def _growth(ordered: list[SummaryManifest], is_whole: bool) -> Check:
    """The first one here may go on from one that is not, and where some are not here, later ones as well."""
    first, *later = ordered
    begun, gaps = first.since == 0, 0
    try:
        if begun:
            check_growth(first, None)
        for before, after in zip(ordered, later, strict=False):
            if not is_whole and after.since != before.size and after.first > before.last:
                gaps += 1
            else:
                check_growth(after, before)
    except ContractError as error:
        return Check(name="growth", ok=False, found=str(error))
    last, summaries = ordered[-1], f"{len(ordered)} summaries" if later else "one summary"
    found = f"{summaries} of one log that only grew, to {last.size} records"
    if gaps:
        return Check(
            name="growth", ok=None, found=f"{summaries}; not held against those between them that are not here"
        )
    return Check(name="growth", ok=True, found=found if begun else f"{found}; the first {first.since} are not shown")


def _opened(record: Record, draw: Draw) -> tuple[Check, ...]:
    """A draw is signed by nobody: where nothing of it was opened, nothing shows that the hospital ever got it."""
    if draw.summary not in record.whole:
        return (Check(name="draw", ok=None, found="the summary that it was drawn from is not here"),)
    answered = [each for each in record.bundle.parcels("decision") if each.manifest.draw == draw.digest]
    first, *others = verify_opened(draw, record.whole[draw.summary], answered)
    if not answered and first.ok:
        found = f"nothing of it is opened here, and nothing shows that '{draw.site}' was asked"
        return (first, Check(name="records", ok=None, found=found))
    return (first, *others)
