"""Artefacts: byte strings kept in a folder under their own digest, written whole and checked when read."""

from __future__ import annotations

from pathlib import Path

from federated.canonical import digest
from federated.errors import ConsiliumError
from federated.files import cannot_write, write_whole


class Artefacts:
    """A folder of byte strings, ``sha256/ab/cdef…``; nothing is ever changed or removed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """Where the bytes of a digest lie."""
        algorithm, hexadecimal = name.split(":")
        return self.folder.joinpath(algorithm, hexadecimal[:2], hexadecimal[2:])

    def put(self, data: bytes) -> str:
        """Keeps bytes and returns their digest; the same bytes again are no work.

        Raises:
            ConsiliumError: the disk is full or the folder cannot be written.
        """
        name = digest(data)
        path = self.path(name)
        if not path.exists():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise cannot_write(path, error) from error
            write_whole(path, data, mode=0o600)
        return name

    def get(self, name: str) -> bytes:
        """The bytes of a digest.

        Raises:
            ConsiliumError: they are missing, or no longer what they were.
        """
        path = self.path(name)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ConsiliumError(
                f"an artefact cannot be read ({error.strerror})", where=str(path), cure="restore it from a backup"
            ) from error
        if digest(data) != name:
            raise ConsiliumError("an artefact was altered", where=str(path), cure="restore it from a backup")
        return data
