"""Random hearts for property tests of the phantom, and what is measured on them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared_models.phantom.heart import Heart
from shared_models.phantom.motion import END_SYSTOLE
from shared_models.phantom.patients import Patient, draw_patient
from shared_models.phantom.population import POPULATIONS

FEW, SOME = (settings(max_examples=count, deadline=None) for count in (8, 20))
PHASES = (0.0, 0.12, END_SYSTOLE, 0.6, 0.85)

seeds = st.integers(0, 2**31 - 1)
phases = st.floats(0.0, 1.0, exclude_max=True)


@st.composite
def patients(draw: st.DrawFn, prescribed: bool = False) -> Patient:
    """Of any population; the ejection fraction as drawn, or prescribed anywhere in the allowed range."""
    percent = st.floats(5.0, 85.0) if prescribed else st.none()
    return draw_patient(draw(seeds), draw(st.sampled_from(list(POPULATIONS))), ejection_fraction=draw(percent))


def scattered(count: int, seed: int = 0, kind: type[np.floating] = np.float64) -> NDArray[np.floating]:
    """(count, 3) points in and about any heart, far ones too."""
    drawn = np.random.default_rng(seed).uniform([-140, -120, -140], [120, 120, 160], (count, 3))
    return drawn.astype(kind)


def along_axis(heart: Heart, count: int, low: float, high: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Angles and heights of a regular grid, flat, `low` to `high` of the left ventricle's length."""
    turns = np.linspace(0, 2 * np.pi, count, endpoint=False)
    heights = np.linspace(low, high, count) * heart.parameters.lv_length
    angle, height = np.meshgrid(turns, heights)
    return angle.ravel(), height.ravel()


def gradient(
    distance: Callable[..., NDArray[np.floating]], points: NDArray[np.floating], step: float = 1e-5
) -> NDArray[np.floating]:
    """(N, 3) slopes of a function of x, y and z by central differences."""
    sides = [(points + step * axis, points - step * axis) for axis in np.eye(3)]
    return np.stack([(distance(*plus.T) - distance(*minus.T)) / (2 * step) for plus, minus in sides], axis=1)
