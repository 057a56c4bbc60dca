"""Sweeps of the muscle phantom: positions, standing still, atrophy, and the same numbers anywhere."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from shared_models.phantom.muscle import GROUPS, SIDES, Slide, Sweep, _Pose, draw_muscle_patient, sweep
from shared_models.phantom.thigh import RECTUS_FEMORIS, VESSEL

SIZE = (96, 96)
STILL = 1e-5  # of images scaled to 0..1: the paper's bound for a clip that stands still
MOVING = 3e-4


@pytest.fixture(scope="module")
def clip() -> Sweep:
    return sweep(draw_muscle_patient(3), "l", "T2", frames=60, seed=1, size=SIZE)


def _variance(images: np.ndarray, window: int = 10) -> np.ndarray:
    """Mean over the pixels of the variance over time, for every window, of images scaled to 0..1 each."""
    scaled = images.astype(np.float64)
    low, high = scaled.min(axis=(1, 2), keepdims=True), scaled.max(axis=(1, 2), keepdims=True)
    scaled = (scaled - low) / (high - low)
    return np.array([scaled[i : i + window].var(axis=0).mean() for i in range(len(scaled) - window + 1)])


def test_shapes_and_field(clip):
    assert clip.images.shape == clip.labels.shape == (60, *SIZE)
    assert clip.images.dtype == clip.labels.dtype == np.uint8
    assert len(clip.positions_mm) == len(clip.area_mm2) == len(clip.standard) == 60
    field = clip.labels[0] > 0
    assert ((clip.labels > 0) == field).all()
    assert not clip.images[:, ~field].any()
    assert field.mean() > 0.5


def test_it_stands_still_at_the_end_and_moves_before(clip):
    moving = int(np.count_nonzero(~clip.standard))
    assert clip.standard[moving:].all()
    assert moving == 42
    assert _variance(clip.images[moving:]).max() < STILL
    assert _variance(clip.images[:moving]).min() > MOVING
    assert len(np.unique(clip.images[moving:], axis=0)) > 1  # coded, not copied


def test_it_slides_one_way_to_the_standard_site(clip):
    assert abs(clip.positions_mm[0] - clip.standard_mm) > 0.1 * clip.length_mm
    assert abs(clip.positions_mm[-1] - clip.standard_mm) <= 4
    assert len(set(clip.positions_mm[clip.standard])) == 1
    away = np.abs(clip.positions_mm - clip.positions_mm[-1])
    assert (np.diff(away[::6]) <= 0).all()


@pytest.mark.parametrize("side", SIDES)
def test_the_section_in_the_image_is_the_true_one(side):
    patient = draw_muscle_patient(8)
    clip = sweep(patient, side, "T3", frames=1, seed=2, size=(256, 256))
    assert clip.standard.all()
    counted = np.count_nonzero(clip.labels[0] == RECTUS_FEMORIS) * clip.spacing_mm**2
    assert counted == pytest.approx(clip.area_mm2[0], rel=0.02)
    leg = patient.legs[SIDES.index(side)]
    at_site = float(patient.thigh(side, "T3").area_mm2(np.array([leg.standard_mm]))[0])
    assert at_site == pytest.approx((1 - patient.atrophy[2]) * leg.area_mm2, rel=1e-3)
    assert clip.area_mm2[0] == pytest.approx(at_site, rel=0.05)


@pytest.mark.parametrize("seed", range(5))
def test_the_standard_view_is_found_back_at_the_next_visit(seed):
    patient = draw_muscle_patient(seed, "CNS")
    first, second = (sweep(patient, "r", visit, frames=20, seed=seed, size=(32, 32)) for visit in ("T1", "T2"))
    assert abs(first.positions_mm[-1] - second.positions_mm[-1]) <= 8
    nearest = np.argmin(np.abs(second.positions_mm - first.positions_mm[-1]))
    assert abs(second.positions_mm[nearest] - first.positions_mm[-1]) <= 4
    lost = 1 - second.area_mm2[nearest] / first.area_mm2[-1]
    assert lost == pytest.approx(patient.atrophy[1], abs=0.04)


def test_lateral_is_right_in_the_left_leg_and_left_in_the_right_leg():
    thigh = draw_muscle_patient(6).thigh("l", "T1")
    pose = _Pose(slide=0.5 * thigh.leg.length_mm, aside=0.0, tilt=0.0, rock=0.0, turn=0.0)
    x, y = np.meshgrid(np.arange(-60, 60, 0.5) + 0.25, np.arange(0.5, 50, 0.5))
    points = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1).astype(np.float32)
    left, right = (Slide(thigh, side, [pose]).labels(points, 0.0).reshape(x.shape) for side in SIDES)
    assert np.mean(left == right[:, ::-1]) > 0.999
    assert (x[left == VESSEL] < 0).all()  # medial
    assert np.count_nonzero(left == VESSEL) > 50


def test_a_slide_asks_the_scene_at_its_frames():
    thigh = draw_muscle_patient(6).thigh("l", "T1")
    poses = [_Pose(z, 0.0, 0.0, 0.0, 0.0) for z in (100.0, 180.0, 260.0)]
    middle = np.array([[0.0, 12.0, 0.0], [5.0, 20.0, 0.0]], np.float32)
    slide = Slide(thigh, "l", poses)
    for frame, pose in enumerate(poses):
        tissue = slide.tissue(middle, frame / len(poses), contrast=False)
        np.testing.assert_allclose(tissue.material[:, 2], pose.slide, atol=1e-3)  # fixed to the thigh, not to the probe


def test_tilted_planes_still_cross_the_muscle_at_the_position_told():
    thigh = draw_muscle_patient(6).thigh("r", "T1")
    slide = Slide(thigh, "r", [_Pose(200.0, 1.0, 5.0, 3.0, 4.0)])
    section = thigh.section(np.array([200.0]))
    depths = np.stack([np.zeros(400), np.linspace(0, 40, 400), np.zeros(400)], axis=1).astype(np.float32)
    place = slide.tissue(depths, 0.0, contrast=False).material
    middle = np.array([section.centre[0] + 1, section.fascia[0] - section.half_thickness[0], 200.0])
    assert np.linalg.norm(place - middle, axis=1).min() < 0.06
    np.testing.assert_allclose(np.linalg.norm(place[-1] - place[0]), 40, rtol=1e-4)


def test_groups_waste_differently_and_never_recover():
    last = {group: [draw_muscle_patient(seed, group).atrophy for seed in range(60)] for group in GROUPS}
    for group, (mean, _) in GROUPS.items():
        visits = np.array(last[group])
        assert (visits[:, 0] == 0).all()
        assert (np.diff(visits) > 0).all()
        assert visits[:, 2].mean() == pytest.approx(mean, abs=0.015)
    assert np.mean(last["TETANUS"]) > 1.5 * np.mean(last["CNS"])


def test_prescribed_atrophy_is_taken():
    patient = draw_muscle_patient(1, atrophy=(0.1, 0.4))
    assert patient.atrophy == (0.0, 0.1, 0.4)
    assert patient.legs == draw_muscle_patient(1).legs


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: draw_muscle_patient(1, atrophy=(0.2, 1.2)), "an atrophy of 120% is out of range"),
        (lambda: draw_muscle_patient(1, atrophy=(-0.2, 0.2)), "an atrophy of -20% is out of range"),
        (lambda: draw_muscle_patient(1, atrophy=(float("nan"), 0.2)), "an atrophy of nan% is out of range"),
        (lambda: draw_muscle_patient(1, "SEPSIS"), "there is no group 'SEPSIS'; known are CNS, TETANUS"),
        (lambda: sweep(draw_muscle_patient(1), "l", "T4", seed=1), "there is no visit 'T4'; known are T1, T2, T3"),
        (lambda: sweep(draw_muscle_patient(1), "x", "T1", seed=1), "there is no leg 'x'; known are l, r"),
        (lambda: sweep(draw_muscle_patient(1), "l", "T1", frames=0, seed=1), "a sweep of 0 frames is empty"),
    ],
)
def test_bad_parameters_get_one_line(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


_DIGEST = """
import hashlib
from shared_models.phantom.muscle import draw_muscle_patient, sweep
clip = sweep(draw_muscle_patient(5, "CNS"), "r", "T2", frames=4, seed=9, size=(48, 48))
parts = (clip.images, clip.labels, clip.positions_mm, clip.area_mm2)
print(hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest())
"""


def test_a_fresh_process_draws_the_same():
    clip = sweep(draw_muscle_patient(5, "CNS"), "r", "T2", frames=4, seed=9, size=(48, 48))
    parts = (clip.images, clip.labels, clip.positions_mm, clip.area_mm2)
    here = hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
    there = subprocess.run([sys.executable, "-c", _DIGEST], capture_output=True, text=True, check=True).stdout.strip()
    assert here == there
    other = sweep(draw_muscle_patient(5, "CNS"), "r", "T2", frames=4, seed=10, size=(48, 48))
    assert not np.array_equal(clip.images, other.images)
