"""A log as files that never change once they are full: hashes in tiles of 256, entries in bundles (C2SP tlog-tiles).

https://c2sp.org/tlog-tiles. The hashes of tile n at level l are those of the subtrees of 256^l entries from n 256^(l+1)
on. The last tile of a level may be partial; its width is part of its name.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from federated.errors import ConsiliumError, ContractError
from federated.files import Place
from federated.log.merkle import HASH_BYTES, complete

BITS = 8
WIDTH = 1 << BITS
ENTRIES = "entries"
LENGTH = struct.Struct(">H")
MAX_ENTRY_BYTES = 2**16 - 1
MAX_BUNDLE_BYTES = WIDTH * (LENGTH.size + MAX_ENTRY_BYTES)
CACHED = 64  # tiles


def tile_path(level: int | str, index: int, width: int = WIDTH) -> str:
    """Of a tile of hashes at a level, or of a bundle of `ENTRIES`, below the log's folder."""
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[place : place + 3] for place in range(0, len(digits), 3)]
    name = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return f"tile/{level}/{name}" if width == WIDTH else f"tile/{level}/{name}.p/{width}"


def partial_paths(size: int) -> set[str]:
    """Of every tile and bundle that is not full in a tree of so many entries."""
    found, level = set[str](), 0
    while size:
        index, width = divmod(size, WIDTH)
        if width:
            found.add(tile_path(level, index, width))
            if level == 0:
                found.add(tile_path(ENTRIES, index, width))
        level, size = level + 1, index
    return found


def width_of(size: int, level: int, index: int) -> int:
    """How many hashes the tile has in a tree of so many entries."""
    return max(0, min(WIDTH, (size >> BITS * level) - index * WIDTH))


class Tiles:
    """A tree of a given size, read from a folder. Nothing that is read is believed: roots and proofs tell."""

    def __init__(self, folder: Place, size: int) -> None:
        self.size, self._folder = size, folder
        self._tile = lru_cache(CACHED)(self._read_tile)

    def subtree(self, level: int, index: int) -> bytes:
        """Hash of a complete subtree of 2^level entries (`merkle.Subtrees`).

        Raises:
            ContractError: a tile is missing, or is not as long as it should be.
        """
        high, low = divmod(level, BITS)
        begin = index << low
        hashes = self._tile(high, begin >> BITS)
        first = begin % WIDTH
        if first + (1 << low) > len(hashes):
            raise ContractError(f"a tree of {self.size} entries has no such subtree", where=str(self._folder))
        return complete(hashes[first : first + (1 << low)])

    def hashes(self, level: int, index: int) -> list[bytes]:
        """All of a tile.

        Raises:
            ContractError: see `subtree`.
        """
        return self._tile(level, index)

    def entries(self, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Some entries in their order, a bundle at a time.

        Raises:
            ContractError: a bundle is missing or damaged.
        """
        end = self.size if end is None else end
        for index in range(begin // WIDTH, -(-end // WIDTH)):
            held = self.bundle(index)
            yield from held[max(0, begin - index * WIDTH) : max(0, end - index * WIDTH)]

    def bundle(self, index: int) -> list[bytes]:
        """The entries of a bundle.

        Raises:
            ContractError: it is missing or damaged.
        """
        width = width_of(self.size, 0, index)
        return unpack_bundle(self._bytes(ENTRIES, index, width), width) if width else []

    def _read_tile(self, level: int, index: int) -> list[bytes]:
        width = width_of(self.size, level, index)
        data = self._bytes(level, index, width) if width else b""
        if len(data) < width * HASH_BYTES or len(data) % HASH_BYTES:
            raise ContractError(f"has {len(data)} bytes, expected {width} hashes", where=tile_path(level, index, width))
        return [data[place : place + HASH_BYTES] for place in range(0, width * HASH_BYTES, HASH_BYTES)]

    def _bytes(self, level: int | str, index: int, width: int) -> bytes:
        """A partial tile may have gone when the full one came, of which it is the beginning."""
        for name in dict.fromkeys((tile_path(level, index, width), tile_path(level, index))):
            try:
                with (self._folder / name).open("rb") as file:
                    return file.read(MAX_BUNDLE_BYTES)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise ConsiliumError(f"cannot be read ({error.strerror})", where=str(self._folder / name)) from error
        raise ContractError("is missing", where=str(self._folder / tile_path(level, index, width)))


def pack_bundle(entries: Sequence[bytes]) -> bytes:
    """Entries, each behind its length.

    Raises:
        ContractError: one is too long.
    """
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise ContractError(f"{len(entry)} bytes, at most {MAX_ENTRY_BYTES} are logged", where="entry")
    return b"".join(LENGTH.pack(len(entry)) + entry for entry in entries)


def unpack_bundle(data: bytes, count: int) -> list[bytes]:
    """The first entries of a bundle.

    Raises:
        ContractError: it has not that many, or a length leads beyond its end.
    """
    entries: list[bytes] = []
    place = 0
    while len(entries) < count:
        begin = place + LENGTH.size
        if begin > len(data):
            raise ContractError(f"ends after {len(entries)} of {count} entries", where="bundle of entries")
        place = begin + LENGTH.unpack_from(data, place)[0]
        if place > len(data):
            raise ContractError(f"entry {len(entries)} is cut short", where="bundle of entries")
        entries.append(data[begin:place])
    return entries


def grown(tiles: Tiles, leaves: Sequence[bytes]) -> dict[str, bytes]:
    """The files of hashes, by path, that a tree has beyond those it had, after leaves' hashes were added."""
    files: dict[str, bytes] = {}
    level, size, more = 0, tiles.size, list(leaves)
    while more:
        held = size % WIDTH
        row = [*(tiles.hashes(level, size >> BITS) if held else []), *more]
        files |= dict(_cut(level, size >> BITS, row, b"".join))
        more = [complete(row[place : place + WIDTH]) for place in range(0, len(row) - WIDTH + 1, WIDTH)]
        level, size = level + 1, size >> BITS
    return files


def bundled(tiles: Tiles, entries: Sequence[bytes]) -> dict[str, bytes]:
    """The bundles, by path, that a log has beyond those it had, after entries were added.

    Raises:
        ContractError: an entry is too long.
    """
    first = tiles.size >> BITS
    return dict(_cut(ENTRIES, first, [*tiles.bundle(first), *entries], pack_bundle))


def _cut(
    level: int | str, first: int, row: Sequence[bytes], packed: Callable[[Sequence[bytes]], bytes]
) -> Iterator[tuple[str, bytes]]:
    for place in range(0, len(row), WIDTH):
        some = row[place : place + WIDTH]
        yield tile_path(level, first + place // WIDTH, len(some)), packed(some)


def files_of(size: int) -> Iterator[str]:
    """Every file of tiles and bundles, by path, that a tree of so many entries has."""
    level = 0
    while size >> BITS * level:
        for index in range(-(-(size >> BITS * level) // WIDTH)):
            yield tile_path(level, index, width_of(size, level, index))
        level += 1
    for index in range(-(-size // WIDTH)):
        yield tile_path(ENTRIES, index, width_of(size, 0, index))
