from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.errors import ContractError
from federated.log.merkle import complete, leaf_hash, root
from federated.log.tiles import (
    ENTRIES,
    MAX_ENTRY_BYTES,
    Tiles,
    bundled,
    files_of,
    grown,
    pack_bundle,
    tile_path,
    unpack_bundle,
    width_of,
)


def _entries(count: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(count)]


def _write(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def _logged(folder: Path, *counts: int) -> Tiles:
    """A log that came to so many entries, then to so many."""
    tiles, entries = Tiles(folder, 0), _entries(counts[-1])
    for count in counts:
        more = entries[tiles.size : count]
        _write(folder, bundled(tiles, more) | grown(tiles, [leaf_hash(entry) for entry in more]))
        tiles = Tiles(folder, count)
    return tiles


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ((0, 0), "tile/0/000"),
        ((1, 1234067), "tile/1/x001/x234/067"),
        ((0, 273, 112), "tile/0/273.p/112"),
        ((ENTRIES, 1000), "tile/entries/x001/000"),
    ],
)
def test_paths_are_the_specifications(place: tuple[int, ...], path: str) -> None:
    assert tile_path(*place) == path


def test_the_specifications_example_of_widths() -> None:
    """A tree of 70,000 has 273 full tiles and one of 112, then one full and one of 17, then one of width 1."""
    assert [width_of(70_000, 0, index) for index in (0, 272, 273, 274)] == [256, 256, 112, 0]
    assert [width_of(70_000, 1, index) for index in (0, 1, 2)] == [256, 17, 0]
    assert [width_of(70_000, 2, 0), width_of(70_000, 3, 0), width_of(256, 1, 0)] == [1, 0, 1]


@pytest.mark.parametrize("counts", [(1,), (255,), (256,), (257,), (100, 256, 300), (1, 2, 3, 700), (66_000,)])
def test_a_tree_in_tiles_is_the_tree(tmp_path: Path, counts: tuple[int, ...]) -> None:
    tiles = _logged(tmp_path, *counts)
    leaves = [leaf_hash(entry) for entry in _entries(tiles.size)]
    whole = root(tiles.size, lambda level, index: complete(leaves[index << level : (index + 1) << level]))
    assert root(tiles.size, tiles.subtree) == whole
    assert list(tiles.entries()) == _entries(tiles.size)


def test_a_tree_says_what_it_was_when_it_was_smaller(tmp_path: Path) -> None:
    before = root(100, _logged(tmp_path / "short", 100).subtree)
    _logged(tmp_path / "long", 600)
    assert root(100, Tiles(tmp_path / "long", 100).subtree) == before, "partial tiles are beginnings of full ones"


@pytest.mark.parametrize("counts", [(1,), (255,), (256,), (300, 700), (65_536,), (65_600,)])
def test_the_files_of_a_tree_are_known_from_its_size(tmp_path: Path, counts: tuple[int, ...]) -> None:
    for count in counts:
        folder = tmp_path / str(count)
        _logged(folder, count)
        written = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert set(files_of(count)) == written
        assert len(list(files_of(count))) == len(written)


def test_some_entries(tmp_path: Path) -> None:
    tiles = _logged(tmp_path, 600)
    assert list(tiles.entries(250, 515)) == _entries(600)[250:515]
    assert list(tiles.entries(7, 7)) == []


def test_a_subtree_that_is_not_there_is_refused(tmp_path: Path) -> None:
    tiles = _logged(tmp_path, 5)
    with pytest.raises(ContractError, match="no such subtree"):
        tiles.subtree(2, 1)


@pytest.mark.parametrize("damage", [b"", b"x" * 31, b"x" * 33])
def test_a_tile_of_another_length_is_refused(tmp_path: Path, damage: bytes) -> None:
    _logged(tmp_path, 2)
    (tmp_path / tile_path(0, 0, 2)).write_bytes(damage)
    with pytest.raises(ContractError, match="expected 2 hashes"):
        Tiles(tmp_path, 2).subtree(0, 0)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"tile/0/000\.p/2: is missing"):
        Tiles(tmp_path, 2).subtree(0, 0)
    with pytest.raises(ContractError, match=r"tile/entries/000\.p/2: is missing"):
        list(Tiles(tmp_path, 2).entries())


@given(st.lists(st.binary(max_size=40), max_size=12))
def test_a_bundle_holds_what_was_put_in(entries: list[bytes]) -> None:
    assert unpack_bundle(pack_bundle(entries), len(entries)) == entries


@given(st.binary(max_size=60), st.integers(1, 9))
def test_whatever_comes_is_a_bundle_or_refused(data: bytes, count: int) -> None:
    try:
        entries = unpack_bundle(data, count)
    except ContractError:
        return
    assert data.startswith(pack_bundle(entries))


@pytest.mark.parametrize(("data", "what"), [(b"\x00\x01a\x00", "ends after 1"), (b"\x00\x01a\x00\x02b", "cut short")])
def test_a_bundle_that_is_cut_is_refused(data: bytes, what: str) -> None:
    with pytest.raises(ContractError, match=what):
        unpack_bundle(data, 2)


def test_an_entry_has_a_length_of_two_bytes() -> None:
    assert len(pack_bundle([bytes(MAX_ENTRY_BYTES)])) == MAX_ENTRY_BYTES + 2
    with pytest.raises(ContractError, match="at most 65535 are logged"):
        pack_bundle([bytes(MAX_ENTRY_BYTES + 1)])
