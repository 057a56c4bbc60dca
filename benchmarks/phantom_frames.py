"""Phantom frames to learn view families from: many patients, views, machines and phases, as a classifier sees them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.phantom_gallery import FAMILIES
from benchmarks.phantom_sector import prepared
from site_agent.progress import track

Draw = Callable[[str, int], NDArray[np.uint8]]  # a view's name and a seed to a grey image
CHUNK = 50


@dataclass(frozen=True)
class Squares:
    """Prepared frames and what they show.

    Attributes:
        images: (N, S, S) uint8.
        labels: (N,) numbers in `FAMILIES`.
        views: of each frame, by name.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    views: tuple[str, ...]


def views_of_families() -> Mapping[str, Sequence[str]]:
    """The phantom's views of each family; those of other families are not learnt."""
    from shared_models.phantom.views import VIEWS

    return {family: [view.name for view in VIEWS.values() if view.family == family] for family in FAMILIES}


def phantom_squares(count: int, *, first_seed: int, draw: Draw | None = None) -> Squares:
    """Prepared frames, families in turn and the views of a family in turn; every frame is of a patient of its own.

    Args:
        count: of frames.
        first_seed: frame i is drawn from seed `first_seed` + i.
        draw: what draws a frame; the phantom unless said otherwise.
    """
    plan = _plan(count)
    parts = [(first_seed + begin, plan[begin : begin + CHUNK]) for begin in range(0, count, CHUNK)]
    with ProcessPoolExecutor(min(len(os.sched_getaffinity(0)), len(parts))) as pool:
        done = track(pool.map(partial(_part, draw or phantom_image), parts), total=len(parts), what="phantom frames")
        images = np.concatenate(list(done))
    return Squares(images, np.arange(count) % len(FAMILIES), tuple(plan))


def _plan(count: int) -> list[str]:
    views = views_of_families()
    family = [FAMILIES[number % len(FAMILIES)] for number in range(count)]
    return [views[name][number // len(FAMILIES) % len(views[name])] for number, name in enumerate(family)]


@threadpool_limits.wrap(1)
def _part(draw: Draw, part: tuple[int, Sequence[str]]) -> NDArray[np.uint8]:
    seed, views = part
    return np.stack([prepared(draw(view, seed + number)) for number, view in enumerate(views)])


def phantom_image(view: str, seed: int) -> NDArray[np.uint8]:
    """One frame of a patient, a machine and a phase that the seed decides."""
    raise NotImplementedError
