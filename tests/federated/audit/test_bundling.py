from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from federated.audit.bundle import open_bundle
from federated.audit.bundling import new_bundle
from federated.errors import ConsiliumError, ContractError


def test_the_same_record_gives_the_same_bytes(whole: Any, tmp_path: Path) -> None:
    one, other = (whole.write(tmp_path / name) for name in ("one.bundle", "other.bundle"))
    assert one.read_bytes() == other.read_bytes()


def test_a_file_where_its_name_says_so_and_else_a_folder(whole: Any, tmp_path: Path) -> None:
    assert whole.write(tmp_path / "one.bundle").is_file()
    folder = whole.write(tmp_path / "folder")
    assert sorted(path.name for path in folder.iterdir()) == ["bundle.json", "keys.toml", "log", "parcels"]


def test_what_comes_twice_is_there_once(whole: Any, tmp_path: Path) -> None:
    parcel = next(iter(whole.parcels.values()))
    with new_bundle(tmp_path / "a.bundle", "test") as bundle:
        for why in ("gram", None, "gram"):
            bundle.add_parcel(parcel, why)
        bundle.add("keys.toml", b"first")
        bundle.add("keys.toml", b"second")
    found = open_bundle(tmp_path / "a.bundle")
    assert found.head(parcel.digest).why == "gram"
    assert found.read("keys.toml") == b"first"
    assert len(found.contents.members) == 2


def test_what_no_reader_would_take_is_not_written(tmp_path: Path) -> None:
    for name, data in (("notes.txt", b""), ("log/checkpoint", bytes(2**20))):
        with pytest.raises(ContractError, match="is no member of a bundle"), new_bundle(tmp_path / "a", "test") as made:
            made.add(name, data)
    assert list(tmp_path.iterdir()) == []


def test_a_log_goes_in_as_it_is(whole: Any, tmp_path: Path) -> None:
    whole.journal(tmp_path / "log")
    (tmp_path / "log" / "notes.txt").write_text("beside it")
    with new_bundle(tmp_path / "a", "test") as bundle:
        bundle.add_log(tmp_path / "log")
    for path in (tmp_path / "log").rglob("*"):
        if path.is_file() and path.name != "notes.txt":
            assert (tmp_path / "a" / "log" / path.relative_to(tmp_path / "log")).read_bytes() == path.read_bytes()
    assert not (tmp_path / "a" / "log" / "notes.txt").exists()


def test_a_log_that_is_none_or_damaged_is_said(whole: Any, tmp_path: Path) -> None:
    with (
        pytest.raises(ConsiliumError, match="holds no log; give the folder"),
        new_bundle(tmp_path / "a", "test") as made,
    ):
        made.add_log(tmp_path / "missing")
    whole.journal(tmp_path / "log")
    for path in (tmp_path / "log" / "tile" / "entries").rglob("*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(ConsiliumError, match="cannot be read"), new_bundle(tmp_path / "a", "test") as made:
        made.add_log(tmp_path / "log")
