"""Which views, targets and sizes the contest of reconstruction is played with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared_models.phantom.volumes import NINE_PLANES
from shared_models.reconstruction import pix2vox
from shared_models.reconstruction.shape_examples import Target

WALLS: Target = "walls"
VENTRICLE: Target = "left ventricle"
TARGETS = (WALLS, VENTRICLE)
VIEWS: Mapping[int, tuple[str, ...]] = {  # the standard ones first, and then what an examination adds to them
    1: ("A4C",),
    2: ("A4C", "A2C"),
    3: ("PLAX", "A4C", "A2C"),
    5: ("PLAX", "PSAX mitral", "PSAX papillary", "A4C", "A2C"),
    9: NINE_PLANES,
}
STANDARD = 2


@dataclass(frozen=True)
class Setting:
    """How large.

    Attributes:
        edge: voxels a side.
        network: options of `pix2vox`.
        width: of the first level of the rival that completes.
        learnt, checked, asked: patients of each seed, to learn from, to choose settings on, and to be asked about.
        visits: hearts that a network sees while it learns, one as often as another.
        batch: hearts a step.
        rate: of learning, at its highest.
        seeds: each has patients of its own.
        views: for each target numbers of them, out of `VIEWS`.
        unfused: those with which views are also decoded one by one, which is what takes long.
        longer: those with which fused views are also learnt from for several times as many visits.
        times: as many.
        modes, sigmas, levels: of the shape model, of which one each is chosen.
    """

    edge: int
    network: Mapping[str, int | str]
    width: int
    learnt: int
    checked: int
    asked: int
    visits: int
    batch: int = 8
    rate: float = 1e-3
    seeds: tuple[int, ...] = (1, 2, 3)
    views: Mapping[Target, tuple[int, ...]] = field(default_factory=lambda: dict.fromkeys(TARGETS, tuple(VIEWS)))
    unfused: Mapping[Target, tuple[int, ...]] = field(default_factory=lambda: dict.fromkeys(TARGETS, tuple(VIEWS)))
    longer: Mapping[Target, tuple[int, ...]] = field(default_factory=dict)
    times: int = 6
    modes: tuple[int, ...] = (5, 10, 20, 40)
    sigmas: tuple[float, ...] = (1.0, 3.0, 10.0, 30.0)
    levels: tuple[float, ...] = (0.0, -0.25, -0.5, -0.75)


SMALL = {**pix2vox.PRESETS["small"], "trunk": "test_resnet"}
PRESETS = {
    "cpu": Setting(
        edge=32,
        network=SMALL,
        width=16,
        learnt=1600,
        checked=20,
        asked=40,
        visits=6400,
        batch=4,
        views={WALLS: tuple(VIEWS), VENTRICLE: (1, STANDARD, 3)},
        unfused={WALLS: tuple(VIEWS), VENTRICLE: ()},
        longer=dict.fromkeys(TARGETS, (STANDARD,)),
    ),
    "paper": Setting(
        edge=64, network=pix2vox.PRESETS["published"], width=32, learnt=375, checked=40, asked=63, visits=250 * 750
    ),
}
QUICK = Setting(
    edge=32,
    network={"trunk": "test_resnet", "shrink": 32, "bottleneck": 8},
    width=4,
    learnt=2,
    checked=1,
    asked=1,
    visits=4,
    batch=2,
    seeds=(1,),
    views=dict.fromkeys(TARGETS, (STANDARD,)),
    unfused=dict.fromkeys(TARGETS, (STANDARD,)),
    longer={WALLS: (STANDARD,)},
    times=2,
    modes=(2, 4),
    sigmas=(3.0,),
    levels=(0.0, -0.5),
)
