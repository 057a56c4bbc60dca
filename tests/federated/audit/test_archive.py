from __future__ import annotations

import struct
import tempfile
import zipfile
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federated.audit import archive
from federated.audit.archive import new_file, new_folder, open_store
from federated.errors import ConsiliumError, ContractError

MEMBERS = {"one": b"first", "two/three": b"", "two/four": bytes(range(256))}


def _limit(name: str) -> int | None:
    return 1000 if name.startswith(("one", "two")) and ".." not in name else None


def _written(path: Path, members: dict[str, bytes] | None = None) -> Path:
    with new_file(path) if path.suffix == ".zip" else new_folder(path) as writer:
        for name, data in (MEMBERS if members is None else members).items():
            writer.add(name, data)
    return path


@pytest.mark.parametrize("name", ["a.zip", "folder"])
def test_what_was_written_is_read(tmp_path: Path, name: str) -> None:
    store = open_store(_written(tmp_path / name), _limit)
    assert dict(store.sizes) == {each: len(data) for each, data in MEMBERS.items()}
    assert {each: store.read(each) for each in MEMBERS} == MEMBERS
    assert store.read("two/four", 3, 4) == bytes([3, 4, 5, 6])
    assert store.read("two/four", 250, 100) == bytes(range(250, 256))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_any_tool_opens_the_file_and_the_same_members_give_the_same_bytes(tmp_path: Path) -> None:
    one, other = _written(tmp_path / "a.zip"), _written(tmp_path / "b.zip")
    assert one.read_bytes() == other.read_bytes()
    with zipfile.ZipFile(one) as opened:
        assert opened.testzip() is None
        assert {name: opened.read(name) for name in opened.namelist()} == MEMBERS


@given(st.dictionaries(st.sampled_from(["one", "one.a", "two", "two/a", "two/b/c"]), st.binary(max_size=300)))
@settings(max_examples=40, deadline=None)
def test_any_members_come_back(members: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(_written(Path(folder) / "a.zip", members), _limit)
        assert {name: store.read(name) for name in store.sizes} == members


def test_no_byte_of_the_file_can_change(tmp_path: Path) -> None:
    path = _written(tmp_path / "a.zip")
    data = path.read_bytes()
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(ContractError):
            _read_all(path)


@pytest.mark.parametrize("cut", [0, 1, 21, 22, 100])
def test_what_is_cut_short_or_goes_on_is_refused(tmp_path: Path, cut: int) -> None:
    path = _written(tmp_path / "a.zip")
    data = path.read_bytes()
    for wrong in (data[:cut], data[:-1], data[cut + 1 :], data + b"x", b"x" + data):
        path.write_bytes(wrong)
        with pytest.raises(ContractError):
            _read_all(path)


def _read_all(path: Path) -> None:
    store = open_store(path, _limit)
    for name in store.sizes:
        store.read(name)


def test_a_zip_of_another_make_is_refused(tmp_path: Path) -> None:
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(tmp_path / "a.zip", "w", compression) as made:
            made.writestr("one", b"first" * 100)
        with pytest.raises(ContractError, match="one: is not in the table as a bundle has it"):
            open_store(tmp_path / "a.zip", _limit)


@pytest.mark.parametrize("name", ["../one", "/one", "two/../../one", "three", "one\n", "o\x00ne", "w" * 300])
def test_a_member_that_nobody_knows_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ContractError, match=r"is no member of a bundle|has a table that is too long"):
        open_store(_written(tmp_path / "a.zip", {name: b""}), _limit)


def test_a_member_that_is_too_long_is_refused_before_it_is_read(tmp_path: Path) -> None:
    for name in ("a.zip", "folder"):
        with pytest.raises(ContractError, match="one: 1001 bytes, at most 1000 are taken"):
            open_store(_written(tmp_path / name, {"one": b"x" * 1001}), _limit)


def test_a_table_that_promises_too_much_is_refused(tmp_path: Path) -> None:
    path = _written(tmp_path / "a.zip")
    data = path.read_bytes()
    for count in (0, 2, 65535):
        path.write_bytes(data[:-14] + struct.pack("<2H", count, count) + data[-10:])
        with pytest.raises(ContractError):
            open_store(path, _limit)


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    with new_file(tmp_path / "a.zip") as writer:
        writer.add("one", b"a")
        writer.add("two", b"b")
    data = (tmp_path / "a.zip").read_bytes().replace(b"two", b"one")
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(ContractError, match="one: is not in the table as a bundle has it"):
        open_store(tmp_path / "a.zip", _limit)


def test_links_and_deep_folders_are_refused(tmp_path: Path) -> None:
    folder = _written(tmp_path / "folder")
    (folder / "one.link").symlink_to(folder / "one")
    with pytest.raises(ContractError, match=r"one\.link: is a link, or no file"):
        open_store(folder, _limit)
    (folder / "one.link").unlink()
    (folder / "two" / "link").symlink_to(tmp_path)
    with pytest.raises(ContractError, match="two/link: is a link, or no file"):
        open_store(folder, _limit)
    (folder / "two" / "link").unlink()
    (folder / "/".join("a" * 20)).mkdir(parents=True)
    with pytest.raises(ContractError, match="is a link, or no file of a bundle"):
        open_store(folder, _limit)


def test_a_member_that_changes_after_it_was_listed_is_refused(tmp_path: Path) -> None:
    folder = _written(tmp_path / "folder")
    store = open_store(folder, _limit)
    (folder / "one").write_bytes(b"longer than it was")
    with pytest.raises(ContractError, match="has changed since"):
        store.read("one")
    (folder / "one").unlink()
    (folder / "one").symlink_to(folder / "two" / "four")
    with pytest.raises(ConsiliumError, match="cannot be read"):
        store.read("one")


def test_nothing_is_overwritten_and_nothing_half_written_is_left(tmp_path: Path) -> None:
    for name in ("a.zip", "folder"):
        _written(tmp_path / name)
        with pytest.raises(ConsiliumError, match="is already here; name a new one"):
            _written(tmp_path / name)
    for name, make in (("b.zip", new_file), ("other", new_folder)):
        with pytest.raises(TypeError), make(tmp_path / name) as writer:
            writer.add("one", cast("bytes", None))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "folder"]


def test_too_much_for_one_file_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 2)
    with pytest.raises(ConsiliumError, match="is too much for one file; give the name of a folder"):
        _written(tmp_path / "a.zip")
    monkeypatch.setattr(archive, "MAX_FOLDER_MEMBERS", 2)
    with pytest.raises(ContractError, match="more than 2 files"):
        open_store(_written(tmp_path / "folder"), _limit)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConsiliumError, match="missing: cannot be read"):
        open_store(tmp_path / "missing", _limit)
    with pytest.raises(ConsiliumError, match="cannot be written"):
        _written(tmp_path / "no" / "a.zip")
