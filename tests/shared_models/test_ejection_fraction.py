from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from shared_models.ejection_fraction import Chamber, ejection_fraction, volume_ml
from shared_models.mask_contour import outline
from shared_models.phantom import labels as label
from shared_models.phantom.motion import END_SYSTOLE
from shared_models.phantom.patients import draw_patient
from shared_models.phantom.study import Acquisition


def half_ellipsoid(radius: float, length: float, spacing: float = 0.5) -> Chamber:
    """Its apex above, its base a straight line below, with a wall around all but the base."""
    rows, columns = np.mgrid[:200, :200] * spacing
    base, middle, wall = 90.0, 50.0, 8.0

    def inside(more: float) -> np.ndarray:
        x, y = (columns - middle) / (radius + more), (base - rows) / (length + more)
        return (x**2 + y**2 <= 1) & (rows <= base)

    return Chamber(inside(0.0), inside(wall) & ~inside(0.0), spacing)


def test_the_volume_of_half_an_ellipsoid() -> None:
    found = volume_ml(half_ellipsoid(20, 70), half_ellipsoid(24, 70))
    assert found == pytest.approx(2 / 3 * np.pi * 20 * 24 * 70 / 1000, rel=0.03)


def test_half_the_volume_is_an_ejection_fraction_of_fifty_percent() -> None:
    wide, narrow = half_ellipsoid(24, 70), half_ellipsoid(24 / 2**0.5, 70)
    assert ejection_fraction((wide, wide), (narrow, narrow)) == pytest.approx(50, abs=1.5)


def test_of_the_phantoms_true_masks_it_is_near_what_was_prescribed() -> None:
    patient = draw_patient(5, "healthy", ejection_fraction=55)
    pairs = []
    for phase in (0.0, END_SYSTOLE):
        held = [Acquisition(patient, view, "albatross", seed=1, jitter=False) for view in ("A4C", "A2C")]
        maps = [next(each.frames([phase])).labels for each in held]
        chambers = [
            Chamber(found == label.LV, found == label.MYOCARDIUM, each.scanner.spacing_mm)
            for found, each in zip(maps, held, strict=True)
        ]
        pairs.append((chambers[0], chambers[1]))
    assert ejection_fraction(*pairs) == pytest.approx(55, abs=5)


def test_where_half_the_wall_is_missing_the_atrium_tells_where_the_valve_is() -> None:
    whole = half_ellipsoid(22, 70)
    rows, columns = np.mgrid[:200, :200] * whole.spacing_mm
    atrium = (rows > 90.0) & (np.abs(columns - 50.0) < 22)
    torn = replace(whole, myocardium=whole.myocardium & (columns < 50.0))
    true = volume_ml(whole, whole)
    assert volume_ml(*2 * (replace(torn, atrium=atrium),)) == pytest.approx(true, rel=0.05)
    known, unknown = (outline(torn.cavity, torn.myocardium, there)[[0, -1], 1] for there in (atrium, None))
    assert known == pytest.approx([179, 179], abs=3), "both ends lie on the base"
    assert unknown.min() < 100, "without the atrium the open side is taken for the valve"


def test_without_a_ventricle_there_is_none() -> None:
    empty = Chamber(np.zeros((9, 9), bool), np.ones((9, 9), bool), 1.0)
    with pytest.raises(ValueError, match="0 pixels"):
        ejection_fraction((empty, empty), (empty, empty))
