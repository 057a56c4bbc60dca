"""The heart in 3D from a few views: networks of named views against what one would take instead, on phantom hearts.

The whole heart's walls are sought, as published, and the left ventricle's blood, since walls have no volume to tell.
All planes are off by a rigid pose and each by an operator's hand. Beside the result lies a folder of cells, from which
a run that was stopped goes on.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from benchmarks.claims import Measured
from benchmarks.reconstruction_cells import Contest, costs, play_all
from benchmarks.reconstruction_found import by_views
from benchmarks.reconstruction_pictures import draw
from benchmarks.reconstruction_report import claims, rows
from benchmarks.reconstruction_settings import PRESETS, QUICK, Setting
from benchmarks.reconstruction_shifts import rows as shifted
from federated.errors import ConsiliumError

ROUNDS = 10


def measure(*, quick: bool, preset: str, seeds: int, file: Path) -> Measured:
    """One preset; cells and a picture lie beside the file.

    Raises:
        ConsiliumError: there is no such preset, or the folder holds cells of another contest.
    """
    contest = small(file) if quick else whole(preset, seeds, file)
    found = by_views(play_all(contest))
    spent = costs(contest) if contest.rounds else {}
    draw(found, file)
    setting = contest.setting
    return Measured(
        rows=(*rows(found, spent), *shifted()), claims=tuple(claims(found, spent, setting.edge)), notes=(note(setting),)
    )


def whole(preset: str, seeds: int, file: Path) -> Contest:
    """For the docs.

    Raises:
        ConsiliumError: there is no such preset.
    """
    if preset not in PRESETS:
        raise ConsiliumError(f"there is no preset '{preset}'", cure=f"take one of {', '.join(PRESETS)}")
    import torch

    processes = 1 if torch.cuda.is_available() else len(os.sched_getaffinity(0))
    setting = replace(PRESETS[preset], seeds=tuple(range(1, 1 + seeds)))
    return Contest(preset, setting, file.with_suffix(".cells"), ROUNDS, processes)


def small(file: Path) -> Contest:
    """Shows that it works, without fresh processes."""
    return Contest("quick", QUICK, file.with_suffix(".cells"), 0)


def note(setting: Setting) -> str:
    """What a reader has to know."""
    return (
        f"Phantom hearts at both ends of the beat, as {setting.edge} voxels a side. {len(setting.seeds)} seeds, each "
        f"with patients of its own: {setting.learnt} to learn from, {setting.checked} on whom the shape model's modes "
        f"and prior are chosen, {setting.asked} who are asked about. Every network sees {setting.visits:,} hearts "
        f"while it learns, {setting.times} times as many where it is said to learn longer, with the same recipe; its "
        "last weights are kept. Brackets hold 95 % intervals, patients "
        "drawn with replacement. Peak IoU is the best over thresholds of the mean over hearts. Where nothing is found, "
        "the distance is the cube's edge. Networks of views see pictures alone. The completion and the shape model are "
        "told where each pixel lies, although planes are off; the shape model of the ventricle and the discs are given "
        "the ventricle's true outline in every view: all of that favours them. Discs without an outline answer the "
        "mean volume of hearts to learn from. Seconds are of one heart with one "
        "thread, from pictures to a volume; memory is that of a training step, in a process of its own, above what it "
        "held before. Activations kept for gradients are counted, on networks that compute nothing. Volume errors are "
        "means of absolute errors, against the phantom's exact volume, voxels and all."
    )
