"""The left ventricle followed through a clip: every frame registered to end-diastole, whose outline goes along.

A field leads from the fixed image, which is end-diastole, to where the same tissue is in the moving one, a later frame:
points of the end-diastolic outline move by it as it is, and no inverse is needed. Longitudinal strain is what the
outline's length changes by, as a share of its length at end-diastole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shared_models.ejection_fraction import percent_ejected
from shared_models.long_axis import simpson_biplane
from shared_models.registration.fields import to_voxels

Images = NDArray[np.uint8]
Floats = NDArray[np.float64]
Registers = Callable[[Tensor, Tensor], Tensor]
"""Moving and fixed image (1, 1, H, W) in [0, 1] to a normalised field (1, 2, H, W)."""

PERCENT = 100
FEWEST = 3  # points of an outline


@dataclass(frozen=True)
class Followed:
    """An outline in every frame of a clip.

    Attributes:
        contours: (T, M, 2) pixels, x then y, as `long_axis` has curves: open at the valve.
        end_diastole: number of the frame that it was drawn in.
        spacing_mm: side of a pixel.
    """

    contours: Floats
    end_diastole: int
    spacing_mm: float

    @property
    def curves_mm(self) -> Floats:
        """(T, M, 2)."""
        return self.contours * self.spacing_mm

    @property
    def lengths_mm(self) -> Floats:
        """(T,) of the open outline."""
        return np.asarray(np.linalg.norm(np.diff(self.curves_mm, axis=1), axis=2).sum(axis=1))

    @property
    def strain(self) -> Floats:
        """(T,) global longitudinal strain (L - L0) / L0 in percent, below 0 where the outline is shorter."""
        lengths = self.lengths_mm
        return PERCENT * (lengths / lengths[self.end_diastole] - 1)

    @property
    def areas_mm2(self) -> Floats:
        """(T,) within the outline and the straight line that closes it."""
        x, y = np.moveaxis(self.curves_mm, 2, 0)
        crossed = x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)
        return np.asarray(np.abs(crossed.sum(axis=1)) / 2)

    @property
    def end_systole(self) -> int:
        """Number of the frame in which the area is least."""
        return int(self.areas_mm2.argmin())


def followed(
    images: Images, contour: Floats, registers: Registers, *, end_diastole: int = 0, spacing_mm: float = 1.0
) -> Followed:
    """An outline carried from end-diastole to every frame.

    Args:
        images: (T, H, W).
        contour: (M, 2) pixels, x then y, pixel centres at whole numbers; many points, since strain is of the lines
            between them (`long_axis.spline` makes many of seven).
        registers: finds the field of a pair.
        end_diastole: number of the frame that the contour was drawn in.
        spacing_mm: side of a pixel.

    Raises:
        ValueError: no such frame, no contour, or what `registers` raises.
    """
    if contour.ndim != 2 or contour.shape[1] != 2 or len(contour) < FEWEST:
        raise ValueError(f"an outline is (M, 2) with {FEWEST} points or more, not {contour.shape}")
    if not np.isfinite(contour).all():
        raise ValueError("the outline has points that are no numbers")
    contours = [carried(contour, field) for field in fields_of(images, registers, end_diastole)]
    return Followed(np.stack(contours), end_diastole, spacing_mm)


def fields_of(images: Images, registers: Registers, end_diastole: int = 0) -> Iterator[NDArray[np.float32]]:
    """Displacements (2, H, W) in voxels from end-diastole to every frame, in turn; of its own none is asked for.

    Args:
        images: (T, H, W).
        registers: finds the field of a pair.
        end_diastole: number of a frame.

    Raises:
        ValueError: no clip, or no such frame.
    """
    if images.ndim != 3:
        raise ValueError(f"a clip is (T, H, W), not {images.shape}")
    if not 0 <= end_diastole < len(images):
        raise ValueError(f"end-diastole is frame {end_diastole} of {len(images)}, which are numbered from 0")
    fixed = _shown(images[end_diastole])
    for number, image in enumerate(images):
        if number == end_diastole:
            yield np.zeros((2, *image.shape), np.float32)
        else:
            yield to_voxels(registers(_shown(image), fixed).detach())[0].cpu().numpy()


def carried(points: Floats, field: NDArray[np.floating]) -> Floats:
    """Where points of the fixed image are in the moving one.

    Args:
        points: (M, 2) pixels, x then y.
        field: (2, H, W) voxels, down and to the right; its border's values beyond it.
    """
    from scipy.ndimage import map_coordinates

    places = points.T[::-1]
    down, right = (map_coordinates(part, places, order=1, mode="nearest") for part in field.astype(np.float64))
    return points + np.stack([right, down], axis=1)


def biplane_ejection_fraction(four: Followed, two: Followed) -> float:
    """In percent by Simpson's biplane method, of clips of the apical four- and two-chamber view.

    Each view has an end-systole of its own, since the clips are of different beats.

    Raises:
        ValueError: there is no volume at the end of diastole.
    """
    moments = ((four.end_diastole, two.end_diastole), (four.end_systole, two.end_systole))
    return percent_ejected(*(simpson_biplane(four.curves_mm[one], two.curves_mm[other]) for one, other in moments))


def _shown(image: Images) -> Tensor:
    return torch.from_numpy(image)[None, None].float() / 255
