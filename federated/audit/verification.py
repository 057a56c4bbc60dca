"""Everything that can be verified of parcels, their numbers, releases and predictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from federated.audit.lineage import lineage_checks, recomputed
from federated.audit.opening import is_parcel, open_release, read_file
from federated.audit.outcome import Audit, Check
from federated.audit.predictions import verify_predictions
from federated.envelope import Opened, Parcel, check_envelope, open_contents, parse_parcel, read_passage
from federated.errors import ConsiliumError
from federated.keys import TrustFile
from federated.manifest import SITE_KINDS, ReleaseManifest

if TYPE_CHECKING:
    from federated.log.entries import Entry

Index = dict[tuple[str, str, str], tuple[int, "Entry"]]
"""What a log tells of: (kind, sender or nobody, digest) -> number and entry."""
LOGGED = {*SITE_KINDS, "candidate", "release", "recall", "average"}


def verify(
    paths: Sequence[Path],
    trust: TrustFile,
    release: Path | None = None,
    logged: Index | None = None,
    witnessed: int = 0,
) -> list[Audit]:
    """Everything that can be verified of parcels, releases and predictions, each alone and beside the others.

    Args:
        paths: files of parcels (a release is one) or of predictions (``.jsonl``).
        trust: whose signatures count.
        release: the release that predictions should come from.
        logged: what a log that was verified tells of; None where there is none.
        witnessed: how many of its entries witnesses signed.

    Raises:
        ConsiliumError: a file cannot be read, or `release` is not a release that these keys vouch for.
    """
    model = open_release(release, trust) if release is not None else None
    opened, audits = {}, {}
    for path in paths:
        if is_parcel(path):
            audits[path], opened[path] = _verify_parcel(path, trust)
        else:
            audits[path] = verify_predictions(path, model)
    known = [each for each in opened.values() if each is not None]
    manifests = {each.digest: each.manifest for each in known}
    for path, each in opened.items():
        if each is not None:
            more = (
                *_number_checks(each, known),
                *_logged_checks(each, logged, witnessed),
                *lineage_checks(each.manifest, manifests),
                *recomputed(each, known),
            )
            audits[path] = audits[path].model_copy(update={"checks": (*audits[path].checks, *more)})
    return list(audits.values())


def _verify_parcel(path: Path, trust: TrustFile) -> tuple[Audit, Opened | None]:
    checks: list[Check] = []
    kind, digest, opened = "parcel", None, None
    try:
        parcel = parse_parcel(read_file(path))
        digest = parcel.digest
        kind = read_passage(parcel).kind
        opened = _open_in_steps(parcel, trust, checks)
    except ConsiliumError as error:
        checks.append(Check(name=_step_after(checks), ok=False, found=str(error)))
    return Audit(file=str(path), kind=kind, digest=digest, checks=tuple(checks)), opened


def _open_in_steps(parcel: Parcel, trust: TrustFile, checks: list[Check]) -> Opened:
    """Signature, then contents, then the model; what is fine so far is in `checks`."""
    passage, signers = check_envelope(parcel, trust.with_former(), recipient=read_passage(parcel).recipient)
    by = ", ".join(sorted(signer[:16] for signer in signers))
    checks.append(Check(name="signature", ok=True, found=f"by '{passage.sender}' with {by}"))
    opened = open_contents(parcel, passage, signers)
    found = f"{len(opened.tensors)} tensors as declared, {len(parcel.to_bytes())} bytes"
    checks.append(Check(name="contents", ok=True, found=found))
    if isinstance(opened.manifest, ReleaseManifest):
        from federated.fused_model import FusedModel

        model = FusedModel.from_release(opened.manifest, opened.tensors)
        found = f"{len(model.labels)} labels of {len(model.sites)} sites, {len(opened.manifest.systems)} systems"
        checks.append(Check(name="model", ok=True, found=found))
    return opened


def _step_after(checks: Sequence[Check]) -> str:
    return ("signature", "contents", "model")[len(checks)]


def _number_checks(opened: Opened, known: Sequence[Opened]) -> list[Check]:
    """Whether its number is used once, and it names its predecessor, as far as the files given tell."""
    passage = opened.passage
    stream = [
        each for each in known if (each.passage.sender, each.passage.recipient) == (passage.sender, passage.recipient)
    ]
    twins = {each.digest for each in stream if each.passage.sequence == passage.sequence}
    before = {each.digest for each in stream if each.passage.sequence == passage.sequence - 1}
    place = f"number {passage.sequence} from '{passage.sender}' to '{passage.recipient}'"
    if len(twins) > 1:
        return [Check(name="number", ok=False, found=f"{place} was used for {len(twins)} different parcels")]
    if (passage.previous is None) != (passage.sequence == 1) or (before and passage.previous not in before):
        return [Check(name="number", ok=False, found=f"{place} names another predecessor")]
    told = "its predecessor is right" if before else "its predecessor is not among the files"
    return [Check(name="number", ok=True, found=place if passage.sequence == 1 else f"{place}, {told}")]


def _logged_checks(opened: Opened, logged: Index | None, witnessed: int) -> list[Check]:
    """Whether the log tells of it, and nothing else of it; of what is only passed on it tells nothing."""
    manifest, passage = opened.manifest, opened.passage
    if logged is None or manifest.kind not in LOGGED:
        return []
    sender = passage.sender if manifest.kind in SITE_KINDS else ""
    number, entry = logged.get((manifest.kind, sender, opened.digest), (-1, None))
    if entry is None:
        return [Check(name="log", ok=False, found="the log does not tell that it was taken in")]
    said = {"choice": entry.choice, "concerns": entry.concerns} if manifest.kind == "adoption" else {}
    if said and said != {"choice": manifest.choice, "concerns": manifest.release}:
        return [Check(name="log", ok=False, found=f"entry {number} says something else than it")]
    if number >= witnessed:
        return [Check(name="log", ok=None, found=f"entry {number}, which nobody has witnessed yet")]
    return [Check(name="log", ok=True, found=f"entry {number}")]
