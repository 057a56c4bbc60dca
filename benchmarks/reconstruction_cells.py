"""The contest of reconstruction cell by cell: each is written when it is done, and a run that was stopped goes on.

A cell is a target, a method, a number of views and a seed. After all of them comes what a heart costs.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from benchmarks.incremental.code import ROOT, digest
from benchmarks.kept_cells import claim, kept, side_by_side, whose
from benchmarks.reconstruction_cost import Cost, in_process
from benchmarks.reconstruction_hearts import split
from benchmarks.reconstruction_methods import LONGER, UNFUSED, learnt, methods, seen
from benchmarks.reconstruction_scores import Scores
from benchmarks.reconstruction_settings import TARGETS, VENTRICLE, VIEWS, Setting
from shared_models.reconstruction.shape_examples import Target
from site_agent.progress import track

TELLING = tuple(f"reconstruction{name}.py" for name in ("", "_report", "_found", "_pictures", "_shifts"))


@dataclass(frozen=True)
class Contest:
    """What is played, and where it is written.

    Attributes:
        preset: name of the setting.
        setting: how large.
        folder: of everything that is kept.
        rounds: of a cost; none without costs.
        processes: that play at the same time; costs are measured alone.
    """

    preset: str
    setting: Setting
    folder: Path
    rounds: int
    processes: int = 1


@dataclass(frozen=True)
class Cell:
    """What a method came to.

    Attributes:
        target, method: names.
        views: how many.
        seed: of its learning and its patients.
        learnt_seconds: of a processor that its learning took.
        chosen: settings by name.
        scores: of every heart that was asked about, in the order that all cells of a seed have.
    """

    target: Target
    method: str
    views: int
    seed: int
    learnt_seconds: float
    chosen: dict[str, float]
    scores: list[Scores]


Job = tuple[int, Target, str, int]  # seed, target, method, views
Costs = dict[tuple[str, int], Cost]  # method, views


def jobs(setting: Setting) -> list[Job]:
    """All cells, seed by seed."""
    return [
        (seed, target, method, views)
        for seed in setting.seeds
        for target in TARGETS
        for method in methods(target)
        for views in _views(setting, method).get(target, ())
    ]


def _views(setting: Setting, method: str) -> Mapping[Target, tuple[int, ...]]:
    return {UNFUSED: setting.unfused, LONGER: setting.longer}.get(method, setting.views)


def play_all(contest: Contest) -> list[Cell]:
    """All cells, of which those that are there already are only read.

    Raises:
        ConsiliumError: the folder holds cells of other code or of another setting.
    """
    claim(contest.folder, whose(playing(), contest.setting))
    given = jobs(contest.setting)
    if any(not _path(contest, job).is_file() for job in given):
        for seed in contest.setting.seeds:
            split(contest.setting, seed, contest.folder / "hearts")  # are kept before processes share them
    slowest_last = sorted(given, key=lambda job: job[2] in (UNFUSED, LONGER))
    with side_by_side(contest.processes) as run:
        played = run(partial(cell, contest), slowest_last)
        found = dict(zip(slowest_last, track(played, total=len(given), what="reconstruction"), strict=True))
    return [found[job] for job in given]


def cell(contest: Contest, job: Job) -> Cell:
    """One, played if it is not there."""
    said = kept(_path(contest, job), lambda: asdict(_played(contest, job)))
    shutil.rmtree(_course(contest, job), ignore_errors=True)
    return Cell(**{**said, "scores": [Scores(**one) for one in said["scores"]]})


def _path(contest: Contest, job: Job) -> Path:
    seed, target, method, views = job
    return contest.folder / "cells" / target / f"{method}-{views}-{seed}.json"


def _course(contest: Contest, job: Job) -> Path:
    """Folder of a network that has not learnt all yet."""
    seed, target, method, views = job
    return contest.folder / "courses" / target / f"{method}-{views}-{seed}"


def _played(contest: Contest, job: Job) -> Cell:
    import torch

    torch.set_num_threads(1)
    seed, target, method, views = job
    given = split(contest.setting, seed, contest.folder / "hearts")
    ready = learnt(method, contest.setting, views, target, given, seed, _course(contest, job))
    found = [ready.judged(one) for one in seen(given.asked, views, target)]
    return Cell(target, method, views, seed, ready.seconds, dict(ready.chosen), found)


def costs(contest: Contest) -> Costs:
    """What each method costs with each number of views, in processes of their own, one after the other."""
    asked = [(method, views) for method in methods(VENTRICLE) if method != LONGER for views in VIEWS]
    found: Costs = {}
    for method, views in track(asked, total=len(asked), what="cost"):
        path = contest.folder / "costs" / f"{method}-{views}.json"
        said = kept(path, lambda: asdict(in_process(contest.preset, method, views, contest.rounds)))  # noqa: B023
        found[method, views] = Cost(**said)
    return found


def playing() -> str:
    """Digest of the code that plays."""
    benchmarks = [*sorted((ROOT / "benchmarks").glob("reconstruction*.py")), ROOT / "benchmarks" / "peak_memory.py"]
    models = [path for name in ("reconstruction", "phantom") for path in (ROOT / "shared_models" / name).rglob("*.py")]
    return digest(ROOT, [path for path in (*benchmarks, *sorted(models)) if path.name not in TELLING])
