from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from federated.audit.bundle import Bundle, is_bundle, open_bundle
from federated.audit.contents import Contents
from federated.canonical import canonical
from federated.errors import ConsiliumError, ContractError
from federated.log.merkle import Growing, leaf_hash
from federated.log.notes import read_note
from federated.log.tiles import Tiles
from federated.manifest import unpack_tensors


def _kept(whole: Any, path: Path) -> Bundle:
    """A bundle in which the statistics are heads only."""
    kinds = {digest: json.loads(parcel.manifest)["kind"] for digest, parcel in whole.parcels.items()}
    some = {digest: "gram" for digest, kind in kinds.items() if kind == "statistics"}
    return open_bundle(replace(whole, kept=some).write(path))


@pytest.mark.parametrize("name", ["record.bundle", "folder"])
def test_what_was_put_in_is_read(whole: Any, tmp_path: Path, name: str) -> None:
    found = open_bundle(whole.write(tmp_path / name))
    assert found.federation == "test"
    assert found.keys == whole.trust
    assert found.kinds() == {"candidate": 2, "release": 2, "report": 5, "statistics": 3}
    assert set(found.digests()) == set(whole.parcels)
    for digest, parcel in whole.parcels.items():
        assert found.parcel(digest).to_bytes() == parcel.to_bytes()
        head = found.head(digest)
        assert (head.digest, head.envelope, head.why) == (digest, parcel.envelope, None)
    assert [head.manifest.number for head in found.releases()] == [1, 2]
    assert list(found.entries()) == whole.entries
    assert {each.digest for each in found.parcels("report")} == set(found.digests("report"))


def test_a_log_is_read_as_its_folder_is(bundle: Path) -> None:
    folder = open_bundle(bundle).log_folder()
    assert folder is not None
    note = read_note(folder / "checkpoint")
    assert note is not None
    size, growing = int(note.text.splitlines()[1]), Growing()
    for data in Tiles(folder, size).entries():
        growing.add([leaf_hash(data)])
    assert note.text.splitlines()[2] == base64.b64encode(growing.root).decode()
    assert read_note(folder / "missing") is None


def test_a_release_is_found_by_number_and_by_digest(bundle: Path) -> None:
    found = open_bundle(bundle)
    second = found.releases()[1]
    for which in ("2", second.digest, second.digest[7:20], second.digest[:20]):
        assert found.release(which) == second
    for which in ("3", "nonsense", *(str(number) for number in range(3, 10))):  # a digest may begin with one of them
        with pytest.raises(ConsiliumError, match=f"holds no release '{which}'; releases there are: 1, 2"):
            found.release(which)
    with pytest.raises(ConsiliumError, match="holds several releases ''"):
        found.release("")


def test_of_what_is_kept_back_there_is_the_head_alone(whole: Any, tmp_path: Path) -> None:
    found = _kept(whole, tmp_path / "record.bundle")
    (digest, *_) = found.digests("statistics")
    head = found.head(digest)
    assert (head.manifest.kind, head.passage.kind, head.why) == ("statistics", "statistics", "gram")
    assert list(found.parcels("statistics")) == []
    with pytest.raises(ConsiliumError, match="only its head is in the bundle: the site lets no auditor have its Gram"):
        found.opened(digest)
    gram = unpack_tensors(whole.parcels[digest].tensors, head.manifest)["validation.gram"].tobytes()
    assert gram not in (tmp_path / "record.bundle").read_bytes()
    assert gram in whole.write(tmp_path / "whole.bundle").read_bytes()


def test_signatures_are_checked_where_keys_are_given(whole: Any, bundle: Path) -> None:
    found = open_bundle(bundle)
    digest = found.releases()[0].digest
    assert found.opened(digest).signers == frozenset()
    assert len(found.opened(digest, whole.trust).signers) == 1
    strangers = whole.trust.model_copy(update={"parties": whole.trust.parties[1:]})
    with pytest.raises(ConsiliumError, match="hub: no key of this coordinator counts"):
        found.opened(digest, strangers)


def test_what_is_not_there_is_said(bundle: Path) -> None:
    found = open_bundle(bundle)
    absent = "sha256:" + "0" * 64
    for ask in (found.parcel, found.opened, found.head):
        with pytest.raises(ConsiliumError, match=f"{absent}: is not in the bundle"):
            ask(absent)
    with pytest.raises(ConsiliumError, match="plans/x: is not in the bundle"):
        found.read("plans/x")
    assert found.member_of(absent) is None


def test_predictions_are_read_line_by_line(whole: Any, tmp_path: Path, federation: Any) -> None:
    fold = federation.folds["ada"]["test"]
    decisions = federation.model(federation.release()).decide(fold.features[:4], list("abcd"), list(fold.clips[:4]))
    lines = "".join(each.json_line() for each in decisions).encode()
    path = whole.write(tmp_path / "record.bundle", extra={"predictions/a.jsonl": lines, "predictions/b.jsonl": b"\xff"})
    found = open_bundle(path)
    assert found.names("predictions") == ["predictions/a.jsonl", "predictions/b.jsonl"]
    assert list(found.decisions("predictions/a.jsonl")) == decisions
    with pytest.raises(ContractError, match=r"predictions/b\.jsonl: is not text"):
        list(found.decisions("predictions/b.jsonl"))


def test_a_bundle_without_a_log_or_keys(whole: Any, tmp_path: Path) -> None:
    found = open_bundle(whole.write(tmp_path / "record.bundle", log=False, keys=False))
    assert (found.log_folder(), found.keys, list(found.entries())) == (None, None, [])


def _retold(path: Path, change: Any) -> Path:
    """A folder whose ``bundle.json`` says something else."""
    contents = Contents.model_validate_json((path / "bundle.json").read_bytes()).model_dump(exclude_none=True)
    change(contents)
    (path / "bundle.json").write_bytes(canonical(contents))
    return path


def test_a_parcel_under_another_name_or_kind_is_refused(whole: Any, tmp_path: Path) -> None:
    def as_report(said: dict[str, Any]) -> None:
        name = next(name for name, each in said["members"].items() if each.get("kind") == "release")
        said["members"][name]["kind"] = "report"

    found = open_bundle(_retold(whole.write(tmp_path / "folder"), as_report))
    with pytest.raises(ContractError, match="is another parcel than its name says"):
        list(found.heads("report"))


def test_bundles_are_told_from_parcels_and_logs(whole: Any, bundle: Path, tmp_path: Path) -> None:
    folder = whole.write(tmp_path / "folder")
    (tmp_path / "one.parcel").write_bytes(next(iter(whole.parcels.values())).to_bytes())
    told = {path.name: is_bundle(path) for path in (bundle, folder, folder / "log", tmp_path / "one.parcel")}
    assert told == {"record.bundle": True, "folder": True, "log": False, "one.parcel": False}
    assert not is_bundle(tmp_path / "missing")
