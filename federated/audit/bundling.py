"""Writing a bundle: whole or not at all, and of the same record always the same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from federated.audit.archive import Writer, new_file, new_folder
from federated.audit.contents import (
    CONTENTS,
    HEADS,
    LOG,
    MAX_PREDICTIONS_BYTES,
    PARCELS,
    PREDICTIONS,
    Contents,
    Member,
    Why,
    limit_of,
)
from federated.canonical import digest
from federated.envelope import Parcel, read_passage
from federated.errors import ConsiliumError, ContractError, cannot_read
from federated.files import Place
from federated.log.checkpoints import origin_of, read_checkpoint
from federated.log.journal import CHECKPOINT, WITNESSED
from federated.log.notes import read_note
from federated.log.tiles import MAX_BUNDLE_BYTES, files_of

SUFFIX = ".bundle"


class BundleWriter:
    """What goes into a bundle, one member after the other; a member that is there already is left as it is.

    Attributes:
        members: that are in it so far, by name.
    """

    def __init__(self, writer: Writer, federation: str) -> None:
        self._writer, self._federation = writer, federation
        self.members: dict[str, Member] = {}

    def add(self, name: str, data: bytes, *, kind: str | None = None, why: Why | None = None) -> None:
        """A member.

        Raises:
            ConsiliumError: none has this name or is so long, or it cannot be written.
        """
        limit = limit_of(name)
        if limit is None or len(data) > limit:
            raise ContractError(f"with {len(data)} bytes is no member of a bundle", where=name)
        if name not in self.members and not self._has_parcel(name):
            self._writer.add(name, data)
            self.members[name] = Member(digest=digest(data), bytes=len(data), kind=kind, why=why)

    def add_parcel(self, parcel: Parcel, why: Why | None = None) -> None:
        """A whole parcel, or where it is said why not, its head."""
        folder, kept = (PARCELS, parcel) if why is None else (HEADS, replace(parcel, tensors=b""))
        name = f"{folder}/{parcel.digest.removeprefix('sha256:')}.parcel"
        self.add(name, kept.to_bytes(), kind=read_passage(parcel).kind, why=why)

    def _has_parcel(self, name: str) -> bool:
        """Whole, or as far as its head."""
        folder, _, file = name.partition("/")
        return folder in (PARCELS, HEADS) and bool({f"{PARCELS}/{file}", f"{HEADS}/{file}"} & self.members.keys())

    def add_log(self, folder: Place) -> None:
        """A log from its folder.

        Raises:
            ConsiliumError: there is none, or it is damaged.
        """
        note = read_note(folder / CHECKPOINT)
        if note is None:
            raise ConsiliumError("holds no log", where=str(folder), cure="give the folder with its 'checkpoint'")
        size = read_checkpoint(note, origin_of(self._federation)).size
        self.add(f"{LOG}/{CHECKPOINT}", note.to_bytes())
        witnessed = read_note(folder / WITNESSED)
        if witnessed is not None:
            self.add(f"{LOG}/{WITNESSED}", witnessed.to_bytes())
        for name in files_of(size):
            self.add(f"{LOG}/{name}", _bytes(folder / name))

    def add_all(self, members: Iterable[tuple[str, bytes]]) -> None:
        """Members under their names."""
        for name, data in members:
            self.add(name, data)

    def finish(self) -> Contents:
        """Writes down what is there."""
        contents = Contents(federation=self._federation, members=self.members)
        self._writer.add(CONTENTS, contents.to_bytes())
        return contents


@contextmanager
def new_bundle(path: Path, federation: str) -> Iterator[BundleWriter]:
    """A new bundle: a file where its name ends in ``.bundle``, else a folder.

    Raises:
        ConsiliumError: it is there already, or cannot be written.
    """
    with new_file(path) if path.suffix == SUFFIX else new_folder(path) as writer:
        bundle = BundleWriter(writer, federation)
        yield bundle
        bundle.finish()


def add_predictions(bundle: BundleWriter, paths: Iterable[Path]) -> None:
    """Files of predictions, under their own names.

    Raises:
        ConsiliumError: one cannot be read, is not called ``NAME.jsonl``, or is called as another is.
    """
    for path in paths:
        name = f"{PREDICTIONS}/{path.name}"
        if limit_of(name) is None:
            cure = "call it NAME.jsonl, in small letters"
            raise ConsiliumError("is no name for predictions in a bundle", where=str(path), cure=cure)
        if name in bundle.members:
            raise ConsiliumError("has the same name as another", where=str(path), cure="rename one of them")
        bundle.add(name, _bytes(path, MAX_PREDICTIONS_BYTES))


def _bytes(place: Place, most: int = MAX_BUNDLE_BYTES) -> bytes:
    try:
        with place.open("rb") as file:
            return file.read(most + 1)
    except OSError as error:
        raise cannot_read(place, error) from error
