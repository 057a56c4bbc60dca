"""All cells of a contest: each is written when it is done, and a contest that was stopped goes on where it was."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache, lru_cache, partial
from pathlib import Path

from threadpoolctl import threadpool_limits

from benchmarks.incremental.answers import Answers, read_answers, write_answers
from benchmarks.incremental.cell import Cell, plain, play
from benchmarks.incremental.contestant import Start
from benchmarks.incremental.contestants import CONTESTANTS
from benchmarks.incremental.frozen import read_suite, write_suite
from benchmarks.incremental.removal import REMOVED, Removals, read_removals, removals, write_removals
from benchmarks.incremental.suite import Preset, Suite
from benchmarks.incremental.suites import SUITES
from federated.errors import ConsiliumError
from federated.files import write_whole
from site_agent.progress import track

ABOUT = "contest.json"


@dataclass(frozen=True)
class Contest:
    """What is played, and where it is written.

    Attributes:
        suite, name, preset: of the suite, and of the preset with what it says.
        seeds: of the draws; orders but the usual one are played on the first.
        contestants: names.
        in_any_order: those of them that play further orders as well.
        code: digest of what plays; cells of another one are not mixed with these.
        folder: of cells, drawn suites, and what contestants keep.
    """

    suite: str
    name: str
    preset: Preset
    seeds: Sequence[int]
    contestants: Sequence[str]
    in_any_order: Sequence[str]
    code: str
    folder: Path

    def cells(self, orders: int) -> list[Cell]:
        """Every cell, seed by seed."""
        return [
            Cell(self.suite, self.name, seed, order, contestant)
            for seed in self.seeds
            for order in range(orders if seed == self.seeds[0] else 1)
            for contestant in (self.in_any_order if order else self.contestants)
        ]

    def drawn(self, seed: int) -> Path:
        """The file of a seed's suite."""
        return self.folder / f"suite-{seed}.npz"


def play_all(contest: Contest) -> list[Answers]:
    """Answers of all cells, of which those that are there already are only read.

    Raises:
        ConsiliumError: the folder holds cells of other code or of another setting.
    """
    claim_folder(contest)
    with _workers(contest.preset) as run:
        for _ in track(run(partial(_draw, contest), contest.seeds), total=len(contest.seeds), what="draws"):
            pass
        orders = len(_suite(contest.drawn(contest.seeds[0])).orders)
        cells = contest.cells(min(orders, contest.preset.orders))
        played = run(partial(_play, contest), cells)
        return list(track(played, total=len(cells), what=f"cells of {contest.suite}"))


def play_removals(contest: Contest) -> dict[str, Removals]:
    """What leaving each site out does to those that display contributions, on the first seed in the usual order."""
    with _workers(contest.preset) as run:
        played = run(partial(_remove, contest), REMOVED)
        return dict(zip(REMOVED, track(played, total=len(REMOVED), what="sites left out"), strict=True))


def claim_folder(contest: Contest) -> None:
    """Writes down whose cells a folder holds, and refuses one that holds others'.

    Raises:
        ConsiliumError: other code, or another setting.
    """
    path = contest.folder / ABOUT
    mine = {"code": contest.code, "suite": contest.suite, "preset": contest.name, **asdict(contest.preset)}
    if not path.is_file():
        contest.folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(mine, indent=1).encode() + b"\n")
        return
    theirs = json.loads(path.read_text(encoding="utf-8"))
    other = [
        f"{key} {_shown(theirs.get(key))}, not {_shown(mine[key])}" for key in mine if theirs.get(key) != mine[key]
    ]
    if other:
        cure = "another --json FILE, or remove the folder"
        raise ConsiliumError(f"holds cells of {'; '.join(other)}", where=str(contest.folder), cure=cure)


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@contextmanager
def _workers(preset: Preset) -> Iterator[type[map]]:
    """As many processes as the preset allows, or none beside this one."""
    count = min(preset.setting.processes, len(os.sched_getaffinity(0)))
    if count < 2:
        yield map
        return
    with ProcessPoolExecutor(count) as pool:
        try:
            yield pool.map  # type: ignore[misc]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _draw(contest: Contest, seed: int) -> None:
    path = contest.drawn(seed)
    if not path.is_file():
        write_suite(path, SUITES[contest.suite](seed, contest.preset))


@lru_cache(maxsize=1)
def _suite(path: Path) -> Suite:
    return read_suite(path)


@cache
def _warmed_up() -> None:
    """What torch loads for its first optimiser is loaded before a clock runs."""
    import torch

    torch.optim.Adam([torch.zeros(1, requires_grad=True)])


def _start(contest: Contest, seed: int) -> Start:
    suite = _suite(contest.drawn(seed))
    kept = contest.folder / f"kept-{seed}"
    return Start(suite.vocabulary, suite.front_end, contest.preset.setting, seed, kept)


@threadpool_limits.wrap(1)
def _remove(contest: Contest, name: str) -> Removals:
    path = contest.folder / "removals" / plain(name)
    if not path.is_file():
        seed = contest.seeds[0]
        write_removals(path, removals(name, _suite(contest.drawn(seed)), _start(contest, seed)))
    return read_removals(path)


@threadpool_limits.wrap(1)
def _play(contest: Contest, cell: Cell) -> Answers:
    path = contest.folder / "cells" / cell.file
    if not path.is_file():
        _warmed_up()
        contestant = CONTESTANTS[cell.contestant](_start(contest, cell.seed))
        write_answers(path, play(cell, _suite(contest.drawn(cell.seed)), contestant))
    return read_answers(path)
