"""The index of a bundle is made once, and found again by what the bundle is, whose keys count and how it was made."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

from federated.audit_pages.index import Index
from federated.audit_pages.schema import INDEXES, TABLES, VERSION
from federated.errors import ConsiliumError
from federated.files import cannot_write

CHUNK = 2**20
KEPT = 5  # indexes; older ones are removed


def default_folder() -> Path:
    """Where indexes lie."""
    beyond = os.environ.get("XDG_CACHE_HOME")
    return (Path(beyond) if beyond else Path.home() / ".cache") / "consilium" / "audit"


def fingerprint(bundle: Path) -> str:
    """SHA-256 over every byte of a bundle's file, or of its folder's files with their names."""
    whole = hashlib.sha256()
    files = sorted(path for path in bundle.rglob("*") if path.is_file()) if bundle.is_dir() else [bundle]
    for path in files:
        whole.update(f"{path.relative_to(bundle) if bundle.is_dir() else ''}\n{path.stat().st_size}\n".encode())
        for some in _chunks(path):
            whole.update(some)
    return whole.hexdigest()


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while some := file.read(CHUNK):
            yield some


def cached(folder: Path, parts: tuple[str, ...], make: Callable[[Path], None]) -> Index:
    """An index, made if it is not there.

    Args:
        folder: of indexes; made for its owner only.
        parts: what it depends on.
        make: writes it to a new file.

    Raises:
        ConsiliumError: the folder cannot be written, or what `make` raises; nothing is left behind.
    """
    name = hashlib.sha256("\n".join((str(VERSION), TABLES, INDEXES, *parts)).encode()).hexdigest()
    path = folder / f"{name}.sqlite"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.exists():
            path.touch()
        else:
            _make(path, make)
        _sweep(folder, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    return Index(path)


def _make(path: Path, make: Callable[[Path], None]) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        make(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _sweep(folder: Path, newest: Path) -> None:
    """Removes those that nobody has opened for longest."""
    found = sorted(folder.glob("*.sqlite"), key=lambda path: (path == newest, path.stat().st_mtime))
    for path in found[:-KEPT]:
        path.unlink()


def require_folder(path: Path) -> Path:
    """A folder for indexes, which nobody else may write to: what lies there is shown as if it had been verified here.

    Raises:
        ConsiliumError: a file is there, or others can change what lies there.
    """
    if not path.exists():
        return path
    if not path.is_dir():
        raise ConsiliumError("is no folder", where=str(path), cure="give --cache FOLDER")
    status = path.stat()
    if status.st_uid != os.getuid() or status.st_mode & 0o022:
        what = "others can change what lies there, and it would be shown as verified"
        raise ConsiliumError(what, where=str(path), cure="give --cache FOLDER, a folder of your own")
    return path
