"""Fixed features that were tried: what became the front ends, and what did not win."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from shared_models import front_ends
from shared_models.front_ends import RandomLift, gradients, layout, patterns
from shared_models.scaling import resized, unit

Array = NDArray[np.float64]
Gray = NDArray[np.uint8]

SCATTERING_SIDE, GABOR_SIDE = 64, 128
SCATTERING_SCALES, GABOR_SCALES, ORIENTATIONS = 4, 5, 6
CENTRE, RADIAL, ANGULAR = 0.35, 2.2, 1.6  # cycles a pixel; bandwidths as parts of the centre frequency
POOLING_GRID = 4
FLOOR = 1e-4
LIFT, LIFT_SEED = 384, 1993


@cache
def filter_bank(side: int, scales: int) -> tuple[tuple[int, ...], NDArray[np.float32]]:
    """Scale of each Gabor filter and its transfer function without the mean, (F, side, side)."""
    rows, columns = np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None, :]
    filters = []
    for scale in range(scales):
        centre = CENTRE / 2**scale
        for angle in np.pi * np.arange(ORIENTATIONS) / ORIENTATIONS:
            along, across = (
                columns * np.cos(angle) + rows * np.sin(angle),
                rows * np.cos(angle) - columns * np.sin(angle),
            )
            filters.append(
                np.exp(-(((along - centre) * RADIAL / centre) ** 2) / 2 - (across * ANGULAR / centre) ** 2 / 2)
            )
    bank = np.stack(filters).astype(np.float32)
    bank[:, 0, 0] = 0.0
    return tuple(number // ORIENTATIONS for number in range(len(bank))), bank


def gabor(image: Gray) -> Array:
    """Logarithms of Gabor amplitudes, averaged on a grid: (480,), of unit length."""
    _, bank = filter_bank(GABOR_SIDE, GABOR_SCALES)
    return _log_means(_amplitudes(_brightness(image, GABOR_SIDE), bank), POOLING_GRID)


def scattering(image: Gray) -> Array:
    """Both orders of a scattering transform (Bruna and Mallat, TPAMI 2013), each of unit length: (600,).

    The first order is averaged on a grid, the second, of filters after finer ones, over the whole image.
    """
    scales, bank = filter_bank(SCATTERING_SIDE, SCATTERING_SCALES)
    first = _amplitudes(_brightness(image, SCATTERING_SIDE), bank)
    second = [
        _amplitudes(first[number], bank[np.array(scales) > scale])
        for number, scale in enumerate(scales)
        if scale < SCATTERING_SCALES - 1
    ]
    return np.concatenate([_log_means(first, POOLING_GRID), _log_means(np.concatenate(second), 1)])


def _brightness(image: Gray, side: int) -> NDArray[np.float32]:
    return resized(image, side).astype(np.float32) / np.float32(255)


def _amplitudes(image: NDArray[np.float32], bank: NDArray[np.float32]) -> NDArray[np.float32]:
    from scipy import fft

    return np.abs(fft.ifft2(fft.fft2(image) * bank))


def _log_means(amplitudes: NDArray[np.float32], grid: int) -> Array:
    cell = amplitudes.shape[-1] // grid
    means = amplitudes.reshape(-1, grid, cell, grid, cell).mean(axis=(2, 4), dtype=np.float64)
    values = np.log(means.ravel() + FLOOR)
    return unit(values - values.mean())


def square_layout(image: Gray) -> Array:
    """Means and contrasts on the grid of the texture front end: (128,)."""
    return np.concatenate(layout(resized(image, front_ends.SIDE), front_ends.LAYOUT_GRID))


def square_gradients(image: Gray) -> Array:
    """The gradient block alone."""
    return gradients(resized(image, front_ends.SIDE))


def square_patterns(image: Gray) -> Array:
    """The pattern block alone."""
    return patterns(resized(image, front_ends.SIDE))


def gray_levels(image: Gray) -> Array:
    """Grey levels at 16x16: (256,), of unit length."""
    return unit(resized(image, 16).astype(np.float64).ravel())


def beside(*parts: tuple[float, Callable[[Gray], Array]]) -> Callable[[Gray], Array]:
    """Blocks side by side, each times its weight."""

    def stacked(image: Gray) -> Array:
        return np.concatenate([weight * part(image) for weight, part in parts])

    return stacked


@cache
def _lift(inputs: int) -> RandomLift:
    return RandomLift(inputs, LIFT, LIFT_SEED)


def _lifted(features: Callable[[Gray], Array], image: Gray) -> Array:
    values = features(image)
    return np.linalg.norm(values) * _lift(values.size)(unit(values))


SHIPPED = "texture: layout + ½ (gradients, patterns)"
CANDIDATES: dict[str, Callable[[Gray], Array]] = {
    SHIPPED: front_ends.texture,
    "layout: local mean and contrast, 8x8": square_layout,
    "gradients (HOG) and patterns (LBP)": beside((1.0, square_gradients), (1.0, square_patterns)),
    "gradients (HOG)": square_gradients,
    "patterns (LBP)": square_patterns,
    "grey levels, 16x16": gray_levels,
    "Gabor": gabor,
    "scattering": scattering,
    "layout + ½ Gabor": beside((1.0, square_layout), (0.5, gabor)),
    "layout + ½ scattering": beside((1.0, square_layout), (0.5, scattering)),
    "layout + random ReLU lift": partial(_lifted, square_layout),
    "texture + random ReLU lift": partial(_lifted, front_ends.texture),
}
