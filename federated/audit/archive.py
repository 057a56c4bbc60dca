"""Members under names, in one file or in a folder: written whole, read with limits, never unpacked.

The file is a zip that any tool opens (APPNOTE 6.3.10). Of all that a zip may be, only what `ZipWriter` writes is taken:
stored members one behind the other, then their table, and nothing before, between or after. So no byte can change
without being noticed, and no two readers find different things in it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, NamedTuple, Protocol

from federated.errors import ConsiliumError, ContractError, cannot_read
from federated.files import cannot_write, sync_folder

LOCAL, CENTRAL, END = struct.Struct("<4s5H3I2H"), struct.Struct("<4s6H3I5H2I"), struct.Struct("<4s4H2IH")
LOCAL_MARK, CENTRAL_MARK, END_MARK = b"PK\3\4", b"PK\1\2", b"PK\5\6"
VERSION, UNIX, FIRST_DAY = 20, 3 << 8, 0x21  # 1980-01-01, before which a zip knows no day
MODE = (stat.S_IFREG | 0o644) << 16
MAX_MEMBERS, MAX_ZIP_BYTES = 2**16 - 2, 2**32 - 2  # what a zip without extensions can say
MAX_FOLDER_MEMBERS = 500_000
MAX_NAME, MAX_DEPTH = 200, 8
LARGER = "give the name of a folder instead of a file"
LimitOf = Callable[[str], int | None]
"""The most bytes that a member of this name may have; None for a name that none has."""


class Store(Protocol):
    """Where members are read from.

    Attributes:
        path: of the file or folder.
        sizes: of every member, by name.
    """

    path: Path

    @property
    def sizes(self) -> Mapping[str, int]:
        """Bytes of every member."""
        ...

    def read(self, name: str, offset: int = 0, size: int | None = None) -> bytes:
        """A member, or some of it.

        Raises:
            ConsiliumError: it cannot be read, or is not what the table says.
        """
        ...


class Writer(Protocol):
    """Where members are written to, one after the other."""

    def add(self, name: str, data: bytes) -> None:
        """One more member.

        Raises:
            ConsiliumError: it cannot be written, or there are too many.
        """
        ...


class _Place(NamedTuple):
    offset: int
    size: int
    crc: int


def open_store(path: Path, limit_of: LimitOf) -> Store:
    """A file or a folder, with its table read and checked, and no member.

    Raises:
        ConsiliumError: it cannot be read, or is neither.
    """
    return FolderStore(path, limit_of) if path.is_dir() else ZipStore(path, limit_of)


class ZipStore:
    """Members in one file, which is opened for each that is read."""

    def __init__(self, path: Path, limit_of: LimitOf) -> None:
        """Reads the table.

        Raises:
            ConsiliumError: it cannot be read, or is not as `ZipWriter` writes it.
        """
        self.path = path
        try:
            with path.open("rb") as file:
                self._places = _table(file, path, limit_of)
        except OSError as error:
            raise cannot_read(path, error) from error
        self.sizes: Mapping[str, int] = MappingProxyType({name: place.size for name, place in self._places.items()})

    def read(self, name: str, offset: int = 0, size: int | None = None) -> bytes:
        """See `Store.read`."""
        place = self._places[name]
        head = _local(name, place)
        wanted = place.size - offset if size is None else min(size, place.size - offset)
        try:
            with self.path.open("rb") as file:
                same = os.pread(file.fileno(), len(head), place.offset) == head
                data = os.pread(file.fileno(), wanted, place.offset + len(head) + offset)
        except OSError as error:
            raise cannot_read(self.path, error) from error
        whole = wanted == place.size
        if not same or len(data) != wanted or (whole and zlib.crc32(data) != place.crc):
            raise ContractError("is not what the table of the file says", where=f"{self.path}: {name}")
        return data


class FolderStore:
    """Members as files of a folder; links are refused, so that nothing outside it is read."""

    def __init__(self, path: Path, limit_of: LimitOf) -> None:
        """Lists the files.

        Raises:
            ConsiliumError: it cannot be read, or holds something else than members.
        """
        self.path = path
        sizes: dict[str, int] = {}
        for name, size in _files(path):
            _require_member(path, name, size, limit_of)
            sizes[name] = size
            if len(sizes) > MAX_FOLDER_MEMBERS:
                raise ContractError(f"more than {MAX_FOLDER_MEMBERS} files", where=str(path))
        self.sizes: Mapping[str, int] = MappingProxyType(sizes)

    def read(self, name: str, offset: int = 0, size: int | None = None) -> bytes:
        """See `Store.read`."""
        wanted = self.sizes[name] - offset if size is None else min(size, self.sizes[name] - offset)
        path = self.path / name
        try:
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
                same = os.fstat(file.fileno()).st_size == self.sizes[name]
                data = os.pread(file.fileno(), wanted, offset)
        except OSError as error:
            raise cannot_read(path, error) from error
        if not same or len(data) != wanted:
            raise ContractError("has changed since it was opened", where=str(path))
        return data


class ZipWriter:
    """Writes what `ZipStore` reads."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path, self._places = file, path, dict[str, _Place]()

    def add(self, name: str, data: bytes) -> None:
        """See `Writer.add`."""
        place = _Place(self._file.tell(), len(data), zlib.crc32(data))
        if len(self._places) == MAX_MEMBERS or place.offset + len(data) > MAX_ZIP_BYTES - 2**24:
            raise ConsiliumError("is too much for one file", where=str(self._path), cure=LARGER)
        self._file.write(_local(name, place) + data)
        self._places[name] = place

    def finish(self) -> None:
        """Writes the table."""
        offset = self._file.tell()
        table = b"".join(_central(name, place) for name, place in self._places.items())
        self._file.write(table + _end(len(self._places), len(table), offset))


class FolderWriter:
    """Writes what `FolderStore` reads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, name: str, data: bytes) -> None:
        """See `Writer.add`."""
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@contextmanager
def new_file(path: Path) -> Iterator[Writer]:
    """A new file of members, whole or not at all.

    Raises:
        ConsiliumError: it is there already, or cannot be written.
    """
    with _staged(path) as staging, staging.open("xb") as file:
        writer = ZipWriter(file, path)
        yield writer
        writer.finish()
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def new_folder(path: Path) -> Iterator[Writer]:
    """A new folder of members, whole or not at all.

    Raises:
        ConsiliumError: it is there already, or cannot be written.
    """
    with _staged(path) as staging:
        staging.mkdir()
        yield FolderWriter(staging)


@contextmanager
def _staged(path: Path) -> Iterator[Path]:
    if path.exists():
        raise ConsiliumError("is already here", where=str(path), cure="name a new one")
    staging = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        yield staging
        staging.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if staging.is_file():
            staging.unlink()


def _local(name: str, place: _Place) -> bytes:
    fixed = (VERSION, 0, 0, 0, FIRST_DAY, place.crc, place.size, place.size, len(name), 0)
    return LOCAL.pack(LOCAL_MARK, *fixed) + name.encode("ascii")


def _central(name: str, place: _Place) -> bytes:
    fixed = (UNIX | VERSION, VERSION, 0, 0, 0, FIRST_DAY, place.crc, place.size, place.size, len(name), 0, 0, 0, 0)
    return CENTRAL.pack(CENTRAL_MARK, *fixed, MODE, place.offset) + name.encode("ascii")


def _end(count: int, size: int, offset: int) -> bytes:
    return END.pack(END_MARK, 0, 0, count, count, size, offset, 0)


def _table(file: BinaryIO, path: Path, limit_of: LimitOf) -> dict[str, _Place]:
    """Where each member lies, after everything but the members was held against what would be written of them."""
    total = os.fstat(file.fileno()).st_size
    tail = os.pread(file.fileno(), END.size, max(0, total - END.size))
    if len(tail) < END.size or not tail.startswith(END_MARK):
        raise ContractError("is no bundle, or is cut short", where=str(path))
    _, _, _, count, _, size, offset, _ = END.unpack(tail)
    if total > MAX_ZIP_BYTES or tail != _end(count, size, offset) or offset + size + END.size != total:
        raise ContractError("does not end as a bundle does", where=str(path))
    if size > count * (CENTRAL.size + MAX_NAME):
        raise ContractError("has a table that is too long", where=str(path))
    return _places(os.pread(file.fileno(), size, offset), count, offset, path, limit_of)


def _places(table: bytes, count: int, end: int, path: Path, limit_of: LimitOf) -> dict[str, _Place]:
    places: dict[str, _Place] = {}
    offset = at = 0
    for _ in range(count):
        if at + CENTRAL.size > len(table):
            raise ContractError("has a table that is cut short", where=str(path))
        fields = CENTRAL.unpack_from(table, at)
        crc, size, length = fields[7], fields[9], fields[10]
        name = table[at + CENTRAL.size : at + CENTRAL.size + length].decode("ascii", errors="replace")
        _require_member(path, name, size, limit_of)
        place = _Place(offset, size, crc)
        row = _central(name, place)
        if name in places or table[at : at + len(row)] != row:
            raise ContractError("is not in the table as a bundle has it", where=f"{path}: {name}")
        places[name] = place
        at, offset = at + len(row), offset + LOCAL.size + length + size
    if (at, offset) != (len(table), end):
        raise ContractError("holds more than its table says", where=str(path))
    return places


def _require_member(path: Path, name: str, size: int, limit_of: LimitOf) -> None:
    limit = limit_of(name) if len(name) <= MAX_NAME and name.isascii() and name.isprintable() else None
    if limit is None:
        raise ContractError("is no member of a bundle", where=f"{path}: {name[:MAX_NAME]}")
    if size > limit:
        raise ContractError(f"{size} bytes, at most {limit} are taken", where=f"{path}: {name}")


def _files(folder: Path, below: str = "") -> Iterator[tuple[str, int]]:
    """Names and sizes of all files of a folder, in the order of their names."""
    try:
        with os.scandir(folder / below) as found:
            rows = sorted(found, key=lambda row: row.name)
        for row in rows:
            name = f"{below}{row.name}"
            if row.is_dir(follow_symlinks=False) and name.count("/") < MAX_DEPTH:
                yield from _files(folder, f"{name}/")
            elif row.is_file(follow_symlinks=False):
                yield name, row.stat(follow_symlinks=False).st_size
            else:
                raise ContractError("is a link, or no file of a bundle", where=str(folder / name))
    except OSError as error:
        raise cannot_read(folder, error) from error
