from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from federated.audit.bundle import open_bundle
from federated.audit.exporting import export_bundle
from federated.audit.whole import verify_bundle
from federated.canonical import digest
from federated.errors import ConsiliumError, ContractError


def _loose(whole: Any, folder: Path) -> list[Path]:
    """Every parcel as a file, under a name that says nothing."""
    for number, parcel in enumerate(whole.parcels.values()):
        (folder / f"{number}.bin").write_bytes(parcel.to_bytes())
    return sorted(folder.glob("*.bin"))


def test_loose_files_become_the_record_that_they_are_of(whole: Any, tmp_path: Path, trust: Path) -> None:
    files = _loose(whole, tmp_path)
    whole.journal(tmp_path / "log")
    (tmp_path / "plan.toml").write_bytes(b"name = 1\n")
    (tmp_path / "draw.json").write_bytes(b"{}")
    (tmp_path / "answers.jsonl").write_bytes(b"{}\n")
    others = [tmp_path / name for name in ("log", "plan.toml", "draw.json", "answers.jsonl")]
    contents = export_bundle([*files, trust, *others], tmp_path / "a.bundle")
    found = open_bundle(tmp_path / "a.bundle")
    assert found.contents == contents
    assert (found.federation, found.keys) == ("test", whole.trust)
    assert set(found.digests()) == set(whole.parcels)
    assert found.read(f"plans/{digest(b'name = 1' + bytes([10])).removeprefix('sha256:')}.toml") == b"name = 1\n"
    assert found.names("draws") == [f"draws/{digest(b'{}').removeprefix('sha256:')}.json"]
    assert found.names("predictions") == ["predictions/answers.jsonl"]
    assert list(found.entries()) == whole.entries


def test_what_was_exported_is_verified(whole: Any, tmp_path: Path) -> None:
    whole.journal(tmp_path / "log")
    export_bundle([*_loose(whole, tmp_path), tmp_path / "log"], tmp_path / "a.bundle")
    audits = list(verify_bundle(open_bundle(tmp_path / "a.bundle"), whole.trust, witnesses=2))
    assert all(audit.ok for audit in audits), audits[-1]


def test_what_hospitals_keep_from_auditors_is_not_handed_on(make_record: Any, make_sample: Any, tmp_path: Path) -> None:
    record = make_record(level_to_sites=1)
    record.send(*make_sample("features", site="ada"))
    files = _loose(record, tmp_path)
    found = {}
    for name, said in (("a.bundle", False), ("b.bundle", True)):
        export_bundle(files, tmp_path / name, with_features=said)
        found[name] = {head.manifest.kind: head.why for head in open_bundle(tmp_path / name).heads()}
    kept = {"candidate": "release", "release": None, "report": "gram", "statistics": "gram"}
    assert found == {"a.bundle": kept | {"features": "coordinator"}, "b.bundle": kept | {"features": None}}


def test_files_of_two_federations_are_not_one_record(whole: Any, tmp_path: Path) -> None:
    files = _loose(whole, tmp_path)
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "checkpoint").write_text("consilium/lung\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n")
    with pytest.raises(ConsiliumError, match="signed note"):
        export_bundle([*files, tmp_path / "log"], tmp_path / "a.bundle")
    journal = whole.journal(tmp_path / "other")
    text = journal.note.to_bytes().decode().replace("consilium/test\n", "consilium/lung\n", 1)
    (tmp_path / "other" / "checkpoint").write_text(text)
    with pytest.raises(ConsiliumError, match="the files are of 2 federations; give parcels or the log of one"):
        export_bundle([*files, tmp_path / "other"], tmp_path / "a.bundle")
    assert not (tmp_path / "a.bundle").exists()


def test_what_belongs_to_no_record_is_named(whole: Any, tmp_path: Path, trust: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "Answers.jsonl").write_text("{}")
    for name in ("notes.txt", "Answers.jsonl"):
        with pytest.raises(ConsiliumError, match=f"{name}: is nothing that a bundle holds; predictions are called"):
            export_bundle([tmp_path / name], tmp_path / "a.bundle")
    with pytest.raises(ConsiliumError, match="audit export: holds no record"):
        export_bundle([trust], tmp_path / "a.bundle")
    whole.journal(tmp_path / "log")
    with pytest.raises(ConsiliumError, match="is a second log, and there can be one"):
        export_bundle([tmp_path / "log", tmp_path / "log"], tmp_path / "a.bundle")
    (tmp_path / "log" / "checkpoint").unlink()
    with pytest.raises(ConsiliumError, match="holds no log"):
        export_bundle([tmp_path / "log"], tmp_path / "a.bundle")
    with pytest.raises(ConsiliumError, match="cannot be read"):
        export_bundle([tmp_path / "missing"], tmp_path / "a.bundle")


def test_a_damaged_parcel_is_named(whole: Any, tmp_path: Path) -> None:
    (first, *_) = _loose(whole, tmp_path)
    first.write_bytes(first.read_bytes()[:-1])
    with pytest.raises(ContractError, match=r"0\.bin: parcel: is cut short or too long"):
        export_bundle([first], tmp_path / "a.bundle")


def test_a_log_of_something_else_is_refused(whole: Any, tmp_path: Path) -> None:
    journal = whole.journal(tmp_path / "log")
    text = journal.note.to_bytes().decode().replace("consilium/test\n", "example.org/log\n", 1)
    (tmp_path / "log" / "checkpoint").write_text(text)
    with pytest.raises(ContractError, match=r"is the log of 'example\.org/log', which is no federation"):
        export_bundle([tmp_path / "log"], tmp_path / "a.bundle")


def test_two_predictions_of_one_name_are_refused(whole: Any, tmp_path: Path) -> None:
    files = _loose(whole, tmp_path)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jsonl").write_text(json.dumps({"name": name}))
    with pytest.raises(ConsiliumError, match="has the same name as another; rename one of them"):
        export_bundle([*files, *(tmp_path / name / "a.jsonl" for name in ("one", "two"))], tmp_path / "a.bundle")


def test_something_is_added_to_a_bundle(whole: Any, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "draw.json").write_bytes(b"{}")
    contents = export_bundle([bundle, tmp_path / "draw.json"], tmp_path / "b.bundle")
    before = open_bundle(bundle).contents.members
    added = set(contents.members) - set(before)
    assert added == {f"draws/{digest(b'{}').removeprefix('sha256:')}.json"}
    assert {name: contents.members[name] for name in before} == before
    whole.journal(tmp_path / "log")
    with pytest.raises(ConsiliumError, match="is a second log, and there can be one; give one of them"):
        export_bundle([bundle, tmp_path / "log"], tmp_path / "c.bundle")


def test_what_is_given_whole_takes_the_place_of_its_head(make_record: Any, make_sample: Any, tmp_path: Path) -> None:
    record = make_record()
    name = record.send(*make_sample("features", site="ada"))
    record.kept = {name: "coordinator"}
    path = record.write(tmp_path / "a.bundle")
    (tmp_path / "features.parcel").write_bytes(record.parcels[name].to_bytes())
    for said, why in ((True, None), (False, "coordinator")):
        out = tmp_path / f"{said}.bundle"
        export_bundle([path, tmp_path / "features.parcel"], out, with_features=said)
        assert open_bundle(out).head(name).why == why
        assert all(audit.ok for audit in verify_bundle(open_bundle(out), record.trust, witnesses=2))
