"""A log that can only grow: entries, the tree over them, and a signed checkpoint that says how far it goes.

The checkpoint is written last, so that a log that was killed at any moment is the one before or the one after.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated.errors import ContractError
from federated.files import sync_folder, write_whole
from federated.log.checkpoints import Checkpoint, read_checkpoint
from federated.log.merkle import EMPTY_ROOT, consistency_proof, inclusion_proof, leaf_hash, root
from federated.log.notes import Note, parse_note, read_note, sign
from federated.log.tiles import Tiles, bundled, grown, partial_paths

CHECKPOINT, WITNESSED = "checkpoint", "witnessed"


class Journal:
    """The log in a folder, by whoever holds it alone.

    Attributes:
        origin: which log it is.
        note: its newest checkpoint, with the signatures that there are; None as long as it is empty.
    """

    def __init__(self, folder: Path, origin: str) -> None:
        """Opens it, or begins one.

        Raises:
            ContractError: what is there is another log, or is damaged.
        """
        self.origin, self._folder = origin, folder
        self.note = read_note(folder / CHECKPOINT)
        self._checkpoint = read_checkpoint(self.note, origin) if self.note else Checkpoint(origin, 0, EMPTY_ROOT)
        self.tiles = Tiles(folder, self._checkpoint.size)
        if root(self.size, self.tiles.subtree) != self._checkpoint.root:
            raise ContractError("its tiles are not those of its checkpoint", where=str(folder), cure="take the backup")

    @property
    def checkpoint(self) -> Checkpoint:
        """How far it goes."""
        return self._checkpoint

    @property
    def size(self) -> int:
        """How many entries."""
        return self._checkpoint.size

    def append(self, entries: Sequence[bytes], key: Ed25519PrivateKey) -> range:
        """More entries, under a new checkpoint that the key signs; all of them or none. Their numbers.

        Raises:
            ContractError: an entry is too long.
            ConsiliumError: the folder cannot be written.
        """
        if not entries:
            return range(self.size, self.size)
        files = bundled(self.tiles, entries) | grown(self.tiles, [leaf_hash(entry) for entry in entries])
        for name, data in files.items():
            _make(self._folder / name)
            write_whole(self._folder / name, data)
        numbers = range(self.size, self.size + len(entries))
        tiles = Tiles(self._folder, numbers.stop)
        checkpoint = Checkpoint(self.origin, numbers.stop, root(numbers.stop, tiles.subtree))
        self._write(sign(checkpoint.note(), self.origin, key))
        self.tiles, self._checkpoint = tiles, checkpoint
        self._sweep(files)
        return numbers

    def cosigned(self, note: Note) -> None:
        """A checkpoint of this log with signatures of witnesses: the newest, or a later one than was witnessed before.

        It is kept when the log goes on.

        Raises:
            ContractError: it is none of this log's, or older than the last that was witnessed.
        """
        signed = self._known(note)
        for line in note.lines:
            signed = signed.with_line(line)
        signed = parse_note(signed.to_bytes())  # refused where it could not be read again
        write_whole(self._folder / WITNESSED, signed.to_bytes())
        if self.note is not None and signed.text == self.note.text:
            self._write(signed)

    def _known(self, note: Note) -> Note:
        """The checkpoint of a note, with the signatures that are here."""
        for known in (self.note, self.witnessed):
            if known is not None and known.text == note.text:
                return known
        checkpoint, seen = read_checkpoint(note, self.origin), self.witnessed
        if checkpoint.size > self.size or checkpoint.root != root(checkpoint.size, self.tiles.subtree):
            raise ContractError(f"is no checkpoint of this log, which has {self.size} entries", where=self.origin)
        if seen is not None and checkpoint.size < read_checkpoint(seen, self.origin).size:
            raise ContractError("is older than the last checkpoint that was witnessed", where=self.origin)
        return note

    @property
    def witnessed(self) -> Note | None:
        """The last checkpoint that a witness signed; what was logged since rests on whoever holds the log."""
        return read_note(self._folder / WITNESSED)

    def entries(self, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Some of them, in their order."""
        return self.tiles.entries(begin, end)

    def inclusion(self, number: int) -> list[bytes]:
        """What proves that an entry is in the tree of the newest checkpoint."""
        return inclusion_proof(number, self.size, self.tiles.subtree)

    def consistency(self, old: int) -> list[bytes]:
        """What proves that the first `old` entries are those they were."""
        return consistency_proof(old, self.size, self.tiles.subtree)

    def _write(self, note: Note) -> None:
        write_whole(self._folder / CHECKPOINT, note.to_bytes())
        self.note = note

    def _sweep(self, files: Iterable[str]) -> None:
        """Partial tiles go that are read by neither the newest checkpoint nor the last that was witnessed."""
        seen = self.witnessed
        kept = partial_paths(self.size) | partial_paths(read_checkpoint(seen, self.origin).size if seen else 0)
        for name in files:
            folder = self._folder / f"{name.partition('.p/')[0]}.p"
            for path in folder.glob("*"):
                if path.relative_to(self._folder).as_posix() not in kept:
                    path.unlink()
            if ".p/" not in name:
                shutil.rmtree(folder, ignore_errors=True)


def _make(path: Path) -> None:
    """The folder of a file, and those above it, so that they outlast a power failure."""
    missing = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        sync_folder(folder.parent)
