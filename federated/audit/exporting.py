"""A bundle from loose files, and from other bundles: what an auditor was given by hospitals and coordinator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from federated.audit.bundle import Bundle, is_bundle, open_bundle, parse_keys
from federated.audit.bundling import BundleWriter, add_predictions, new_bundle
from federated.audit.contents import DRAWS, KEYS, PLANS, PREDICTIONS, Contents, limit_of
from federated.audit.kept_back import reason_to_keep
from federated.audit.opening import is_parcel, read_file
from federated.canonical import digest
from federated.envelope import Parcel, parse_parcel, read_passage
from federated.errors import ConsiliumError, ContractError, cannot_read
from federated.log.journal import CHECKPOINT
from federated.log.notes import read_note
from federated.manifest import MAX_MANIFEST_BYTES, parse_manifest
from federated.toml_text import MAX_TOML_BYTES

ORIGIN = "consilium/"
WHERE = "audit export"


@dataclass
class _Sorted:
    """Files by what they are."""

    bundles: list[Bundle] = field(default_factory=list)
    logs: list[Path] = field(default_factory=list)
    parcels: dict[str, Path] = field(default_factory=dict)
    predictions: list[Path] = field(default_factory=list)
    keys: bytes | None = None
    plans: list[bytes] = field(default_factory=list)
    draws: list[bytes] = field(default_factory=list)
    manifests: dict[str, Any] = field(default_factory=dict)
    federations: set[str] = field(default_factory=set)


def export_bundle(paths: Sequence[Path], out: Path, *, with_features: bool = False) -> Contents:
    """Writes a new bundle of these files.

    Args:
        paths: bundles, parcels, one log (a folder, or in a bundle), predictions, trust file, change plans, draws.
        out: a file whose name ends in ``.bundle``, or a folder.
        with_features: contributions of features whole.

    Raises:
        ConsiliumError: a file cannot be read or is of another kind, or they are of several federations.
    """
    found = _Sorted()
    for path in paths:
        _sort(path, found)
    if len(found.federations) != 1:
        what = f"the files are of {len(found.federations)} federations" if found.federations else "holds no record"
        raise ConsiliumError(what, where=WHERE, cure="give parcels or the log of one federation")
    (federation,) = found.federations
    with new_bundle(out, federation) as bundle:
        _fill(bundle, found, with_features=with_features)
    return Contents(federation=federation, members=bundle.members)


def _fill(bundle: BundleWriter, found: _Sorted, *, with_features: bool) -> None:
    if found.keys is not None:
        bundle.add(KEYS, found.keys)
    for folder in found.logs:
        bundle.add_log(folder)
    for name, path in sorted(found.parcels.items()):
        manifest = found.manifests[name]
        wanted = with_features and manifest.kind == "features"
        bundle.add_parcel(_parcel(path), None if wanted else reason_to_keep(manifest, found.manifests))
    for folder_name, suffix, files in ((PLANS, "toml", found.plans), (DRAWS, "json", found.draws)):
        for data in files:
            bundle.add(f"{folder_name}/{digest(data).removeprefix('sha256:')}.{suffix}", data)
    add_predictions(bundle, found.predictions)
    for other in found.bundles:
        for name, member in other.contents.members.items():
            bundle.add(name, other.read(name), kind=member.kind, why=member.why)


def _sort(path: Path, found: _Sorted) -> None:
    if is_bundle(path):
        _sort_bundle(open_bundle(path), found)
    elif path.is_dir():
        found.federations.add(_federation_of(path))
        found.logs.append(path)
        _require_one_log(path, found)
    elif is_parcel(path):
        parcel = _parcel(path)
        found.federations.add(read_passage(parcel).federation)
        found.parcels[parcel.digest] = path
        found.manifests[parcel.digest] = parse_manifest(parcel.manifest)
    elif path.suffix == ".toml":
        _sort_toml(_bytes(path, MAX_TOML_BYTES), found)
    elif path.suffix == ".json":
        found.draws.append(_bytes(path, MAX_MANIFEST_BYTES))
    elif path.suffix == ".jsonl" and limit_of(f"{PREDICTIONS}/{path.name}") is not None:
        found.predictions.append(path)
    else:
        cure = "predictions are called NAME.jsonl, in small letters; parcels may be called as they like"
        raise ConsiliumError("is nothing that a bundle holds", where=str(path), cure=cure)


def _sort_bundle(bundle: Bundle, found: _Sorted) -> None:
    found.federations.add(bundle.federation)
    found.bundles.append(bundle)
    found.manifests |= {head.digest: head.manifest for head in bundle.heads("candidate")}
    _require_one_log(bundle.path, found)


def _require_one_log(path: Path, found: _Sorted) -> None:
    if len(found.logs) + sum(bundle.log_folder() is not None for bundle in found.bundles) > 1:
        raise ConsiliumError("is a second log, and there can be one", where=str(path), cure="give one of them")


def _sort_toml(data: bytes, found: _Sorted) -> None:
    """Keys, or else a change plan, which its verification reads."""
    try:
        parse_keys(data, where=KEYS)
    except ContractError:
        found.plans.append(data)
    else:
        found.keys = data


def _federation_of(folder: Path) -> str:
    """As the checkpoint of a log names it."""
    note = read_note(folder / CHECKPOINT)
    if note is None:
        raise ConsiliumError("holds no log", where=str(folder), cure="give the folder with its 'checkpoint'")
    origin = note.text.partition("\n")[0]
    if not origin.startswith(ORIGIN):
        raise ContractError(f"is the log of '{origin[:80]}', which is no federation", where=str(folder))
    return origin.removeprefix(ORIGIN)


def _parcel(path: Path) -> Parcel:
    try:
        return parse_parcel(read_file(path))
    except ContractError as error:
        raise ContractError(str(error), where=str(path)) from error


def _bytes(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except OSError as error:
        raise cannot_read(path, error) from error
