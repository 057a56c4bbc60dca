"""The contest on one suite, as ``python -m benchmarks incremental`` plays it, or goes on playing it."""

from __future__ import annotations

from pathlib import Path

from benchmarks.claims import Measured
from benchmarks.incremental.cells import Contest, play_all, play_removals
from benchmarks.incremental.code import playing
from benchmarks.incremental.contestants import CONTESTANTS, IN_ANY_ORDER, OF_FEATURES
from benchmarks.incremental.plots import draw_all
from benchmarks.incremental.questions import usual
from benchmarks.incremental.report import summarise
from benchmarks.incremental.suites import PRESETS, QUICK, SUITES, WITHOUT_IMAGES
from federated.errors import ConsiliumError

FIRST_SEED = 1993  # of the order of classes in published comparisons of incremental learning
QUICK_SEEDS = 2


def measure(*, quick: bool, suite: str, preset: str, seeds: int, file: Path) -> Measured:
    """The contest on one suite; pictures and cells lie beside the file, and a stopped run goes on from there.

    Raises:
        ConsiliumError: there is no such suite or preset, or the folder holds cells of another contest.
    """
    for name, known, option in ((suite, SUITES, "--suite"), (preset, PRESETS, "--preset")):
        if name not in known:
            raise ConsiliumError(f"'{name}' is none of {', '.join(known)}", where=option)
    if seeds < 1:
        raise ConsiliumError(f"{seeds} is not 1 or more", where="--seeds")
    chosen = QUICK if quick else PRESETS[preset]
    contest = Contest(
        suite=suite,
        name=f"{preset}, quick" if quick else preset,
        preset=chosen,
        seeds=range(FIRST_SEED, FIRST_SEED + (min(seeds, QUICK_SEEDS) if quick else seeds)),
        contestants=tuple(OF_FEATURES if suite in WITHOUT_IMAGES else CONTESTANTS),
        in_any_order=tuple(OF_FEATURES if suite in WITHOUT_IMAGES else IN_ANY_ORDER),
        code=playing(),
        folder=file.with_suffix(".cells"),
    )
    answers, removed = play_all(contest), play_removals(contest)
    draw_all(suite, usual(answers), removed, file)
    return summarise(suite, contest.name, answers, removed)
