"""What can be measured on any echocardiogram without knowing what it shows: grey levels, speckle, edges.

Lengths are percent of the image's depth (from the top of the sector to its bottom), for real images do not say their
millimetres; at a depth of 15 cm one percent is 1.5 mm.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.phantom_beams import Fan, fan_of, unrolled
from benchmarks.phantom_sector import Frame

Array = NDArray[np.float64]

QUANTILES = (5, 25, 50, 75, 95, 99)
BLACK = 10  # grey levels below which a pixel shows no echo
BANDS = {"near": (0.2, 0.4), "middle": (0.45, 0.65), "far": (0.7, 0.9)}  # of the depth
PATCH = 0.08  # edge of a patch of tissue, of the depth
TISSUE = (30.0, 200.0)  # mean grey of a patch that is taken for tissue
EVEN = 0.6  # largest spread of a patch against its mean
REACH = 0.02  # how far a profile across an edge runs to either side, of the depth


def statistics(frame: Frame) -> dict[str, float]:
    """All measures of a frame by name; NaN where it shows no such thing."""
    fan = fan_of(frame.sector)
    return grey_levels(frame) | speckle(frame, fan) | edges(frame, fan)


def grey_levels(frame: Frame) -> dict[str, float]:
    """Quantiles inside the sector, and the share of it that is black."""
    plain = frame.image[frame.sector & ~frame.coloured].astype(np.float64)
    found = {f"grey, {share} % quantile": float(np.quantile(plain, share / 100)) for share in QUANTILES}
    return found | {"black, % of the sector": 100 * float((plain < BLACK).mean())}


def speckle(frame: Frame, fan: Fan) -> dict[str, float]:
    """How far speckle reaches along and across the beam in three bands of depth: full width at half its correlation."""
    depth = fan.far - fan.near
    samples = max(32, round(depth))  # one sample a pixel along the beam
    found = {}
    for name, (top, bottom) in BANDS.items():
        middle = fan.near + depth * (top + bottom) / 2
        beams = max(16, round(middle * (fan.right - fan.left)))  # one a pixel across it, at this depth
        picture = unrolled(frame, fan, samples, beams)[round(top * samples) : round(bottom * samples)]
        widths = [_widths(patch) for patch in tissue_patches(picture, max(8, round(PATCH * depth)))]
        along, across = np.median(widths, axis=0) if widths else (np.nan, np.nan)
        found[f"speckle along the beam, {name}, % of depth"] = 100 * float(along) / depth
        found[f"speckle across the beam, {name}, % of depth"] = 100 * float(across) / depth
    return found


def tissue_patches(picture: Array, edge: int) -> Iterator[Array]:
    """Square patches without holes, neither dark nor saturated, and even enough to be one tissue."""
    for top in range(0, picture.shape[0] - edge + 1, edge):
        for left in range(0, picture.shape[1] - edge + 1, edge):
            patch = picture[top : top + edge, left : left + edge]
            mean = float(patch.mean())  # NaN fails the test below
            if TISSUE[0] <= mean <= TISSUE[1] and patch.std() < EVEN * mean and patch.max() < 250:
                yield patch


def _widths(patch: Array) -> tuple[float, float]:
    """Widths along and across of a patch whose slow changes have been taken out."""
    from scipy import ndimage

    even = patch - ndimage.gaussian_filter(patch, len(patch) / 4, mode="nearest")
    return half_width(even), half_width(even.T)


def half_width(values: Array) -> float:
    """Full width in rows at which the correlation of a (n, m) picture with itself, shifted down, is a half."""
    size = len(values)
    spectrum = np.abs(np.fft.rfft(values - values.mean(), n=2 * size, axis=0)) ** 2
    correlation = np.fft.irfft(spectrum.sum(axis=1))[: size // 2] / np.arange(size, size - size // 2, -1)
    if correlation[0] <= 0:
        return float("nan")
    correlation /= correlation[0]
    below = np.flatnonzero(correlation < 0.5)
    if not below.size:
        return float(2 * len(correlation))
    last = int(below[0])
    return 2 * float(last - (0.5 - correlation[last]) / (correlation[last - 1] - correlation[last]))


def edges(frame: Frame, fan: Fan) -> dict[str, float]:
    """How wide the step is at the sector's sides and at the borders of dark chambers."""
    depth = fan.far - fan.near
    return {
        "width of the sector's edge, % of depth": 100 * _step_width(*_sides(frame, fan)) / depth,
        "width of a chamber's border, % of depth": 100 * _step_width(*_borders(frame, depth)) / depth,
    }


def _step_width(profiles: Array, step: float) -> float:
    """Median over (n, m) profiles, `step` pixels a sample, of the step's height over its steepest slope, in pixels."""
    if not len(profiles):
        return float("nan")
    quarter = profiles.shape[1] // 4
    height = profiles[:, -quarter:].mean(axis=1) - profiles[:, :quarter].mean(axis=1)
    clear = height > 25  # grey levels
    if not clear.any():
        return float("nan")
    slope = np.diff(profiles[clear], axis=1).max(axis=1) / step
    return float(np.median(height[clear] / np.maximum(slope, 1e-9)))


def _profiles(image: NDArray[np.uint8], places: Array, inward: Array, reach: float) -> tuple[Array, float]:
    """Grey levels along short lines through `places` (n, 2) in the direction `inward` (n, 2), half a pixel a sample."""
    from scipy import ndimage

    steps = np.arange(-reach, reach + 0.25, 0.5)
    lines = places[:, :, None] + inward[:, :, None] * steps
    smooth = ndimage.gaussian_filter(image.astype(np.float64), 0.5)
    return ndimage.map_coordinates(smooth, [lines[:, 0], lines[:, 1]], order=1, mode="constant"), 0.5


def _sides(frame: Frame, fan: Fan) -> tuple[Array, float]:
    """Profiles across both sides of the sector, from outside to inside."""
    depth = fan.far - fan.near
    radius = np.arange(fan.near + 0.15 * depth, fan.near + 0.85 * depth, 2.0)
    places, inward = [], []
    for angle, sign in ((fan.left, 1.0), (fan.right, -1.0)):
        places.append(np.stack([fan.apex[0] + radius * np.cos(angle), fan.apex[1] + radius * np.sin(angle)], 1))
        inward.append(np.tile([-sign * np.sin(angle), sign * np.cos(angle)], (len(radius), 1)))
    return _profiles(frame.image, np.concatenate(places), np.concatenate(inward), REACH * depth)


def _borders(frame: Frame, depth: float) -> tuple[Array, float]:
    """Profiles from dark chambers into the walls around them, across the border of a much smoothed picture."""
    from scipy import ndimage

    inside = ndimage.binary_erosion(frame.sector & ~frame.coloured, iterations=max(1, round(0.03 * depth)))
    if not inside.any():
        return np.empty((0, 8)), 0.5
    smooth = ndimage.gaussian_filter(frame.image.astype(np.float64), 0.01 * depth)
    level = 0.5 * (np.quantile(smooth[inside], 0.1) + np.quantile(smooth[inside], 0.85))
    dark = ndimage.binary_opening(smooth < level, iterations=max(1, round(0.015 * depth)))
    border = dark & ~ndimage.binary_erosion(dark) & inside
    places = np.argwhere(border)[::3].astype(np.float64)
    slopes = np.stack([ndimage.sobel(smooth, axis)[border] for axis in (0, 1)], axis=1)[::3]
    strength = np.linalg.norm(slopes, axis=1)
    steep = strength > max(1e-9, float(np.median(strength)) if strength.size else 0.0)
    return _profiles(frame.image, places[steep], slopes[steep] / strength[steep, None], REACH * depth)
