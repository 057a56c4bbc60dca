"""Cubes and balls, whose overlap, distances and volumes are known."""

from __future__ import annotations

import numpy as np
import pytest

from shared_models.reconstruction.volume_metrics import (
    IOU,
    PEAK,
    THRESHOLDS,
    error_percent,
    hausdorff_95_mm,
    iou,
    ious,
    overlap,
    peak_iou,
    volume_ml,
)


def _cube(at: int, side: int = 8, edge: int = 24) -> np.ndarray:
    found = np.zeros((edge,) * 3, np.bool_)
    found[at : at + side, 6 : 6 + side, 6 : 6 + side] = True
    return found


def _ball(radius: float, edge: int = 48) -> np.ndarray:
    axes = np.indices((edge,) * 3) - (edge - 1) / 2
    return (axes**2).sum(axis=0) <= radius**2


@pytest.mark.parametrize("shift", range(9))
def test_overlap_of_shifted_cubes(shift: int) -> None:
    assert iou(_cube(6), _cube(6 + shift)) == pytest.approx((8 - shift) / (8 + shift))


def test_overlap_of_a_ball_within_another() -> None:
    assert iou(_ball(15), _ball(20)) == pytest.approx((15 / 20) ** 3, rel=0.02)
    assert iou(_ball(15), _ball(20)) == iou(_ball(20), _ball(15))


def test_nothing_and_nothing() -> None:
    assert np.isnan(iou(_cube(6, side=0), _cube(6, side=0)))
    assert np.isnan(hausdorff_95_mm(_cube(6), _cube(6, side=0), 1.0))


@pytest.mark.parametrize("spacing", [1.0, 2.5])
@pytest.mark.parametrize(("one", "other"), [(20.0, 15.0), (15.0, 20.0)])
def test_balls_are_as_far_apart_as_their_radii(one: float, other: float, spacing: float) -> None:
    assert hausdorff_95_mm(_ball(one), _ball(other), spacing) == pytest.approx(5 * spacing, abs=0.8 * spacing)
    assert hausdorff_95_mm(_ball(one), _ball(one), spacing) == 0


def test_a_stray_voxel_is_not_among_the_95_percent() -> None:
    strayed = _ball(15)
    strayed[0, 0, 0] = True
    assert hausdorff_95_mm(strayed, _ball(15), 1.0) == 0


def test_overlap_at_each_threshold() -> None:
    probabilities = np.where(_cube(6), 0.85, np.where(_cube(14), 0.45, 0.0))[None]
    found = ious(probabilities, _cube(6)[None])
    assert found[0].tolist() == pytest.approx([0.5, 0.5, 0.5, 1, 1, 1, 1, 0])


def test_what_reaches_a_threshold_counts() -> None:
    assert ious(np.where(_cube(6), 0.5, 0.0)[None], _cube(6)[None])[0, THRESHOLDS.index(0.5)] == 1


def test_the_peak_is_of_the_mean_and_not_the_mean_of_peaks() -> None:
    each = np.zeros((2, 8))
    each[0, 1], each[1, 5], each[:, 3] = 1.0, 1.0, 0.7
    peak = peak_iou(each)
    assert peak.iou == pytest.approx(0.7)
    assert peak.threshold == 0.5


def test_both_figures_of_hearts() -> None:
    probabilities = np.stack([np.where(_cube(6), 0.45, 0.0), np.where(_cube(6), 0.85, 0.0)])
    found = overlap(probabilities, np.stack([_cube(6), _cube(6)]))
    assert found == {IOU: 0.5, PEAK: 1.0}


def test_volumes_in_millilitres() -> None:
    assert volume_ml(_cube(6), 5.0) == pytest.approx(8**3 * 0.125)
    assert volume_ml(_ball(20), 1.5) == pytest.approx(4 / 3 * np.pi * 30**3 / 1000, rel=0.01)
    assert error_percent(90, 120) == pytest.approx(-25)
    assert error_percent(150, 120) == pytest.approx(25)


def test_mistakes_are_told() -> None:
    for measure in (iou, lambda one, other: hausdorff_95_mm(one, other, 1.0)):
        with pytest.raises(ValueError, match=r"the reconstruction is \(48, 48, 48\), the truth \(24"):
            measure(_ball(5), _cube(6))
    with pytest.raises(ValueError, match="true volume is 0"):
        error_percent(1.0, 0.0)
    with pytest.raises(ValueError, match="no heart"):
        peak_iou(np.zeros((0, 8)))
