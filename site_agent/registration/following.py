"""A ventricle's outline followed through a clip, by descent frame after frame, each begun where the last one ended.

Speckle changes with time, so that a frame far from end-diastole, registered on its own, is moved too little. Begun with
the neighbour's velocity, and still held against end-diastole, the descent finds the whole way and adds no drift.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from federated.errors import ConsiliumError
from site_agent.progress import Bar
from site_agent.registration.one_pair import FORCES, PATIENCE, Settings

if TYPE_CHECKING:
    from torch import Tensor

    from shared_models.registration.cine import Followed
    from shared_models.registration.network import Estimate

Gray = NDArray[np.uint8]
Points = NDArray[np.float64]
ROOM = 0.35  # of an outline's longer side, about it, that is registered with it


def follow(frames: Gray, outline: Points, settings: Settings, *, end_diastole: int, spacing_mm: float) -> Followed:
    """The outline in every frame, with a bar where that takes long.

    Args:
        frames: (T, H, W).
        outline: (M, 2) pixels, x then y, at end-diastole.
        settings: how pairs are registered.
        end_diastole: place of its frame.
        spacing_mm: side of a pixel, 1 where it is unknown.

    Raises:
        ConsiliumError: frames that cannot be registered.
    """
    from shared_models.registration.cine import Followed, followed

    rows, columns = window(outline, frames.shape[1:])
    corner = np.array([columns.start, rows.start], np.float64)
    cut = frames[:, rows, columns]
    bar, done = Bar("following the ventricle", len(frames)), count()
    try:
        parts = [
            followed(part, outline - corner, _HandedOn(settings, bar, done), spacing_mm=spacing_mm).contours
            for part in (cut[end_diastole:], cut[: end_diastole + 1][::-1])
        ]
    except ValueError as error:
        raise ConsiliumError(str(error), where="the clip") from error
    finally:
        bar.close()
    contours = np.concatenate([parts[1][:0:-1], parts[0]]) + corner
    return Followed(contours, end_diastole, spacing_mm)


def window(outline: Points, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of an image about an outline."""
    low, high = outline.min(axis=0), outline.max(axis=0)
    room = ROOM * (high - low).max()
    first = np.maximum(np.floor(low - room), 0).astype(int)
    last = np.minimum(np.ceil(high + room) + 1, shape[::-1]).astype(int)
    return slice(first[1], last[1]), slice(first[0], last[0])


class _HandedOn:
    """Registers frame after frame; what was found of one begins the next."""

    def __init__(self, settings: Settings, bar: Bar, done: Iterator[int]) -> None:
        self._settings, self._bar, self._done = settings, bar, done
        self._before: Tensor | None = None

    def __call__(self, moving: Tensor, fixed: Tensor) -> Tensor:
        self._bar.at(next(self._done))
        found = (self._by_forces if self._settings.way == FORCES else self._by_descent)(moving, fixed)
        self._before = found.regularised.detach()
        return found.field

    def _by_descent(self, moving: Tensor, fixed: Tensor) -> Estimate:
        from shared_models.registration.descent import Effort
        from shared_models.registration.per_pair import register_by_patch

        return register_by_patch(
            moving,
            fixed,
            self._settings.loss,
            diffeomorphic=self._settings.velocity,
            effort=Effort(self._settings.steps, PATIENCE),
            start=self._before,
        )

    def _by_forces(self, moving: Tensor, fixed: Tensor) -> Estimate:
        from shared_models.registration.demons import register_by_demons

        return register_by_demons(moving, fixed, self._settings.forces, start=self._before)
