"""What plays the contest of reconstruction: how each method learns from hearts, and what it says of another.

Networks of views see pictures alone. Rivals are told more: the shape model and the completion the exact place of every
pixel, the shape model of the ventricle and the discs the exact mask of the ventricle in every view.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.course_clock import CourseClock
from benchmarks.reconstruction_hearts import Heart, Seen, Split
from benchmarks.reconstruction_scores import Scores, scores, volume_scores
from benchmarks.reconstruction_settings import VENTRICLE, VIEWS, WALLS, Setting
from shared_models.ejection_fraction import Chamber
from shared_models.phantom import labels as label
from shared_models.phantom.anatomy import UPWARD
from shared_models.phantom.planes import Plane
from shared_models.recipe import Recipe
from shared_models.reconstruction.completion_unet import CompletionTask, Drawn, completed, completion_unet
from shared_models.reconstruction.pix2vox import pix2vox
from shared_models.reconstruction.plane_places import drawn
from shared_models.reconstruction.reconstruction_training import ReconstructionTask, reconstructed
from shared_models.reconstruction.shape_examples import WALL_GREYS, Target
from shared_models.reconstruction.shape_pca import (
    ShapeModel,
    fitted,
    occupancy,
    outline_points,
    sampled,
    shape_model,
    solved,
)
from shared_models.reconstruction.simpson import FOUR, TWO, simpson_volume_ml
from shared_models.reconstruction.volume_metrics import iou
from shared_models.training import Task, train

FUSED, UNFUSED = "Efficient Pix2Vox++", "Pix2Vox++"
COMPLETION, SHAPES, DISCS = "3D U-Net completion", "PCA shape model", "Simpson's discs"
LONGER = f"{FUSED}, longer"
VIEW_NETWORKS = (FUSED, LONGER, UNFUSED)
NETWORKS = (*VIEW_NETWORKS, COMPLETION)
WALL_LEVEL = float(WALL_GREYS[1:].min()) / 255 / 2  # between the background and the darkest wall
WARM_UP, CLIP = 0.05, 1.0

Volume = NDArray[np.float32]
Answer = Callable[[Seen], Volume]


@dataclass(frozen=True)
class Learnt:
    """A method that has learnt what it is to.

    Attributes:
        judged: scores of what it says of a heart.
        seconds: of a processor that learning took.
        chosen: settings by name.
    """

    judged: Callable[[Seen], Scores]
    seconds: float
    chosen: Mapping[str, float]


def methods(sought: Target) -> tuple[str, ...]:
    """Those that can find a target."""
    return (*NETWORKS, SHAPES, DISCS) if sought == VENTRICLE else (*NETWORKS, SHAPES)


def seen(hearts: Sequence[Heart], count: int, sought: Target) -> list[Seen]:
    """So many views of hearts."""
    return [Seen(heart, VIEWS[count], sought) for heart in hearts]


def learnt(
    method: str, setting: Setting, count: int, sought: Target, given: Split, seed: int, folder: Path | None = None
) -> Learnt:
    """A method with so many views, after it has learnt; a network that has a folder goes on from where it is there."""
    begun, known = time.process_time(), seen(given.learnt, count, sought)
    chosen: Mapping[str, float] = {}
    if method == DISCS:
        usual = float(np.mean([one.heart.example.lv_volume_ml for one in known]))
        return Learnt(lambda one: volume_scores(one, discs_ml(one), usual), time.process_time() - begun, chosen)
    if method in NETWORKS:
        return _network(method, setting, count, known, seed, folder)
    model = shape_model([one.target for one in known], max(setting.modes))
    chosen = chosen_fit(model, setting, seen(given.checked, count, sought))
    answer = shape_answer(shortened(model, int(chosen["modes"])), chosen["sigma"], chosen["level"])
    return Learnt(lambda one: scores(one, answer(one)), time.process_time() - begun, chosen)


def _network(
    method: str, setting: Setting, count: int, known: Sequence[Seen], seed: int, folder: Path | None
) -> Learnt:
    network, answer = fresh(method, setting, count, seed)
    times, clock = setting.times if method == LONGER else 1, CourseClock(folder)
    train(task(method, network, known), recipe(setting, len(known), seed, times), folder=folder, watch=clock)
    return Learnt(lambda one: scores(one, answer(one)), clock.seconds, {})


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def fresh(method: str, setting: Setting, count: int, seed: int) -> tuple[Any, Answer]:
    """A network with first weights, and how it is asked."""
    with _seeded(seed):
        if method == COMPLETION:
            network: Any = completion_unet(setting.edge, setting.width)
            return network, lambda one: completed(network, [drawn_in(one).volume])[0]
        options: dict[str, Any] = dict(setting.network)
        network = pix2vox(setting.edge, ",".join(VIEWS[count]), method != UNFUSED, **options)
        return network, lambda one: reconstructed(network, [one])[0]


def task(method: str, network: Any, known: Sequence[Seen]) -> Task:
    """What a network learns."""
    if method == COMPLETION:
        return CompletionTask(network, [drawn_in(one) for one in known])
    return ReconstructionTask(network, known)


def drawn_in(one: Seen) -> Drawn:
    """Planes drawn where they lie, with what is to be found."""
    return Drawn(drawn(one.planes, one.places(), len(one.target)), one.target)


def recipe(setting: Setting, examples: int, seed: int, times: int = 1) -> Recipe:
    """The same for all networks, but for those that learn for some times as long; the last weights are kept."""
    return Recipe(
        epochs=max(1, round(times * setting.visits / examples)),
        batch=setting.batch,
        rate=setting.rate,
        seed=seed,
        optimiser="adam",
        schedule="cosine",
        warm_up=WARM_UP,
        clip=CLIP,
        precision="auto",
    )


def shape_answer(model: ShapeModel, sigma: float, level: float = 0.0) -> Answer:
    """Probabilities of the shape that fits a heart's outlines."""
    return lambda one: occupancy(model.distances(fitted(model, outlines(one), sigma, level)))


def outlines(one: Seen) -> NDArray[np.float64]:
    """(n, 3) voxels on the surface sought: of walls as pictures show them, of the ventricle as it truly lies."""
    if one.sought == WALLS:
        return outline_points(one.planes, one.places(), WALL_LEVEL)
    masks = np.stack([one.heart.labels(cut, pixel) == label.LV for cut, pixel in one.cuts])
    return outline_points(masks.astype(np.float32), one.places())


def shortened(model: ShapeModel, modes: int) -> ShapeModel:
    """With the main modes alone."""
    return ShapeModel(model.mean, model.modes[:modes])


def chosen_fit(model: ShapeModel, setting: Setting, checked: Sequence[Seen]) -> dict[str, float]:
    """How many modes, which sigma and which level overlap best in hearts that are asked about nowhere."""
    known = [sampled(model, outlines(one)) for one in checked]

    def overlap(fit: tuple[int, float, float]) -> float:
        modes, sigma, level = fit
        own = shortened(model, modes)
        found = [own.distances(solved(mean, slopes[:, :modes], sigma, level)) < 0 for mean, slopes in known]
        return float(np.mean([iou(solid, one.target) for solid, one in zip(found, checked, strict=True)]))

    best = max(product(setting.modes, setting.sigmas, setting.levels), key=overlap)
    return dict(zip(("modes", "sigma", "level"), best, strict=True))


def discs_ml(one: Seen) -> float | None:
    """Of true masks in the apical views that there are; None where no outline can be found in them."""
    pairs = dict(zip(one.views, one.cuts, strict=True))
    chambers = {view: _chamber(one.heart, *pairs[view]) for view in (FOUR, TWO) if view in pairs}
    try:
        return simpson_volume_ml(chambers)
    except ValueError:
        return None


def _chamber(heart: Heart, cut: Plane, pixel_mm: float) -> Chamber:
    """In the same plane with the apex on top, as echoes are shown."""
    down = -UPWARD + (UPWARD @ cut.normal) * cut.normal
    down = down / np.linalg.norm(down)
    marks = heart.labels(Plane(cut.origin, np.cross(cut.normal, down), down), pixel_mm)
    return Chamber(marks == label.LV, marks == label.MYOCARDIUM, pixel_mm, marks == label.LA)
