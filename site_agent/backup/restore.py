"""A home made of a backup, whole or not at all; nothing in the file is believed before it is checked."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from pydantic import ValidationError

from federated.errors import ConsiliumError, cannot_read
from federated.files import cannot_write, sync_folder
from site_agent.backup.backup import ABOUT, FOLDER, SUMS, About
from site_agent.backup.encrypted_file import MAGIC, EncryptedReader
from site_agent.home import SiteHome
from site_agent.progress import track

LONGEST_NAME = 4096
MOST_TEXT_BYTES = 2**28
BLOCK = 2**20
Digests = dict[str, str]


def is_encrypted(file: Path) -> bool:
    """Whether a backup needs a passphrase.

    Raises:
        ConsiliumError: the file cannot be read.
    """
    try:
        with file.open("rb") as opened:
            return opened.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise cannot_read(file, error) from error


def restore(file: Path, home: Path, passphrase: str | None) -> About:
    """Makes the home that a backup holds.

    Args:
        file: the backup.
        home: a folder that is missing or empty.
        passphrase: None of one that is not encrypted.

    Raises:
        ConsiliumError: the folder holds something, the file is no backup, is damaged or cut short, holds what no
            backup does, or the disk is full; nothing is left behind.
    """
    if home.is_symlink() or (home.exists() and (not home.is_dir() or any(home.iterdir()))):
        raise ConsiliumError("is not empty, and nothing is ever overwritten", where=str(home), cure="name a new folder")
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(dir=home.parent, prefix=".partial-"))
        try:
            (staging / FOLDER).mkdir(mode=0o700)
            about = _unpack(file, staging, passphrase)
            SiteHome(staging / FOLDER)
            os.sync()
            (staging / FOLDER).replace(home)
            sync_folder(home.parent)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise cannot_write(home, error) from error
    return about


def _unpack(file: Path, folder: Path, passphrase: str | None) -> About:
    written: Digests = {}
    with _opened(file, passphrase) as tar:
        members = iter(tar)
        about = _about(tar, next(members, None), file, written)
        for member in track(members, total=about.entries, what="restoring"):
            if member.name == SUMS:
                _compare(_content(tar, member, file), written, file)
                return about
            _place(tar, member, folder, file, written)
    raise ConsiliumError("is cut short", where=str(file))


@contextmanager
def _opened(file: Path, passphrase: str | None) -> Iterator[tarfile.TarFile]:
    encrypted = is_encrypted(file)
    try:
        with file.open("rb") as raw:
            source = _decrypted(raw, file, passphrase) if encrypted else raw
            with tarfile.open(fileobj=source, mode="r|", tarinfo=_Member) as tar:  # type: ignore[call-overload]
                yield tar
    except _ForeignError as error:
        raise ConsiliumError("is no backup: it holds what is neither file nor folder", where=str(file)) from error
    except (tarfile.TarError, EOFError, UnicodeError) as error:
        raise ConsiliumError("is no backup of a site, or is damaged", where=str(file)) from error


def _decrypted(raw: BinaryIO, file: Path, passphrase: str | None) -> EncryptedReader:
    if passphrase is None:
        raise ConsiliumError("is encrypted", where=str(file), cure="give its passphrase")
    raw.seek(len(MAGIC))
    return EncryptedReader(raw, passphrase, str(file))


class _ForeignError(tarfile.TarError):
    """A link, a device, or a header that is longer than any of ours."""


class _Member(tarfile.TarInfo):
    """A file or folder; whatever else a tar may hold is refused before it is read."""

    @classmethod
    def frombuf(cls, buf: Any, encoding: Any, errors: Any) -> _Member:
        member = super().frombuf(buf, encoding, errors)
        name = member.type == tarfile.GNUTYPE_LONGNAME and 0 < member.size <= LONGEST_NAME
        if not name and member.type not in {tarfile.REGTYPE, tarfile.DIRTYPE}:
            raise _ForeignError
        if member.size < 0:
            raise tarfile.HeaderError("a negative size")
        return member


def _about(tar: tarfile.TarFile, member: tarfile.TarInfo | None, file: Path, written: Digests) -> About:
    if member is None or member.name != ABOUT:
        raise ConsiliumError("is no backup of a site", where=str(file))
    data = _content(tar, member, file)
    written[ABOUT] = hashlib.sha256(data).hexdigest()
    try:
        return About.model_validate_json(data)
    except ValidationError as error:
        raise ConsiliumError("is no backup that this program reads", where=str(file)) from error


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo, file: Path) -> bytes:
    opened = tar.extractfile(member)
    if opened is None or member.size > MOST_TEXT_BYTES:
        raise ConsiliumError("is no backup of a site", where=str(file))
    return opened.read()


def _place(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, file: Path, written: Digests) -> None:
    """One folder or file, below the folder and nowhere else, for its owner only."""
    path = folder / _inside(member.name, file)
    if member.isdir():
        path.mkdir(mode=0o700, parents=True)
        return
    if member.name in written:
        raise ConsiliumError("is no backup: it holds a file twice", where=str(file))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = tar.extractfile(member)
    assert content is not None
    digest, left = hashlib.sha256(), member.size
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as target:
        while block := content.read(min(BLOCK, left)):
            digest.update(block)
            target.write(block)
            left -= len(block)
    if left:
        raise ConsiliumError("is cut short", where=str(file))
    written[member.name] = digest.hexdigest()


def _inside(name: str, file: Path) -> PurePosixPath:
    """A path below the folder of the home.

    Raises:
        ConsiliumError: it leads elsewhere; in a damaged file a name may be a piece of a key, and is not shown.
    """
    path = PurePosixPath(name)
    if path.parts[:1] != (FOLDER,) or len(path.parts) < 2 or ".." in path.parts or "\0" in name:
        raise ConsiliumError("is no backup: it would write outside the home", where=str(file))
    return path


def _compare(sums: bytes, written: Digests, file: Path) -> None:
    found = "".join(f"{digest}  {name}\n" for name, digest in written.items())
    if found.encode(errors="surrogateescape") != sums:
        raise ConsiliumError("is damaged: not every file in it is as it was written", where=str(file))
