"""The thigh as a scene: its truth agrees with its formulas, and no structure runs into another."""

from __future__ import annotations

import numpy as np
import pytest

from shared_models.phantom import thigh as anatomy
from shared_models.phantom.leg import draw_leg
from shared_models.phantom.thigh import Thigh

STEP = 0.25
PLACES = (0.1, 0.3, 0.45, 0.6, 0.75, 0.9)


def _thigh(seed: int, atrophy: float = 0.0) -> Thigh:
    generator = np.random.default_rng(seed)
    return Thigh(draw_leg(generator, ("male", "female")[seed % 2]), atrophy)


def _grid(thigh: Thigh, u: float, half_width: float = 62.0) -> tuple[np.ndarray, tuple[int, int]]:
    z = u * thigh.leg.length_mm
    top = float(thigh.skin_height(np.zeros(1), np.array([z]))[0]) + 1
    x, y = np.meshgrid(np.arange(-half_width, half_width, STEP), np.arange(top, -30, -STEP))
    points = np.stack([x.ravel(), y.ravel(), np.full(x.size, z)], axis=1).astype(np.float32)
    return points, x.shape


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("atrophy", [0.0, 0.35])
def test_pixels_count_up_to_the_formula(seed, atrophy):
    thigh = _thigh(seed, atrophy)
    for u in PLACES[1:-1]:
        points, _ = _grid(thigh, u)
        counted = np.count_nonzero(thigh.labels(points, 0.0) == anatomy.RECTUS_FEMORIS) * STEP**2
        assert counted == pytest.approx(float(thigh.area_mm2(np.array([u * thigh.leg.length_mm]))[0]), rel=0.02)


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
def test_atrophy_is_prescribed_and_met(fraction):
    counts = []
    for atrophy in (0.0, fraction):
        thigh = _thigh(2, atrophy)
        points, _ = _grid(thigh, 0.6)
        counts.append(np.count_nonzero(thigh.labels(points, 0.0) == anatomy.RECTUS_FEMORIS))
    assert 1 - counts[1] / counts[0] == pytest.approx(fraction, abs=0.01)


@pytest.mark.parametrize("seed", range(4))
def test_every_point_has_one_label_and_each_structure_is_there(seed):
    thigh = _thigh(seed)
    points, _ = _grid(thigh, 0.3)
    labels = thigh.labels(points, 0.0)
    assert labels.dtype == np.uint8
    assert set(np.unique(labels)) == set(range(1, len(anatomy.THIGH_LABEL_NAMES)))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("atrophy", [0.0, 0.5])
def test_no_structure_runs_into_another(seed, atrophy):
    thigh = _thigh(seed, atrophy)
    for u in PLACES:
        points, _ = _grid(thigh, u)
        place = thigh._place(points)
        rectus, bone = place.rectus.distance < 0, place.femur.distance < 0
        vessel = (place.artery.distance < 0) | (place.vein.distance < 0)
        intermedius, sartorius = place.intermedius.distance < 0, place.sartorius.distance < 0
        beneath = place.fascia.distance < 0
        assert intermedius[bone & (points[:, 1] > 0)].all()
        assert not (rectus & (intermedius | sartorius | vessel | bone)).any()
        assert not (vessel & (bone | sartorius | intermedius)).any()
        assert not ((place.artery.distance < 0) & (place.vein.distance < 0)).any()
        assert beneath[rectus | vessel | sartorius | bone].all()


def test_distances_and_normals_are_those_of_the_boundaries():
    thigh = _thigh(1)
    points, shape = _grid(thigh, 0.45, 40.0)
    place = thigh._place(points)
    for outline in (place.rectus, place.femur, place.intermedius, place.sartorius, place.fascia):
        near = np.abs(outline.distance.reshape(shape)[1:-1, 1:-1]) < 0.3
        near &= points[:, 1].reshape(shape)[1:-1, 1:-1] > 2
        down, right = np.gradient(outline.distance.reshape(shape), STEP)
        gradient = np.stack([right, -down], axis=-1)[1:-1, 1:-1][near]
        normal = np.stack([outline.x, outline.y], axis=-1).reshape(*shape, 2)[1:-1, 1:-1][near]
        assert len(gradient) > 50
        np.testing.assert_allclose(np.hypot(*normal.T), 1, atol=1e-4)
        assert (np.linalg.norm(gradient - normal, axis=1) < 0.12).mean() > 0.97


def test_bone_shadows_blood_is_dark_and_the_fabric_stays_with_a_wasting_muscle():
    thigh = _thigh(4)
    points, _ = _grid(thigh, 0.3)
    tissue, labels = thigh.tissue(points, 0.0, contrast=False), thigh.labels(points, 0.0)
    assert (tissue.absorption[labels == anatomy.BONE] >= 20).all()
    assert tissue.absorption[labels != anatomy.BONE].max() < 1
    np.testing.assert_array_equal(tissue.blood, labels == anatomy.VESSEL)
    assert tissue.scatter[labels == anatomy.VESSEL].max() < 0.05
    assert tissue.interface[np.abs(thigh._place(points).femur.distance) < 0.1].min() > 5
    np.testing.assert_array_equal(tissue.material, points)
    assert (np.hypot(*tissue.normal[tissue.interface > 0, :2].T) > 0.99).all()
    assert not tissue.normal[tissue.interface == 0].any()

    wasted = Thigh(thigh.leg, 0.3)
    z = np.full(300, 0.4 * thigh.leg.length_mm, np.float32)
    p, q = np.random.default_rng(0).uniform((0.25, -0.6), 0.6, (300, 2)).T  # beside the inner tendon

    def within(it: Thigh) -> np.ndarray:
        section = it.section(z)
        x = section.centre + p * section.half_width
        middle = section.fascia - x * x / (2 * it.leg.round_mm) - 0.9 - section.half_thickness
        y = middle + q * section.half_thickness * (1 + it.leg.skew * p)
        return it.tissue(np.stack([x, y, z], axis=1).astype(np.float32), 0.0, contrast=False).scatter

    np.testing.assert_allclose(within(wasted), within(thigh) * (1 + 1.5 * 0.3), rtol=0.02, atol=5e-3)


def test_golden_section():
    thigh = _thigh(0)
    found = thigh.area_mm2(np.array([120.0, 200.0, 270.0]))
    np.testing.assert_allclose(found, [832.111, 762.7105, 526.8639], rtol=1e-4)
