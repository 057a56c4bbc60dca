"""The connective tissue inside a muscle: a tile of noise whose zero level is drawn as bright lines.

Perimysium parts a muscle in bundles that run along it. In a plane across the fibres its sheets are short bright lines
that lie mostly parallel to the skin and change slowly along the muscle. They are the zero crossings of smooth Gaussian
noise, broken into pieces by a second, coarser noise.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfftn, rfftn
from scipy.ndimage import map_coordinates

_SHAPE = (24, 96, 96)  # along the muscle, along the depth, across; the tile repeats
_STEP_MM = (4.0, 0.25, 0.5)
_FINE_MM = (7.0, 0.4, 2.0)  # sheets some 2 mm apart that persist for some 3 cm (assumed)
_COARSE_MM = (10.0, 1.2, 2.5)
_LINE = 0.25  # half the width of a line, in standard deviations of the noise

Floats = NDArray[np.float32]


def _smooth_noise(generator: np.random.Generator, width_mm: tuple[float, float, float]) -> Floats:
    """Periodic Gaussian noise of unit variance, smoothed by a Gaussian of these standard deviations."""
    spectrum = rfftn(generator.standard_normal(_SHAPE))
    for axis, (size, step, width) in enumerate(zip(_SHAPE, _STEP_MM, width_mm, strict=True)):
        frequency = np.fft.rfftfreq(size, step) if axis == 2 else np.fft.fftfreq(size, step)
        shape = [1, 1, 1]
        shape[axis] = -1
        spectrum *= np.exp(-2 * (np.pi * width * frequency) ** 2).reshape(shape)
    noise = irfftn(spectrum, _SHAPE)
    return (noise / noise.std()).astype(np.float32)


@lru_cache(maxsize=8)
def _tile(seed: int) -> tuple[Floats, Floats]:
    generator = np.random.default_rng([seed, 0xFA5C])
    return _smooth_noise(generator, _FINE_MM), _smooth_noise(generator, _COARSE_MM)


def streaks(seed: int, x: Floats, y: Floats, z: Floats) -> Floats:
    """How much connective tissue lies at points (N,) in mm of the muscle's own coordinates: 0 none, 1 a whole sheet."""
    fine, coarse = _tile(seed)
    grid = np.stack([axis / step for axis, step in zip((z, y, x), _STEP_MM, strict=True)]).astype(np.float32)
    level = map_coordinates(fine, grid, order=1, mode="grid-wrap", output=np.float32)
    here = map_coordinates(coarse, grid, order=1, mode="grid-wrap", output=np.float32)
    lines = np.exp(-np.square(level / _LINE)) * np.clip(0.55 + 0.6 * here, 0.05, 1)
    return np.asarray(lines, dtype=np.float32)
