"""Times of things that are to be compared, taken in turns, since a machine's speed wanders while one measures."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Run = Callable[[], object]


@dataclass(frozen=True)
class Ratio:
    """How many times as fast one thing is as another: median, least and most of the rounds."""

    median: float
    least: float
    most: float


def in_turns(runs: Mapping[str, Run], rounds: int) -> dict[str, list[float]]:
    """Seconds of every run in every round; forwards and backwards by turns, after one run each that does not count."""
    for run in runs.values():
        run()
    found: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds):
        gc.collect()
        for name in list(runs)[:: -1 if number % 2 else 1]:
            begun = time.perf_counter()
            runs[name]()
            found[name].append(time.perf_counter() - begun)
    return found


def ratio(mine: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Of seconds in the same rounds: how many times as fast mine are."""
    each = np.array(theirs) / np.array(mine)
    return Ratio(float(np.median(each)), float(each.min()), float(each.max()))


def rate(seconds: Sequence[float], items: int) -> float:
    """Items a second, the median of the rounds."""
    return float(items / np.median(seconds))
