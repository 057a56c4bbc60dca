"""What the speed of learning and asking is measured on: networks, and phantom frames for them to see.

What the frames show does not matter for speed; that they have a sector, structures and a contour does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deploy.phantom.acquisition import Take, draw, shot_named
from deploy.phantom.orders import MACHINE, POPULATION
from shared_models.phantom.labels import LA, LV, MYOCARDIUM

Kind = Literal["views", "backmix", "masks", "contours"]
Images = NDArray[np.uint8]

STRUCTURES = (LV, MYOCARDIUM, LA)
CLASSES = 8  # of views
DRAWN = 8  # frames, which are repeated
SEED = 11
ANGLE, SHIFT, ZOOM = 0.26, 0.05, 0.2  # that peers turn by, radians; shift by, shares of an edge; a logarithm
GREY, BEND = 0.2, 0.4  # of contrast and brightness; the logarithm of an exponent


@dataclass(frozen=True)
class Subject:
    """A network at work.

    Attributes:
        name: for people.
        kind: what it learns: views, views with BackMix, label maps, or contours.
        side: of its images, in pixels.
        width: of its first layer.
        batch: images a step.
        steps: in what is timed.
        rounds: how often it is timed.
        workers: of peers' loaders, one peer each.
    """

    name: str
    kind: Kind
    side: int
    width: int
    batch: int
    steps: int
    rounds: int
    workers: tuple[int, ...] = (0, 1)

    @property
    def images(self) -> int:
        """How many images are learnt from in what is timed."""
        return self.batch * self.steps


SUBJECTS = (
    Subject("views, 112 px, width 64", "views", 112, 64, 8, 2, 3, workers=(0,)),
    Subject("views, 112 px, width 16", "views", 112, 16, 16, 3, 5, workers=(0,)),
    Subject("views, 112 px, width 16, BackMix", "backmix", 112, 16, 16, 3, 5),
    Subject("U-Net, 128 px, width 16", "masks", 128, 16, 16, 8, 7),
    Subject("contour network, 128 px, width 16", "contours", 128, 16, 16, 6, 7),
)
QUICK = (
    Subject("views", "views", 32, 4, 2, 2, 2),
    Subject("views, BackMix", "backmix", 32, 4, 2, 2, 2),
    Subject("U-Net", "masks", 32, 4, 2, 2, 2),
    Subject("contour network", "contours", 32, 4, 2, 2, 2),
)


@dataclass(frozen=True)
class Frames:
    """n frames with what can be learnt of them.

    Attributes:
        images: (n, S, S).
        sectors: (n, S, S) whether a pixel lies in the sector.
        labels: (n,) views.
        masks: (n, S, S) 0, or a structure's number from 1.
        points: (n, 7, 2) pixels of the contour.
    """

    images: Images
    sectors: NDArray[np.bool_]
    labels: NDArray[np.int64]
    masks: Images
    points: NDArray[np.float64]


@cache
def frames_of(count: int, side: int) -> Frames:
    """So many apical frames."""
    take = Take(
        draw(SEED, POPULATION), shot_named("A4C"), MACHINE, frames=min(DRAWN, count), seed=SEED, size=(side, side)
    )
    recording = take.record()
    masks = np.zeros_like(recording.images)
    for number, structure in enumerate(STRUCTURES, start=1):
        masks[recording.labels == structure] = number
    outlines = [take.outline(phase) for phase in take.phases]
    again = np.arange(count) % len(masks)
    return Frames(
        images=recording.images[again],
        sectors=np.broadcast_to(take.sector, (count, side, side)),
        labels=np.arange(count) % CLASSES,
        masks=masks[again],
        points=np.stack([points for points in outlines if points is not None])[again],
    )
