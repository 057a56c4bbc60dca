"""A few processes that do one thing to many items; one that dies or never ends costs its item, and nothing else.

Decoders are written in C and are given bytes from anywhere: where one of them brings its process down, takes memory
without end or never returns, the item it was at is reported and a new process takes its place.
"""

from __future__ import annotations

import multiprocessing
import resource
import signal
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Generic, TypeVar

from federated.errors import ConsiliumError

Task = TypeVar("Task")
Result = TypeVar("Result")

SECONDS = 120.0  # for one item
MEMORY = 6 * 2**30  # bytes of address space for one process, beside what the program has when it begins
POLL = 0.2
STOPPING = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Lost:
    """An item whose process came to an end: the reason in one line."""

    reason: str


@dataclass(frozen=True)
class _Halt:
    """What ends the work on all items, as a full disk does."""

    error: ConsiliumError


@dataclass
class _Worker(Generic[Task]):
    process: BaseProcess
    pipe: Connection
    task: Task | None = None
    deadline: float = field(default=0.0)


def each(
    work: Callable[[Task], Result], tasks: Iterable[Task], processes: int, seconds: float = SECONDS
) -> Generator[tuple[Task, Result | Lost], None, None]:
    """Every task with its result, as they come; at most one task a process is under way.

    With one process or none all is done here, in order and without protection.

    Raises:
        ConsiliumError: the work raised it: it is not about one item.
    """
    if processes < 2:
        yield from ((task, work(task)) for task in tasks)
        return
    todo = iter(tasks)
    workers: list[_Worker[Task]] = []
    try:
        for _ in range(processes):
            with _undisturbed():
                workers.append(_start(work))
        busy = [worker for worker in workers if _give(worker, todo, seconds)]
        while busy:
            for worker in _ready(busy):
                done = _collect(worker, seconds)
                if not worker.process.is_alive():
                    _end(worker)
                    with _undisturbed():
                        replacement = _start(work)
                        worker.process, worker.pipe = replacement.process, replacement.pipe
                if not _give(worker, todo, seconds):
                    busy.remove(worker)
                yield done  # while it is at the next one
    finally:
        for worker in workers:
            _end(worker)


def _start(work: Callable[[Any], Any]) -> _Worker[Any]:
    context = multiprocessing.get_context("fork")  # nothing to load again
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(work, there, here), daemon=True)
    process.start()
    there.close()
    return _Worker(process, here)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Signals wait until a new process is known here: one that nobody knows would never be ended."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(work: Callable[[Any], Any], pipe: Connection, parents: Connection) -> None:
    parents.close()  # so that the pipe ends when the parent does, however that comes about
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    _limit()
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        try:
            done = work(task)
        except ConsiliumError as error:
            done = _Halt(error)
        except MemoryError:
            done = Lost("needs more memory than is given to one file")
        except Exception as error:  # noqa: BLE001  # one item must not end the work on all others
            done = Lost(f"is not read, by a fault of this program ({type(error).__name__}: {str(error)[:80]})")
        pipe.send(done)


def _limit() -> None:
    """No more memory than is meant, and no picture of the memory where the process is brought down."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = mapped + MEMORY if most == resource.RLIM_INFINITY else min(most, mapped + MEMORY)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _give(worker: _Worker[Any], todo: Iterator[Any], seconds: float) -> bool:
    try:
        worker.task = next(todo)
    except StopIteration:
        return False
    worker.deadline = time.monotonic() + seconds
    with suppress(BrokenPipeError):  # it has ended meanwhile, which is seen when it is asked for its answer
        worker.pipe.send(worker.task)
    return True


def _ready(busy: list[_Worker[Any]]) -> list[_Worker[Any]]:
    """Workers that have an answer, or have ended, or have taken too long."""
    while True:
        spoken = set(map(id, wait([worker.pipe for worker in busy], timeout=POLL)))
        now = time.monotonic()
        found = [worker for worker in busy if id(worker.pipe) in spoken or now > worker.deadline]
        if found:
            return found


def _collect(worker: _Worker[Any], seconds: float) -> tuple[Any, Any]:
    if not worker.pipe.poll():
        worker.process.kill()
        worker.process.join()
        return worker.task, Lost(f"is not read within {seconds:g} seconds")
    try:
        done = worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join()
        return worker.task, Lost("brings the program that reads it to an end")
    if isinstance(done, _Halt):
        raise done.error
    return worker.task, done


def _end(worker: _Worker[Any]) -> None:
    worker.pipe.close()
    if worker.process.is_alive():
        worker.process.terminate()
    worker.process.join()
