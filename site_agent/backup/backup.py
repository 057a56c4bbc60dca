"""A site's home in one file: a tar of everything, SQLite files as they are at one moment, and a digest of every file.

Encrypted by default, since it holds the keys and the secret. A plain one any tool can unpack, and `sha256sum --check`
then says whether it is whole.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
import sqlite3
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, Literal

from federated.errors import ConsiliumError, cannot_read
from federated.files import cannot_write, sync_folder
from federated.manifest import Frozen
from site_agent.backup.encrypted_file import EncryptedWriter
from site_agent.decisions.book import at_rest
from site_agent.progress import track

if TYPE_CHECKING:
    from site_agent.home import SiteHome

ABOUT, SUMS, FOLDER = "backup.json", "SHA256SUMS", "home"
SQLITE = b"SQLite format 3\0"
LEFT_OUT = ("lock",)
COPIES = ".backup-"  # folder in the home for copies of SQLite files
OF_SQLITE = ("-wal", "-shm", "-journal")


class About(Frozen):
    """The first thing in a backup: whose it is, and how many files and folders follow."""

    version: Literal[1] = 1
    federation: str
    site: str
    made: str
    entries: int


class Backup(Frozen):
    """What was written."""

    file: str
    files: int
    bytes: int
    encrypted: bool


def back_up(home: SiteHome, file: Path, passphrase: str | None) -> Backup:
    """Writes everything of a home that no other command may change meanwhile; whole or not at all.

    Args:
        home: the home.
        file: a new file outside the home.
        passphrase: None to leave it unencrypted, keys and all.

    Raises:
        ConsiliumError: the file is there already or lies in the home, the disk is full, or the home holds a link.
    """
    _check_place(home, file)
    with home.lock(), at_rest(home), _new_file(file) as raw:
        target = raw if passphrase is None else EncryptedWriter(raw, passphrase)
        with tarfile.open(fileobj=target, mode="w|", format=tarfile.GNU_FORMAT) as tar:  # type: ignore[call-overload]
            count = _write(home, tar)
        if isinstance(target, EncryptedWriter):
            target.finish()
    return Backup(file=str(file), files=count, bytes=file.stat().st_size, encrypted=passphrase is not None)


def _check_place(home: SiteHome, file: Path) -> None:
    if file.exists() or file.is_symlink():
        raise ConsiliumError("is already here and is never overwritten", where=str(file))
    if file.resolve().is_relative_to(home.path.resolve()):
        raise ConsiliumError("lies in the home itself", where=str(file), cure="name a file elsewhere")


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """A file for its owner only, that has its name once it is whole."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error


def _write(home: SiteHome, tar: tarfile.TarFile) -> int:
    """Everything, one after another; the digests come last. Returns the number of files."""
    found = list(_listed(home.path))
    sums = [_add_bytes(tar, ABOUT, _about(home, len(found)))]
    for path in track(found, total=len(found), what="backing up"):
        name = f"{FOLDER}/{path.relative_to(home.path).as_posix()}"
        if path.is_dir():
            tar.addfile(_member(name, path, tarfile.DIRTYPE))
            continue
        with _opened(path, home.path) as file:
            sums.append(_add(tar, _member(name, path, tarfile.REGTYPE), file))
    _add_bytes(tar, SUMS, "".join(f"{digest}  {name}\n" for digest, name in sums).encode(errors="surrogateescape"))
    return len(sums) - 1


def _about(home: SiteHome, entries: int) -> bytes:
    config, now = home.config, datetime.now(UTC).isoformat(timespec="seconds")
    about = About(federation=config.federation, site=config.site, made=now, entries=entries)
    return json.dumps(about.model_dump(), indent=1).encode() + b"\n"


def _listed(folder: Path) -> Iterator[Path]:
    """Folders and files in the order of their names, each folder before what it holds; no locks, sockets and remains.

    Raises:
        ConsiliumError: a link, whose target might be anywhere.
    """
    for path in sorted(folder.iterdir()):
        kind = path.lstat().st_mode
        if stat.S_ISLNK(kind):
            raise ConsiliumError("is a link, which no backup holds", where=str(path), cure="put there what it names")
        if path.name.startswith(".") or path.name in LEFT_OUT or path.name.endswith(OF_SQLITE):
            continue
        if stat.S_ISDIR(kind):
            yield path
            yield from _listed(path)
        elif stat.S_ISREG(kind):
            yield path


@contextmanager
def _opened(path: Path, home: Path) -> Iterator[IO[bytes]]:
    """A file as it is; of SQLite, a copy with whatever its journal holds."""
    try:
        with path.open("rb") as file:
            if file.read(len(SQLITE)) != SQLITE:
                file.seek(0)
                yield file
                return
    except OSError as error:
        raise cannot_read(path, error) from error
    with tempfile.TemporaryDirectory(dir=home, prefix=COPIES) as folder:
        copy = Path(folder) / path.name
        _snapshot(path, copy)
        with copy.open("rb") as file:
            yield file


def _snapshot(path: Path, copy: Path) -> None:
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    except sqlite3.Error as error:
        raise cannot_read(path, error) from error


def _member(name: str, path: Path, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    member.mode = 0o700 if kind == tarfile.DIRTYPE else 0o600
    member.mtime = int(path.stat().st_mtime)
    return member


def _add(tar: tarfile.TarFile, member: tarfile.TarInfo, file: IO[bytes]) -> tuple[str, str]:
    """Digest and name of a file that was added."""
    member.size = os.fstat(file.fileno()).st_size
    digesting = _Digesting(file)
    tar.addfile(member, digesting)  # type: ignore[arg-type]
    return digesting.digest.hexdigest(), member.name


def _add_bytes(tar: tarfile.TarFile, name: str, data: bytes) -> tuple[str, str]:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o600
    tar.addfile(member, io.BytesIO(data))
    return hashlib.sha256(data).hexdigest(), name


class _Digesting:
    """A file whose SHA-256 is known once it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.digest = file, hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data
