"""The left ventricle's outline in a long-axis view: seven points of it, and volumes by Simpson's method of discs.

A curve is open at the valve: (M, 2) from the left end of the base over the apex to the right end, in millimetres or in
pixels, x then y.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PER_SIDE = 4  # points from the apex to a base, both included
SAMPLES = 1000


def seven_points(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """(7, 2): basal 1, mid 1a, mid 1b, apex, mid 2b, mid 2a, basal 2; side 1 is where the curve begins.

    The apex is farthest from the middle of the base; each side is cut into three parts of equal length.
    """
    middle = (curve[0] + curve[-1]) / 2
    apex = int(np.argmax(((curve - middle) ** 2).sum(axis=1)))
    first = along(curve[: apex + 1], np.linspace(0, 1, PER_SIDE))
    second = along(curve[apex:], np.linspace(0, 1, PER_SIDE))
    return np.concatenate([first, second[1:]])


def along(curve: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2) points at shares of an open curve's length."""
    steps = np.linalg.norm(np.diff(curve, axis=0), axis=1)
    travelled = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = shares * travelled[-1]
    return np.stack([np.interp(wanted, travelled, curve[:, axis]) for axis in range(2)], axis=1)


def enclosed_discs(curve: NDArray[np.float64], count: int = 20) -> tuple[NDArray[np.float64], float]:
    """Diameters of `count` discs across the long axis (mm) and that axis' length, as Simpson's method takes them."""
    base, apex = (curve[0] + curve[-1]) / 2, seven_points(curve)[3]
    axis = apex - base
    length = float(np.linalg.norm(axis))
    axis = axis / length
    local = np.stack([(curve - base) @ [axis[1], -axis[0]], (curve - base) @ axis], axis=1)
    top = int(np.argmax(local[:, 1]))
    middles = (np.arange(count) + 0.5) / count * length
    left = np.interp(middles, local[: top + 1, 1], local[: top + 1, 0])
    right = np.interp(middles, local[top:, 1][::-1], local[top:, 0][::-1])
    return np.abs(right - left), length


def simpson_biplane(four: NDArray[np.float64], two: NDArray[np.float64], count: int = 20) -> float:
    """Volume in ml from two long-axis curves: V = pi / 4 sum a_i b_i L / n (ASE, method of discs)."""
    (a, first), (b, second) = enclosed_discs(four, count), enclosed_discs(two, count)
    return float(np.pi / 4 * (a * b).sum() * max(first, second) / count / 1000.0)


def spline(points: NDArray[np.float64], samples: int = SAMPLES) -> NDArray[np.float64]:
    """(samples, 2) cubic spline through (7, 2) points, in equal steps of its parameter, the chord length.

    Raises:
        ValueError: two neighbouring points are the same.
    """
    from scipy.interpolate import make_interp_spline

    chords = np.linalg.norm(np.diff(points, axis=0), axis=1)
    if (chords == 0).any():
        raise ValueError("two neighbouring points of the contour are the same")
    at = np.concatenate([[0.0], np.cumsum(chords)])
    return np.asarray(make_interp_spline(at / at[-1], points, k=3)(np.linspace(0, 1, samples)))


def enclosed(curve: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """(H, W) pixels within an open curve, in pixels, that is closed by a straight line at the valve."""
    from skimage.draw import polygon2mask

    return np.asarray(polygon2mask(shape, curve[:, ::-1]), dtype=np.bool_)
