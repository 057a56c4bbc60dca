"""What is verified of a release beside its signature: its place, what it was made of, its plan, its sums."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from federated.audit.approved import approved_check
from federated.audit.blocks import Block, blocks_of, unchanged
from federated.audit.contents import PLANS
from federated.audit.lineage import lineage_checks, solutions_check, sums_check
from federated.audit.outcome import Check, outcome
from federated.audit.record import Record
from federated.envelope import Opened
from federated.errors import ContractError
from federated.log.entries import Entry
from federated.manifest import MODEL_KINDS, ReleaseManifest, ReleaseSite, ReportManifest, pack_tensors
from federated.recomputation import recompute_calibration

if TYPE_CHECKING:
    from federated.fused_model import FusedModel

OF_THE_CANDIDATE = set(ReleaseManifest.model_fields) - {
    "kind",
    "number",
    "previous",
    "candidate",
    "tensors",
    "tensors_digest",
    "sites",
    "temperature",
    "steps",
}
"""What a release has as its candidate has it; what is left out comes from the sites' reports, or is its place."""
OF_THE_SITE = set(ReleaseSite.model_fields) - {"report", "calibration", "calibration_patients"}


def release_checks(record: Record, manifest: ReleaseManifest, digest: str) -> Iterator[Check]:
    """What can be seen of a release without its tensors."""
    yield outcome("place", lambda: _place(record, manifest, digest))
    yield outcome("contributions", lambda: _standing(record, manifest, digest))
    yield from lineage_checks(manifest, record.manifests)
    yield _candidate(record, manifest)
    yield _reports(record, manifest, digest)
    entry = next((each for each in record.index.releases if each.subject == digest), None)
    plan = None
    if entry is not None:
        plan = approved_check(entry, _plan(record, entry), record.told, _recalled_before(record, digest))
    if plan is not None:
        yield plan


def content_checks(record: Record, opened: Opened) -> Iterator[Check]:
    """What can be computed again of a whole release."""
    from federated.fused_model import FusedModel

    model = FusedModel.from_release(opened.manifest, opened.tensors)
    found = f"{len(model.labels)} labels of {len(model.sites)} sites, {len(opened.manifest.systems)} systems"
    yield Check(name="model", ok=True, found=found)
    blocks = blocks_of(opened.manifest, opened.tensors)
    for site in opened.manifest.sites:
        yield _sums(record, model, site, blocks[site.name])
    yield solutions_check(model)
    yield from _calibrated(record, opened)


def _calibrated(record: Record, opened: Opened) -> Iterator[Check]:
    """What the sites' reports add to the candidate's tensors, computed again, and nothing else."""
    candidate = record.manifests.get(str(opened.manifest.candidate))
    if not isinstance(candidate, ReleaseManifest):
        return
    own = {name: opened.tensors[name] for name in candidate.tensors if name in opened.tensors}
    if pack_tensors(own)[2] != candidate.tensors_digest:
        yield Check(name="tensors", ok=False, found="not those of the candidate that sites reported on")
        return
    yield Check(name="tensors", ok=True, found="those of the candidate that sites reported on, and calibration")
    named = {site.name: site.report for site in opened.manifest.sites if site.report is not None}
    missing = [name for name, report in named.items() if report not in record.whole]
    if missing:
        found = f"not recomputed: no whole report of {', '.join(missing)} is here"
        yield Check(name="calibration", ok=None, found=found)
        return
    reports = {name: record.whole[report] for name, report in named.items()}
    yield outcome("calibration", lambda: recompute_calibration(opened, candidate, own, reports))


def _sums(record: Record, model: FusedModel, site: ReleaseSite, block: Block) -> Check:
    """Sums that were computed again for an earlier release are the same as there."""
    known = record.summed.get((site.name, site.contributions))
    if known is not None and known.labels == block.labels and known.gram is not None:
        differs = unchanged(known, block)
        if differs:
            found = f"{differs[0]}: not what an earlier release holds of the same contributions"
            return Check(name=f"site {site.name}", ok=False, found=found)
        if set(known.own_grams) == set(block.own_grams):
            return Check(name=f"site {site.name}", ok=True, found="as in an earlier release, computed again there")
    check = sums_check(model, site, record.whole)
    if check.ok:
        record.summed[site.name, site.contributions] = block
    return check


def _place(record: Record, manifest: ReleaseManifest, digest: str) -> str:
    """Its number and the release before it, as the log has them, or else the other releases of the bundle."""
    releases = record.index.releases
    if releases:
        by_number = {int(each.number or 0): str(each.subject) for each in releases}
        told = next((each for each in releases if each.subject == digest), None)
        if told is None or told.number != manifest.number:
            raise ContractError(f"says that it is number {manifest.number}, and the log says another")
        if told.concerns != manifest.candidate:
            raise ContractError("was made of another candidate than the log says")
    else:
        by_number = {head.manifest.number: head.digest for head in record.bundle.releases()}
        if by_number[manifest.number] != digest:
            raise ContractError(f"there are two releases with number {manifest.number}")
    before = by_number.get(manifest.number - 1)
    if (manifest.previous is None) != (manifest.number == 1) or (before and manifest.previous != before):
        raise ContractError(f"number {manifest.number} names another release as the one before it")
    known = "the release before it is right" if before else "the release before it is not here"
    return f"number {manifest.number}" + (f", {known}" if manifest.number > 1 else "")


def _standing(record: Record, manifest: ReleaseManifest, digest: str) -> str:
    """Whether what it was made of had been taken in by then, and not been taken back."""
    index = record.index
    released = index.find("release", "", digest)
    if released is None:
        return "no log tells when they came"
    named = [(name, site.name) for site in manifest.sites for name in site.contributions]
    named += [(card.contribution, card.site) for card in manifest.experts]
    for name, site in named:
        came = [found.number for kind in MODEL_KINDS if (found := index.find(kind, site, name)) is not None]
        if not came or min(came) > released.number:
            raise ContractError(f"'{site}' had not sent {name}, when it was released")
        if index.withdrawn.get(name, released.number) < released.number:
            taken_back = f"which '{site}' had taken back by entry {index.withdrawn[name]}"
            raise ContractError(f"number {manifest.number} holds {name}, {taken_back}")
    return f"{len(named)} that had been taken in, and not been taken back"


def _candidate(record: Record, manifest: ReleaseManifest) -> Check:
    if manifest.candidate not in record.manifests:
        return Check(name="candidate", ok=None, found="not held against its candidate, which is not here")
    return outcome("candidate", lambda: _same_model(record.manifests[str(manifest.candidate)], manifest))


def _same_model(candidate: Any, manifest: ReleaseManifest) -> str:
    """A release adds calibration to its candidate, and changes nothing else of it."""
    if getattr(candidate, "kind", None) != "candidate":
        raise ContractError(f"what it names as its candidate is a '{candidate.kind}'")
    for name in sorted(OF_THE_CANDIDATE):
        if getattr(candidate, name) != getattr(manifest, name):
            raise ContractError(f"{name.replace('_', ' ')}: not those of the candidate that sites reported on")
    if [site.model_dump(include=OF_THE_SITE) for site in candidate.sites] != [
        site.model_dump(include=OF_THE_SITE) for site in manifest.sites
    ]:
        raise ContractError("its sites are not those of the candidate that sites reported on")
    return "the model that sites reported on"


def _reports(record: Record, manifest: ReleaseManifest, digest: str) -> Check:
    """Whether each is the site's own on the candidate; open where one is not here to be looked at."""
    named = {site.name: site.report for site in manifest.sites if site.report is not None}
    there = {name: record.manifests[report] for name, report in named.items() if report in record.manifests}

    def held() -> str:
        _require_all(record, manifest, digest)
        for name, report in there.items():
            if not isinstance(report, ReportManifest) or (report.site, report.candidate) != (name, manifest.candidate):
                raise ContractError(f"what it names as the report of '{name}' is none, or about another candidate")
        return f"{len(there)} of the {len(named)} that calibrate it are here"

    found = outcome("reports", held)
    return found.model_copy(update={"ok": None}) if found.ok and len(there) < len(named) else found


def _require_all(record: Record, manifest: ReleaseManifest, digest: str) -> None:
    """Whoever leaves out a report has other figures; what brings an older release back has the reports of its time."""
    made = record.index.made.get(digest)
    if made is None:
        return
    for site in manifest.sites:
        came = record.index.report(site.name, str(manifest.candidate), made)
        if came is None and site.report is not None:
            raise ContractError(f"names a report of '{site.name}' that had not come, when it was released")
        if came != site.report:
            raise ContractError(f"leaves out the last report of '{site.name}' that had come, {came}")


def _recalled_before(record: Record, digest: str) -> set[str]:
    """Releases that had been recalled when one was made."""
    released = record.index.find("release", "", digest)
    return {name for name, number in record.index.recalled.items() if released and number < released.number}


def _plan(record: Record, entry: Entry) -> bytes | None:
    member = f"{PLANS}/{str(entry.plan).removeprefix('sha256:')}.toml"
    return record.bundle.read(member) if member in record.bundle.contents.members else None
