"""Registration and reconstruction at the phantom's hospitals: alone, pooled, averaged in rounds, and experts fused.

Cells lie beside the result, each written when it is done, so that a run that was stopped goes on.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks.claims import Measured
from benchmarks.federated_geometry_data import SITES, Counts
from benchmarks.federated_geometry_methods import (
    RECONSTRUCTION,
    REGISTRATION,
    TASKS,
    Case,
    Lesson,
    Setting,
    State,
    alone,
    averaged,
    found,
    joint,
    re_estimated,
    unmoved,
    with_reference,
)
from benchmarks.federated_geometry_report import (
    EQUAL,
    FEDAVG,
    FUSED,
    JOINT,
    RE_ESTIMATED,
    UNMOVED,
    Cell,
    Scores,
    claims,
    of_one_site,
    tables,
)
from benchmarks.incremental.code import ROOT, digest
from benchmarks.kept_cells import claim, kept, side_by_side, whose
from federated.contract import pack_tensors
from site_agent.progress import track

EXPERTS, POOLED, ROUNDS = "experts", "joint", "rounds"
PARTS = (EXPERTS, POOLED, ROUNDS)
QUICK = Setting(
    counts=Counts(1, 1, 1),
    side=32,
    width=2,
    network={"trunk": "test_resnet", "shrink": 32, "bottleneck": 8},
    rounds=dict.fromkeys(TASKS, 1),
    local=1,
    seeds=(1,),
)
FOLDERS = ("shared_models/phantom", "shared_models/registration", "shared_models/reconstruction")
FILES = (
    "benchmarks/registration_scores.py",
    "federated/in_distribution.py",
    "server/averaging.py",
    "shared_models/averaged_networks.py",
    "shared_models/batch_norm_rounds.py",
    "shared_models/image_reference.py",
    "shared_models/reconstruction_expert.py",
    "shared_models/registration_expert.py",
    "shared_models/training.py",
    "site_agent/reconstruction/reconstructor.py",
    "site_agent/registration/registrar.py",
)
TELLING = ("federated_geometry_report.py",)
Job = tuple[int, str, str]  # seed, task, part


@dataclass(frozen=True)
class Contest:
    """What is played, where it is kept, and how many cells at a time."""

    setting: Setting
    folder: Path
    processes: int = 1


def measure(*, quick: bool, seeds: int, file: Path) -> Measured:
    """All seeds; quick is one with a patient of each hospital, and networks that learn next to nothing.

    Raises:
        ConsiliumError: the folder of cells beside the file holds those of another contest.
    """
    contest = small(file) if quick else whole(seeds, file)
    cells = play_all(contest)
    return Measured(rows=tuple(tables(cells)), claims=tuple(claims(cells)), notes=(note(contest.setting),))


def whole(seeds: int, file: Path) -> Contest:
    """For the docs."""
    import torch

    processes = 1 if torch.cuda.is_available() else len(os.sched_getaffinity(0))
    return Contest(replace(Setting(), seeds=tuple(range(1, 1 + seeds))), file.with_suffix(".cells"), processes)


def small(file: Path) -> Contest:
    """Shows that it works."""
    return Contest(QUICK, file.with_suffix(".cells"))


def play_all(contest: Contest) -> list[Cell]:
    """All cells, of which those that are there already are only read.

    Raises:
        ConsiliumError: the folder holds cells of other code or of another setting.
    """
    claim(contest.folder, whose(playing(), contest.setting))
    jobs = [(seed, task, part) for seed in contest.setting.seeds for task in TASKS for part in PARTS]
    with side_by_side(contest.processes) as run:
        return list(track(run(partial(cell, contest), jobs), total=len(jobs), what="federated geometry"))


def cell(contest: Contest, job: Job) -> Cell:
    """One, played if it is not there."""
    seed, task, part = job
    path = contest.folder / "cells" / task / f"{part}-{seed}.json"
    said = kept(path, lambda: asdict(_played(contest.setting, job)))
    scores = {method: [Scores(**one) for one in each] for method, each in said["scores"].items()}
    return Cell(**{**said, "scores": scores})


def _played(setting: Setting, job: Job) -> Cell:
    import torch

    torch.set_num_threads(1)
    seed, task, part = job
    lesson, began = Lesson(task, setting, seed), time.monotonic()
    play = {EXPERTS: _experts, POOLED: _pooled, ROUNDS: _rounds}[part]
    scores, state = play(lesson)
    rounds = lesson.rounds if part == ROUNDS else 0
    size = len(pack_tensors(state)[0])
    return Cell(task, part, seed, rounds, size, time.monotonic() - began, scores)


Played = tuple[dict[str, list[Scores]], State]


def _experts(lesson: Lesson) -> Played:
    plain = {site: alone(lesson, site) for site in SITES}
    known = {site: with_reference(lesson, site, state) for site, state in plain.items()}
    asked = lesson.asked()
    panels = {of_one_site(site): {site: state} for site, state in plain.items()} | {EQUAL: plain, FUSED: known}
    scores = {method: _scores(asked, found(lesson, states, asked)) for method, states in panels.items()}
    if lesson.task == REGISTRATION:
        scores[UNMOVED] = _scores(asked, unmoved(lesson))
    return scores, known[SITES[0]]


def _pooled(lesson: Lesson) -> Played:
    state, asked = joint(lesson), lesson.asked()
    return {JOINT: _scores(asked, found(lesson, {JOINT: state}, asked))}, state


def _rounds(lesson: Lesson) -> Played:
    state, asked = averaged(lesson), lesson.asked()
    scores = {FEDAVG: _scores(asked, found(lesson, {FEDAVG: state}, asked))}
    if lesson.task == RECONSTRUCTION:
        scores[RE_ESTIMATED] = _by_hospital(lesson, {site: re_estimated(lesson, site, state) for site in SITES})
    return scores, state


def _by_hospital(lesson: Lesson, states: Mapping[str, State]) -> list[Scores]:
    """Every hospital's patients by its own state."""
    asked = {site: [case for case in lesson.asked() if case.site == site] for site in states}
    return [
        one for site, state in states.items() for one in _scores(asked[site], found(lesson, {site: state}, asked[site]))
    ]


def _scores(asked: Sequence[Case], values: Sequence[list[float]]) -> list[Scores]:
    return [Scores(case.site, case.patient, each) for case, each in zip(asked, values, strict=True)]


def playing() -> str:
    """Digest of the code that plays."""
    own = sorted((ROOT / "benchmarks").glob("federated_geometry*.py"))
    models = [path for name in FOLDERS for path in sorted((ROOT / name).rglob("*.py"))]
    others = [ROOT / name for name in FILES]
    return digest(ROOT, [path for path in (*own, *models, *others) if path.name not in TELLING])


def note(setting: Setting) -> str:
    """What a reader has to know."""
    counts, passes = setting.counts, {task: setting.rounds[task] * setting.local for task in TASKS}
    pairs, shown = 4 * counts.train * passes[REGISTRATION], 2 * counts.train * passes[RECONSTRUCTION]
    return (
        f"Phantom hospitals {', '.join(SITES)}, each with machines and patients of its own, simulated. "
        f"{len(setting.seeds)} seeds; in each and at each hospital {counts.train} patients to learn from, "
        f"{counts.calibration} who calibrate its expert and {counts.test} held back, in the views A4C and A2C; nobody "
        "is in two parts. Every method is judged on those held back at all hospitals. Brackets hold 95 % intervals, "
        "patients drawn with replacement within their hospitals. Everyone begins with the same weights and has the "
        "recipe of rounds, and the last weights are kept. The budget is one for all: a hospital alone, the pooled "
        f"network and each hospital over all its rounds see {pairs:,} pairs of frames or {shown:,} hearts, so that "
        "the rounds take as many steps one after the other, though each of the hospitals takes its own. "
        f"Registration is of {setting.side} pixels a side, end-systole to end-diastole; reconstruction of the heart's "
        f"walls in {setting.edge} voxels a side from two pictures as the hospital's machine shows them. Averaged and "
        "re-estimated batch norms are of the same rounds: training reads no running statistics. Re-estimated ones "
        "are taken from the hearts that the patient's hospital learns from. Bytes are those of packed states, without "
        "envelopes; a site is sent the global model once more after the last round."
    )
