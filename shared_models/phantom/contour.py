"""The left ventricle's endocardium in a long-axis plane, as a curve.

The endocardium is known in closed form: at a height z of the end-diastolic heart it has radius rho(angle, z), which
the beat turns into k^(1/2) rho at height f(z). A plane n.(p - o) = 0 meets that ring where a cos + b sin = c /
radius: one point on the image's left and one on its right.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared_models.phantom.heart import Heart
from shared_models.phantom.planes import Plane

LEVELS = 160
ROUNDS = 6  # of the fixed point that finds the angle: the oval is slight
LEAST_LENGTH = 0.7  # of the ventricle that a plane must show from the base on


def endocardial_curve(heart: Heart, plane: Plane, phase: float) -> NDArray[np.float64] | None:
    """(M, 2) in-plane mm from the left end of the base over the apex to the right end; open at the valve.

    None where the plane does not run along the ventricle from the base to near the apex.
    """
    share = np.linspace(0.0, 1.0, LEVELS)
    heights = heart.parameters.lv_length * (1.0 - (1.0 - share) ** 2)
    left, right, across = _ring(heart, plane, heights, phase)
    met = int(np.argmin(np.append(np.isfinite(left[:, 0] + right[:, 0]), False)))
    if across or met == 0 or heights[met - 1] < LEAST_LENGTH * heart.parameters.lv_length:
        return None
    return np.concatenate([left[:met], right[:met][::-1]])


def _ring(
    heart: Heart, plane: Plane, heights: NDArray[np.float64], phase: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], bool]:
    """(M, 2) points left and right, NaN where the plane misses the ring; whether the plane lies across the axis."""
    n = plane.normal
    length = float(np.hypot(n[0], n[1]))
    if length < 0.5:
        missing = np.full((len(heights), 2), np.nan)
        return missing, missing, True
    towards = np.arctan2(n[1], n[0])
    sign, both = np.repeat([1.0, -1.0], len(heights)), np.tile(heights, 2)
    angle = towards + sign * np.pi / 2
    for _ in range(ROUNDS):
        spot = heart.motion.endocardium(angle, both, phase)
        cosine = (plane.origin @ n - spot[:, 2] * n[2]) / (length * np.maximum(_off_axis(spot), 1e-9))
        wanted = towards + sign * np.arccos(np.where(np.abs(cosine) <= 1, cosine, np.nan))
        angle = angle + np.angle(np.exp(1j * (wanted - np.arctan2(spot[:, 1], spot[:, 0]))))
    spot = heart.motion.endocardium(angle, both, phase) - plane.origin
    first, second = np.split(np.stack([spot @ plane.right, spot @ plane.down], axis=1), 2)
    return (first, second, False) if first[0, 0] < second[0, 0] else (second, first, False)


def _off_axis(spots: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance from the axis of (N, 3) points."""
    return np.hypot(spots[:, 0], spots[:, 1])
