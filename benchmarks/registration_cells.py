"""The contest of registration cell by cell: each is written when it is done, and a run that was stopped goes on.

A cell is a method on a problem with a seed; of methods that learn nothing, which take long, every pair is written.
Before cells come the choices of settings, one file for each setting that was tried, and after them what a pair costs.
Methods that learn nothing have one seed.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.incremental.code import ROOT, digest
from benchmarks.kept_cells import claim, kept, side_by_side, whose
from benchmarks.registration_cost import Cost, in_process, joined, write_pair
from benchmarks.registration_learning import Course
from benchmarks.registration_peers import (
    AFFINE,
    CLASSICAL,
    IDENTITY,
    NETWORKS,
    Field,
    checked,
    first_tries,
    further_tries,
    last_tries,
    ready,
    still,
)
from benchmarks.registration_problems import HIPPOCAMPUS, PHANTOM, PHANTOM_SEED, Problem, Setting, problem
from benchmarks.registration_scores import (
    Floats,
    correlation,
    dice,
    endpoint_error_mm,
    folded_percent,
    moved,
    moved_labels,
)
from benchmarks.registration_starts import Started
from shared_models.phantom.patients import draw_patient
from shared_models.registration.pairs import volume_pair
from site_agent.progress import track

TELLING = ("registration.py", "registration_report.py", "registration_pictures.py")  # of cells, which stay as they are
VISITS = 2  # processes in which each cost is measured
PAIRS = {HIPPOCAMPUS: "hippocampus", PHANTOM: "phantom"}  # problems to whose choices a cost belongs


@dataclass(frozen=True)
class Contest:
    """What is played, and where it is written.

    Attributes:
        setting: how large.
        problems: names.
        methods: names of those with settings to choose.
        folder: of everything that is kept.
        rounds: of a cost in each visit; none without costs.
        cost_edge: voxels a side of the phantom pair whose cost is measured.
        few_choices: settings tried of each method at most; None for all.
        processes: that play at the same time; costs are measured alone.
    """

    setting: Setting
    problems: Sequence[str]
    methods: Sequence[str]
    folder: Path
    rounds: int
    cost_edge: int
    few_choices: int | None = None
    processes: int = 1


@dataclass(frozen=True)
class Scores:
    """Of one pair; None where the truth is not known.

    Attributes:
        patients: whose images.
        dice: by label.
        error_mm: mean distance of end points.
        folded: percent of voxels.
        correlation: of the images.
    """

    patients: tuple[str, ...]
    dice: list[float] | None
    error_mm: float | None
    folded: float
    correlation: float


@dataclass(frozen=True)
class Cell:
    """What a method came to.

    Attributes:
        problem, method: names.
        seed: of its learning.
        choice: number of its settings.
        agreement: of the choice, on the pairs for choosing.
        learnt_seconds: of a processor that its learning took.
        scores: by name of the set of pairs.
    """

    problem: str
    method: str
    seed: int
    choice: int
    agreement: float
    learnt_seconds: float
    scores: dict[str, list[Scores]]


Costs = dict[str, dict[str, Cost]]  # pair -> method


def play_all(contest: Contest) -> list[Cell]:
    """All cells, of which those that are there already are only read.

    Raises:
        ConsiliumError: the folder holds cells of other code or of another setting.
    """
    claim(contest.folder, {**whose(playing(), contest.setting), "edge of costs": contest.cost_edge})
    for name in contest.problems:
        problem(name, contest.setting, contest.folder)  # alignments are kept before processes share them
    jobs = [(name, method) for name in contest.problems for method in _methods(contest, name)]
    with side_by_side(contest.processes) as run:
        played = run(partial(_seeds, contest), jobs)
        return [one for each in track(played, total=len(jobs), what="registration") for one in each]


def _methods(contest: Contest, name: str) -> list[str]:
    """Of a problem: networks only where there is something to learn from."""
    given = [IDENTITY, AFFINE, *contest.methods]
    return [method for method in given if name in PAIRS or method not in NETWORKS]


def _seeds(contest: Contest, job: tuple[str, str]) -> list[Cell]:
    name, method = job
    count = len(contest.setting.seeds) if method in NETWORKS else 1
    return [cell(contest, name, method, number) for number in range(count)]


def cell(contest: Contest, name: str, method: str, number: int) -> Cell:
    """One, played if it is not there."""
    path = contest.folder / "cells" / name / f"{method}-{number}.json"
    one_thread()
    found = read_cell(kept(path, lambda: asdict(_played(contest, name, method, number))))
    shutil.rmtree(_begun(contest, name, method), ignore_errors=True)
    return found


def _begun(contest: Contest, name: str, method: str) -> Path:
    """Folder of the pairs of a cell that is not done yet."""
    return contest.folder / "begun" / name / method


def one_thread() -> None:
    """Of everything in this process."""
    import torch

    torch.set_num_threads(1)


def read_cell(said: dict[str, Any]) -> Cell:
    """As it was written."""
    scores = {key: [_read_scores(one) for one in each] for key, each in said["scores"].items()}
    return Cell(**{**said, "scores": scores})


def _read_scores(said: dict[str, Any]) -> Scores:
    return Scores(**{**said, "patients": tuple(said["patients"])})


def _played(contest: Contest, name: str, method: str, number: int) -> Cell:
    given, setting = problem(name, contest.setting, contest.folder), contest.setting
    if method in (IDENTITY, AFFINE):
        return Cell(name, method, number, 0, 0.0, 0.0, _scores(given, None if method == IDENTITY else still))
    choice, good = chosen(contest, name, method)
    course = Course(setting.steps, setting.seeds[number], setting.precision)
    solver = ready(method, choice, given, course, _learnt(contest, name, method, choice, number))
    if method in CLASSICAL:
        scores = _kept_scores(given, solver.field, _begun(contest, name, method))
    else:
        scores = _scores(given, solver.field)
    return Cell(name, method, number, choice, good, solver.seconds, scores)


def _learnt(contest: Contest, name: str, method: str, choice: int, number: int) -> Path:
    """Folder of a network's whole course with the settings of a choice and a seed, by number."""
    return contest.folder / "learnt" / name / f"{method}-{choice}-{number}"


def _scores(given: Problem, field: Field | None) -> dict[str, list[Scores]]:
    return {key: [_of(one, field, given.labels) for one in asked] for key, asked in given.asked.items()}


def _kept_scores(given: Problem, field: Field, folder: Path) -> dict[str, list[Scores]]:
    """The same, each pair's kept in a folder at once."""

    def of(key: str, place: int, one: Started) -> Scores:
        path = folder / f"{key}-{place}.json"
        return _read_scores(kept(path, lambda: asdict(_of(one, field, given.labels))))

    return {key: [of(key, place, one) for place, one in enumerate(asked)] for key, asked in given.asked.items()}


def _of(one: Started, field: Field | None, labels: Sequence[int]) -> Scores:
    """Of what finds a field after the start; None is no movement at all."""
    pair = one.pair
    whole = still(pair.moving, pair.fixed) if field is None else one.whole(field(one.moving, one.fixed))
    overlap = None
    if labels and pair.moving_labels is not None and pair.fixed_labels is not None:
        overlap = dice(moved_labels(pair.moving_labels, whole, labels), pair.fixed_labels, labels).tolist()
    error = None
    if pair.displacement is not None:
        error = endpoint_error_mm(whole, pair.displacement, pair.spacing_mm, pair.valid)
    folded = folded_percent(whole)
    return Scores(one.patients, overlap, error, folded, correlation(moved(pair.moving, whole), pair.fixed))


def chosen(contest: Contest, name: str, method: str) -> tuple[int, float]:
    """The number of the best settings of a method on a problem, and how good it is."""
    found = {number: _tried(contest, name, method, number) for number in first_tries(method)[: contest.few_choices]}
    if contest.few_choices is None:
        further = further_tries(method, max(found, key=found.__getitem__))
        found |= {number: _tried(contest, name, method, number) for number in further}
        last = last_tries(method, max(found, key=found.__getitem__))
        found = {number: _tried(contest, name, method, number, whole=True) for number in last} or found
    best = max(found, key=found.__getitem__)
    return best, found[best]


def _tried(contest: Contest, name: str, method: str, number: int, *, whole: bool = False) -> float:
    setting = contest.setting

    def tried() -> float:
        steps = setting.steps if whole else setting.tried
        folder = _learnt(contest, name, method, number, 0) if whole else None
        return checked(method, number, problem(name, setting, contest.folder), setting, steps, folder)

    file = f"{method}-{number}{'-whole' if whole else ''}.json"
    return float(kept(contest.folder / "choices" / name / file, tried))


def costs(contest: Contest) -> Costs:
    """What a pair of each size costs each method, with the settings chosen; measured forwards, then backwards."""
    found: Costs = {}
    for name in (one for one in PAIRS if one in contest.problems):
        pair = contest.folder / "pairs" / f"{PAIRS[name]}.npz"
        if not pair.is_file():
            write_pair(pair, *_asked_of_all(contest, name))
        key = f"{name}, {'x'.join(map(str, _shape(pair)))}"
        visits: dict[str, list[Cost]] = {method: [] for method in contest.methods}
        for visit in range(VISITS):
            again = [method for method, each in visits.items() if not each or not each[0].once_is_enough]
            for method in track(again[:: -1 if visit else 1], total=len(again), what=f"cost, {key}"):
                path = contest.folder / "costs" / PAIRS[name] / f"{method}-{visit}.json"
                visits[method].append(_cost(contest, name, method, pair, path))
        found[key] = {method: joined(each) for method, each in visits.items()}
    return found


def _cost(contest: Contest, name: str, method: str, pair: Path, path: Path) -> Cost:
    choice = chosen(contest, name, method)[0]
    return Cost(**kept(path, lambda: asdict(in_process(method, choice, pair, contest.rounds))))


def _asked_of_all(contest: Contest, name: str) -> tuple[Floats, Floats]:
    if name == HIPPOCAMPUS:
        one = problem(name, contest.setting, contest.folder).asked[name][0]
        return one.moving, one.fixed
    pair = volume_pair(draw_patient(PHANTOM_SEED), contest.cost_edge, "speckle")
    return pair.moving, pair.fixed


def _shape(pair: Path) -> tuple[int, ...]:
    with np.load(pair) as held:
        return tuple(held["fixed"].shape)


def playing() -> str:
    """Digest of the code that plays."""
    benchmarks = [*sorted((ROOT / "benchmarks").glob("registration*.py")), ROOT / "benchmarks" / "peak_memory.py"]
    models = sorted((ROOT / "shared_models" / "registration").rglob("*.py"))
    return digest(ROOT, [path for path in (*benchmarks, *models) if path.name not in TELLING])
