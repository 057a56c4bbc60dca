"""What hospitals tell of their decisions: each log only grows, and what is opened is what was logged."""

from __future__ import annotations

from collections.abc import Iterator

from federated.decision import check_decision
from federated.decision_record import check_included, check_names, check_opened
from federated.errors import ContractError
from federated.log.merkle import EMPTY_ROOT, check_consistency
from federated.manifest import DecisionManifest, ReleaseManifest, SummaryManifest, Tensors

WHERE = "decision log"


def check_growth(manifest: SummaryManifest, last: SummaryManifest | None) -> None:
    """Whether a summary goes on from the last one that was taken in.

    Raises:
        ContractError: the log has shrunk or was changed, a record is counted twice, or the proof is of another size.
    """
    size, root = (last.size, bytes.fromhex(last.root)) if last else (0, EMPTY_ROOT)
    if manifest.size < size:
        raise ContractError(f"has shrunk from {size} records to {manifest.size}", where=WHERE)
    if last is not None and manifest.first <= last.last:
        raise ContractError(f"begins at record {manifest.first}, those up to {last.last} were counted", where="summary")
    if manifest.since != size:
        raise ContractError(f"is shown to go on from {manifest.since} records, not from {size}", where=WHERE)
    proof = [bytes.fromhex(each) for each in manifest.proof]
    try:
        check_consistency(size, root, manifest.size, bytes.fromhex(manifest.root), proof)
    except ContractError as error:
        raise ContractError(f"was changed since it had {size} records: {error}", where=WHERE) from error


def check_shown(manifest: DecisionManifest, tensors: Tensors, release: ReleaseManifest) -> None:
    """Whether an opened decision is the one that its record names, by its release, and in the tree it is shown in.

    Raises:
        ContractError: it is not.
    """
    features = tensors.get("features")
    if features is not None and features.shape[1] != release.width:
        raise ContractError(f"is {features.shape}, (n, {release.width}) expected", where="features")
    if manifest.record.release != manifest.release:
        raise ContractError("is not that of its record", where="release")
    check_opened(manifest.record, manifest.decision, features)
    if manifest.decision is not None:
        check_names(manifest.decision, release.labels, [site.name for site in release.sites])
        check_decision(manifest.decision)
    check_included(manifest.record, manifest.size, manifest.root, manifest.proof)


def check_tree(manifest: DecisionManifest, summaries: Iterator[SummaryManifest]) -> None:
    """Whether an opened decision is shown in a tree that the site's summaries name, where somebody drew it.

    Raises:
        ContractError: it is shown in another one.
    """
    root = next((each.root for each in summaries if each.size == manifest.size), None)
    if root is None and manifest.draw is not None:
        raise ContractError("was drawn from a tree that no summary of this site names", where=WHERE)
    if root not in (None, manifest.root):
        raise ContractError(f"is shown in another tree of {manifest.size} records than a summary named", where=WHERE)
