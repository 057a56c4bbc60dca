"""A folder that fills up patient by patient: every file whole or not there; interrupted work goes on where it stopped.

What a patient adds is noted in `NOTES` once all of its files are there. When every patient has its note, the tables are
written out of the notes, then the digest of everything, and the notes go. Only one patient is in memory at a time.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from deploy.phantom.provenance import NOTICE, PROVENANCE, Provenance, difference, notice, read_provenance
from federated.errors import ConsiliumError
from federated.files import cannot_write, write_whole
from site_agent.progress import track

NOTES = ".unfinished"
OTHER = "choose another folder"


@dataclass(frozen=True)
class File:
    """A file to be written: its path in the folder, and its bytes."""

    path: str
    data: bytes


@dataclass(frozen=True)
class Line:
    """A line of a table that is written when every patient is there."""

    table: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """What one patient adds; `make` computes it, each file when it is asked for."""

    name: str
    make: Callable[[], Iterator[File | Line]]


Lines = Callable[[str], Iterator[list[str]]]


@dataclass(frozen=True)
class Plan:
    """Everything that a folder is to hold.

    Attributes:
        provenance: where it comes from.
        about: what it is, in words.
        parts: every patient, in order; the names differ.
        tables: the files that are made of the lines of all parts, given a table's name.
    """

    provenance: Provenance
    about: str
    parts: Sequence[Part]
    tables: Callable[[Lines], Iterator[File]]


@dataclass(frozen=True)
class Outcome:
    """What was done: files in the folder, parts that were made now, parts that were there before."""

    files: int
    made: int
    found: int


def fill(folder: Path, plan: Plan, processes: int = 1) -> Outcome:
    """Writes everything that the folder still lacks.

    Args:
        folder: empty, missing, or filled in part by the same plan.
        plan: what it is to hold; with several processes its parts travel to them, as pickle takes them.
        processes: how many work at once.

    Raises:
        ConsiliumError: the folder holds something else or has lost files, is being filled by another process, or the
            disk is full.
    """
    with _claimed(folder, plan) as there:
        if there.complete:
            _require_all(folder, there.files or 0)
            return Outcome(there.files or 0, 0, len(plan.parts))
        notes = folder / NOTES
        missing = [part for part in plan.parts if not _note(notes, part).exists()]
        with _at_once(processes) as each:
            for _ in track(each(partial(_make, folder), missing), total=len(missing), what=f"writing {folder}"):
                pass
        return Outcome(_finish(folder, plan), len(missing), len(plan.parts) - len(missing))


@contextmanager
def _at_once(processes: int) -> Iterator[Callable[[Callable[[Part], None], Sequence[Part]], Iterator[None]]]:
    """A map over so many processes; stopped, it begins nothing more and waits for what is being made."""
    if processes < 2:
        yield map
        return
    pool = ProcessPoolExecutor(processes, initializer=_leave_interrupts_to_the_parent)
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def _claimed(folder: Path, plan: Plan) -> Iterator[Provenance]:
    """The folder, ours alone while we write; what it says of itself."""
    there = read_provenance(folder) if folder.is_dir() else None
    if there is None:
        _require_empty(folder)
    elif there_is := difference(there, plan.provenance):
        raise ConsiliumError(f"was made with {there_is}", where=str(folder), cure=OTHER)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        _require_idle(descriptor, folder)
        yield there or _begin(folder, plan)
    finally:
        os.close(descriptor)


def _begin(folder: Path, plan: Plan) -> Provenance:
    write_whole(folder / PROVENANCE, _json(plan.provenance))
    write_whole(folder / NOTICE, notice(plan.provenance, plan.about))
    return plan.provenance


def _require_empty(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConsiliumError("is a file", where=str(folder), cure=OTHER)
    if folder.is_dir() and any(folder.iterdir()):
        raise ConsiliumError("is not empty and holds no phantom", where=str(folder), cure=OTHER)


def _require_all(folder: Path, files: int) -> None:
    """Counts only: what is in them, the digest in `PROVENANCE` tells."""
    found = sum(path.is_file() for path in folder.rglob("*")) - 1  # PROVENANCE does not count itself
    if found < files:
        raise ConsiliumError(f"holds {found} of its {files} files; the others were lost", where=str(folder), cure=OTHER)


def _require_idle(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ConsiliumError("is being filled by another process", where=str(folder), cure="wait for it") from error


def _note(notes: Path, part: Part) -> Path:
    return notes / f"{part.name.replace('/', '+')}.json"


def _make(folder: Path, part: Part) -> None:
    """The part's files, then the note that all of them are there."""
    files, lines = [], []
    for one in part.make():
        if isinstance(one, File):
            files.append([one.path, _write(folder, one)])
        else:
            lines.append([one.table, *one.cells])
    note = json.dumps({"files": files, "lines": lines}).encode()
    _write(folder, File(_note(Path(NOTES), part).as_posix(), note))


def _write(folder: Path, file: File) -> str:
    """The file, in place once it is whole; its digest.

    Not flushed to the disk as the records of a federation are: what a power failure spoils is computed anew.
    """
    path, temporary = folder / file.path, folder / NOTES / f"{secrets.token_hex(8)}.part"
    try:
        temporary.parent.mkdir(exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(file.data)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
    return hashlib.sha256(file.data).hexdigest()


def _finish(folder: Path, plan: Plan) -> int:
    """The tables and the digest; the notes go last. Returns the number of files."""
    notes = folder / NOTES

    def contents() -> Iterator[dict[str, list[list[str]]]]:
        return (json.loads(_note(notes, part).read_bytes()) for part in plan.parts)

    def lines(table: str) -> Iterator[list[str]]:
        return (cells for note in contents() for name, *cells in note["lines"] if name == table)

    digests = {path: digest for note in contents() for path, digest in note["files"]}
    digests |= {file.path: _write(folder, file) for file in plan.tables(lines)}
    digests[NOTICE] = hashlib.sha256((folder / NOTICE).read_bytes()).hexdigest()
    total = hashlib.sha256("".join(f"{digests[path]}  {path}\n" for path in sorted(digests)).encode()).hexdigest()
    done = plan.provenance.model_copy(update={"files": len(digests), "digest": f"sha256:{total}"})
    write_whole(folder / PROVENANCE, _json(done))
    shutil.rmtree(notes)
    return len(digests)


def _json(provenance: Provenance) -> bytes:
    return (provenance.model_dump_json(indent=1) + "\n").encode()
