"""Files that an auditor is given: parcels, releases, predictions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from federated.envelope import (
    MAGIC,
    MAX_PARCEL_BYTES,
    Opened,
    check_envelope,
    open_contents,
    parse_parcel,
    read_passage,
)
from federated.errors import ContractError, cannot_read
from federated.keys import TrustFile
from federated.manifest import DecisionManifest, FeaturesManifest, Manifest, ReleaseManifest, SummaryManifest


def open_release(path: Path, trust: TrustFile | None) -> Opened:
    """A release's parcel; without keys, its signature stays unchecked.

    Raises:
        ConsiliumError: it cannot be read, is something else, or is not signed by whom the keys name.
    """
    return _open_as(ReleaseManifest, "a release", path, trust)


def open_features(path: Path, trust: TrustFile | None) -> Opened:
    """The parcel of a contribution of features; without keys, its signature stays unchecked.

    Raises:
        ConsiliumError: it cannot be read, is something else, or is not signed by whom the keys name.
    """
    return _open_as(FeaturesManifest, "features", path, trust, cure="give contributions of features")


def open_decision(path: Path, trust: TrustFile | None) -> Opened:
    """The parcel of an opened decision or flag; without keys, its signature stays unchecked.

    Raises:
        ConsiliumError: it cannot be read, is something else, or is not signed by whom the keys name.
    """
    return _open_as(DecisionManifest, "an opened decision", path, trust)


def open_summary(path: Path, trust: TrustFile | None) -> Opened:
    """The parcel of a summary; without keys, its signature stays unchecked.

    Raises:
        ConsiliumError: it cannot be read, is something else, or is not signed by whom the keys name.
    """
    return _open_as(SummaryManifest, "a summary", path, trust)


def _open_as(form: type[Manifest], what: str, path: Path, trust: TrustFile | None, cure: str = "") -> Opened:
    opened = _open(path, trust)
    if not isinstance(opened.manifest, form):
        raise ContractError(f"is a '{opened.manifest.kind}', not {what}", where=str(path), cure=cure)
    return opened


def _open(path: Path, trust: TrustFile | None) -> Opened:
    try:
        parcel = parse_parcel(read_file(path))
        passage = read_passage(parcel)
        signers: frozenset[str] = frozenset()
        if trust is not None:
            passage, signers = check_envelope(parcel, trust.with_former(), recipient=passage.recipient)
        return open_contents(parcel, passage, signers)
    except ContractError as error:
        raise ContractError(str(error), where=str(path)) from error


def require_readable(paths: Sequence[Path]) -> None:
    """Whether every file is there, before anything is verified.

    Raises:
        ConsiliumError: one cannot be read.
    """
    for path in paths:
        is_parcel(path)


def is_predictions(path: Path) -> bool:
    """Whether a file holds predictions, not a parcel.

    Raises:
        ConsiliumError: it cannot be read.
    """
    return not is_parcel(path)


def read_predictions(path: Path) -> Iterable[tuple[int, str]]:
    """Numbered lines of a file of predictions.

    Raises:
        ConsiliumError: it cannot be read, or is empty.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise cannot_read(path, error) from error
    if not lines:
        raise ContractError("is neither a parcel nor predictions: it is empty", where=str(path))
    return enumerate(lines, 1)


def is_parcel(path: Path) -> bool:
    """Whether a file begins as a parcel does.

    Raises:
        ConsiliumError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise cannot_read(path, error) from error


def read_file(path: Path) -> bytes:
    """A parcel's bytes; of a file that is too long for one, no more than shows it.

    Raises:
        ConsiliumError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(MAX_PARCEL_BYTES + 1)
    except OSError as error:
        raise cannot_read(path, error) from error
