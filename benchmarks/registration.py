"""Registration: Fourier-Net against what a user would pick, on hippocampi, known warps, beating hearts and brains.

Every method starts from the same affine alignment. Networks learn from the same pairs for as many steps, but for those
whose names say more, and everything that can be set is chosen on patients that are asked about nowhere. Beside the
result lies a folder of cells, from which a run that was stopped goes on.
"""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.claims import Measured
from benchmarks.registration_cells import Contest, costs, play_all
from benchmarks.registration_learned import VOXELMORPH
from benchmarks.registration_peers import CLASSICAL, DEMONS, NETWORKS
from benchmarks.registration_pictures import draw_all
from benchmarks.registration_problems import PHANTOM, PROBLEMS, Setting
from benchmarks.registration_report import by_set, claims, rows

ROUNDS, EDGE = 5, 128  # of costs, in each of two visits; of the phantom pair whose cost is measured
QUICK = Setting(
    learnt=4,
    checked=2,
    asked=2,
    held=2,
    hearts=(2, 1, 2),
    edge=32,
    steps=2,
    tried=1,
    precision="float32",
    seeds=(1,),
    few=1,
    images=4,
)
QUICK_METHODS = (DEMONS, VOXELMORPH, "Fourier-Net", "Diff-Fourier-Net+")


def measure(*, quick: bool, seeds: int, file: Path) -> Measured:
    """All problems; cells and pictures lie beside the file.

    Raises:
        ConsiliumError: the folder holds cells of another contest.
    """
    contest = small(file) if quick else whole(seeds, file)
    cells = play_all(contest)
    spent = costs(contest) if contest.rounds else {}
    sets = by_set(cells)
    draw_all(contest, sets, spent, file)
    return Measured(
        rows=tuple(rows(sets, cells, spent)), claims=tuple(claims(sets, spent)), notes=(note(contest.setting),)
    )


def whole(seeds: int, file: Path) -> Contest:
    """For the docs."""
    methods, cores = (*CLASSICAL, *NETWORKS), len(os.sched_getaffinity(0))
    setting = Setting(seeds=tuple(range(1, 1 + seeds)))
    return Contest(setting, PROBLEMS, methods, file.with_suffix(".cells"), ROUNDS, EDGE, processes=cores)


def small(file: Path) -> Contest:
    """Shows that it works, without fresh processes."""
    return Contest(QUICK, (PHANTOM,), QUICK_METHODS, file.with_suffix(".cells"), 0, QUICK.edge, few_choices=1)


def note(setting: Setting) -> str:
    """What a reader has to know."""
    return (
        f"{setting.learnt} pairs of hippocampi to learn from and {setting.checked} to choose on, of other patients; "
        f"{setting.hearts[0]} and {setting.hearts[1]} phantom hearts likewise; {len(setting.seeds)} seeds of "
        f"{setting.steps:,} steps, or as often as a name says. Products are of {setting.precision} in learning "
        "and of float32 when networks are asked. Dice is of labels, each warped linearly with the alignment and "
        "the field in one step; brackets hold 95 % intervals, patients drawn with replacement. Folds are voxels whose "
        "Jacobian determinant, by central differences, is 0 or less. Band-limited warps favour Fourier-Net by "
        "construction. A pair's cost is that of a process of its own with one thread, from arrays to a field; memory "
        "is what the process holds above what it held when the method was loaded. Two processes measure each for "
        f"{ROUNDS} rounds after a first, or until a minute has gone; what takes over 20 seconds is measured once in "
        "each, over a minute in one. Of ANTs, time includes the files that it writes. Multiply-adds leave out Fourier "
        "transforms and warps."
    )
