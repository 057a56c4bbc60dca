"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from federated.errors import ConsiliumError

FULL = (errno.ENOSPC, errno.EDQUOT)


class Place(Protocol):
    """A file or a folder that is read from: a path, or a place in a bundle."""

    def __truediv__(self, name: str, /) -> Place:
        """What lies below a folder, whether it is there or not."""
        ...

    def open(self, mode: Literal["rb"], /) -> BinaryIO:
        """A file's bytes.

        Raises:
            FileNotFoundError: it is not there.
            OSError: it cannot be read.
        """
        ...


def write_whole(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """The file, replaced in one step and flushed to the disk; killed at any moment, the old one is still there.

    Raises:
        ConsiliumError: the disk is full or the folder cannot be written; nothing is left behind.
    """
    try:
        temporary = _temporary(path, data, mode)
        try:
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error


def write_new(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """A file that was not there before, whole, readable by its owner only; its folder is made where missing.

    Raises:
        ConsiliumError: it is there already, or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary(path, data, mode)
        try:
            os.link(temporary, path)
        finally:
            temporary.unlink()
        sync_folder(path.parent)
    except FileExistsError as error:
        raise ConsiliumError("is already here and is never overwritten", where=str(path)) from error
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> ConsiliumError:
    """One line for a file that could not be written."""
    if error.errno in FULL:
        return disk_is_full(path)
    return ConsiliumError(f"cannot be written ({error.strerror or error})", where=str(path))


def disk_is_full(path: Path) -> ConsiliumError:
    """One line for a full disk."""
    return ConsiliumError("the disk is full", where=str(path), cure="free some space and run the command again")


def _temporary(path: Path, data: bytes, mode: int) -> Path:
    """A flushed file beside the one wanted; the umask narrows its mode, as that of any other file."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder last through a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
