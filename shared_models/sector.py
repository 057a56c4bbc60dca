"""The ultrasound sector of a frame or clip, found by fitting its geometry to where echoes end, with a quality.

A coarse image gives regions of echoes; the straight sides that most outermost echoes touch give a first fan or
parallelogram; least squares draw its edges to where echoes end, first in the coarse image, then in the fine one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_models.sector_echoes import Echoes, Mask, Picture, backgrounds, echoes_above, picture_of, regions
from shared_models.sector_edges import Side, echo_ends, fitted, outermost, sides
from shared_models.sector_geometry import Fan, Parallelogram, Sector, fan_kind
from shared_models.sector_quality import quality

__all__ = ["Fan", "Parallelogram", "Sector", "find_sector"]

PHOTOGRAPH = 0.5  # share of coloured pixels from which on an image is no ultrasound
SMALLEST = 32  # pixels of either side of an image
OPENINGS = 3, 7  # coarse pixels: what is thinner is no echo; the second keeps letters and bars apart from the sector
PARALLEL = np.deg2rad(7.0)  # the least angle between the sides of a fan
RAYS = 64  # directions in which the ends of a fan are sought
REACHES = 6, 3  # coarse pixels around the edges in which echoes may end
UPRIGHT = 0.3  # weight of an upright axis in the fit
FULL = 0.7, 0.5  # shares of the top and of either side of an image that show echoes where they fill the frame
LEAST = 0.5  # quality below which nothing is a sector
GOOD = 0.9  # quality from which on no other candidate is tried


@dataclass(frozen=True)
class _Fit:
    """A geometry on the coarse image, its quality, and the background it was found above."""

    geometry: Fan | Parallelogram
    quality: float
    background: float


def find_sector(frames: NDArray[np.uint8]) -> Sector | None:
    """The sector of (H, W), (T, H, W), (H, W, 3) or (T, H, W, 3); None where nothing is one.

    Of a clip the brightest of each pixel in a handful of frames is looked at. The geometry may reach beyond the image.

    Raises:
        ValueError: no image or clip of bytes.
    """
    picture = picture_of(frames)
    if min(picture.fine.shape) < SMALLEST or picture.coloured > PHOTOGRAPH:
        return None
    best: _Fit | None = None
    for fit in _fits(picture):
        best = fit if best is None or fit.quality > best.quality else best
        if best.quality > GOOD:
            break
    if best is None or best.quality < LEAST:
        return None
    geometry = _refined(picture, best)
    kind = "linear" if isinstance(geometry, Parallelogram) else fan_kind(geometry)
    return Sector(kind, geometry, picture.fine.shape, best.quality)


def _fits(picture: Picture) -> Iterator[_Fit]:
    """Candidates on the coarse image, the usual ones first."""
    for background in backgrounds(picture.coarse):
        echoes = echoes_above(picture.coarse, background, OPENINGS[0])
        if _fills_the_frame(echoes):
            height, width = picture.coarse.shape
            yield _coarse_fit(echoes, Parallelogram(-0.5, float(height), -0.5, float(width)))
            continue
        for opening in OPENINGS:
            cleaned = echoes if opening == OPENINGS[0] else echoes_above(picture.coarse, background, opening)
            for region in regions(cleaned):
                for guess in guesses(region):
                    yield _coarse_fit(echoes, guess)


def _fills_the_frame(echoes: Echoes) -> bool:
    """Whether echoes reach the image's border at the top and on both sides; below they may have faded."""
    top, side = FULL
    thick = echoes.thick
    return bool(thick[0].mean() > top and thick[:, 0].mean() > side and thick[:, -1].mean() > side)


def _coarse_fit(echoes: Echoes, geometry: Fan | Parallelogram) -> _Fit:
    for reach in REACHES:
        ends = echo_ends(echoes.coarse, echoes.background, geometry, reach, 1.0)
        geometry = fitted(geometry, ends, (reach, 0.7 * reach, 0.5 * reach), UPRIGHT)
    return _Fit(geometry, quality(echoes, geometry), echoes.background)


def guesses(region: Mask) -> Iterator[Fan | Parallelogram]:
    """Geometries around a region from its straight sides, likeliest first."""
    for left, right in sides(region):
        if left.angle + right.angle >= PARALLEL:
            yield _fan_between(region, left, right)
        else:
            rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
            yield Parallelogram(*(float(end) for end in (rows[0], rows[-1], columns[0], columns[-1])))


def _fan_between(region: Mask, left: Side, right: Side) -> Fan:
    """The fan between two sides, its ends where many of the outermost and innermost echoes lie."""
    last = region.shape[1] - 1
    matrix = [[np.cos(left.angle), np.sin(left.angle)], [-np.cos(right.angle), np.sin(right.angle)]]
    x, y = np.linalg.solve(matrix, [left.offset, right.offset - last * np.cos(right.angle)])
    rows, columns = np.nonzero(region)
    radius, angle = np.hypot(columns - x, rows - y), np.arctan2(columns - x, rows - y)
    ray = np.floor((angle + left.angle) / (left.angle + right.angle) * RAYS).astype(int)
    between = (ray >= 0) & (ray < RAYS)
    far, near = np.full(RAYS, -1.0), np.full(RAYS, np.inf)
    np.maximum.at(far, ray[between], radius[between])
    np.minimum.at(near, ray[between], radius[between])
    seen = far > 0
    return Fan(float(y), float(x), -outermost(-near[seen]), outermost(far[seen]), -left.angle, right.angle)


def _refined(picture: Picture, fit: _Fit) -> Fan | Parallelogram:
    """The geometry on the fine image, which small images are already."""
    step = picture.step
    if step == 1:
        return fit.geometry
    fine = fit.geometry.moved(float(step), 0.0, 0.0)
    ends = echo_ends(picture.fine, fit.background, fine, 2 * step, 2.0)
    return fitted(fine, ends, (2.0 * step, 1.0 * step, max(1.5, 0.6 * step)), UPRIGHT)
