"""Phantom frames to learn view families from: many patients, views, machines and phases, as a classifier sees them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.phantom_gallery import FAMILIES
from benchmarks.phantom_sector import prepared
from shared_models.phantom.machines import MACHINES, Machine
from shared_models.phantom.planes import Plane
from shared_models.phantom.views import VIEWS, view_named
from site_agent.progress import track

STREAM = 31  # of random numbers, apart from other uses of the same seeds
SIZE = (128, 128)  # pixels, somewhat more than a classifier sees
POPULATIONS = (0.5, 0.25, 0.25)
SWING_DEGREES = 6.0
ZOOMED = 0.2  # share of frames

Draw = Callable[[str, int], NDArray[np.uint8]]  # a view's name and a seed to a grey image
CHUNK = 50


@dataclass(frozen=True)
class Reach:
    """How far images from one window reach, in mm from the probe.

    Attributes:
        depth: of whole images.
        zoom_from: where a zoomed image begins.
        zoom: how much it shows from there.
        slide_mm: standard deviation of the probe's place within the plane.
        ahead_mm: at most, of tissue more than the phantom has between probe and heart.
    """

    depth: tuple[float, float]
    zoom_from: tuple[float, float]
    zoom: tuple[float, float]
    slide_mm: float
    ahead_mm: float

    def shown(self, random: np.random.Generator) -> tuple[float, float]:
        """Where one image begins and ends."""
        if random.random() >= ZOOMED:
            return 1.0, float(random.uniform(*self.depth))
        start = float(random.uniform(*self.zoom_from))
        return start, start + float(random.uniform(*self.zoom))


REACH = {
    "apical": Reach((105, 190), (35, 85), (50, 100), slide_mm=9, ahead_mm=6),
    "parasternal": Reach((85, 170), (15, 50), (45, 90), slide_mm=6, ahead_mm=22),
    "subcostal": Reach((130, 215), (30, 70), (70, 120), slide_mm=8, ahead_mm=40),
}


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
    """One frame of a patient, a hand, a machine and a phase that the seed decides."""
    from shared_models.phantom.heart import Heart
    from shared_models.phantom.planes import standard_plane
    from shared_models.phantom.population import draw_parameters
    from shared_models.phantom.scanner import Scanner

    random = np.random.default_rng([STREAM, seed])
    heart = Heart(draw_parameters(random, str(random.choice(["healthy", "dilated", "hypertrophic"], p=POPULATIONS))))
    reach = REACH[view_named(view).window]
    plane = held(standard_plane(heart, view, random), reach, random)
    start, depth = reach.shown(random)
    machine = as_set_by_someone(random)
    scanner = Scanner(machine, plane, size=SIZE, start_mm=start, depth_mm=depth, seed=int(random.integers(2**31)))
    return scanner.frame(heart, float(random.random()))


def held(plane: Plane, reach: Reach, random: np.random.Generator) -> Plane:
    """The same picture elsewhere in the sector: the probe swung and slid within the plane, more tissue ahead."""
    plane = plane.turned(0.0, 0.0, np.deg2rad(random.normal(0, SWING_DEGREES)))
    moved = random.normal(0, reach.slide_mm) * plane.right - random.uniform(0, reach.ahead_mm) * plane.down
    return Plane(plane.origin + moved, plane.right, plane.down)


def as_set_by_someone(random: np.random.Generator) -> Machine:
    """A cardiac machine with its knobs turned: sector, range, gain, haze and how well the probe touches."""
    machines = [machine for machine in MACHINES.values() if machine.geometry == "sector"]
    machine = machines[int(random.integers(len(machines)))]
    return replace(
        machine,
        marks=(),
        compression=None,
        margin=(0.0, 0.0, 0.0),
        crop=(0.0, 0.0),
        width_deg=random.uniform(60, 95),
        white_db=machine.white_db + random.normal(0, 3),
        dynamic_range_db=machine.dynamic_range_db * random.uniform(0.8, 1.15),
        gamma=machine.gamma * random.uniform(0.8, 1.25),
        noise_db=machine.noise_db + random.normal(0, 5),
        clutter_db=machine.clutter_db + random.normal(0, 4),
        reverberation_db=machine.reverberation_db + random.normal(0, 4),
        dropout_db=machine.dropout_db * random.uniform(0.5, 2.5),
    )
