from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_models.phantom import labels as label
from shared_models.phantom import overlays
from shared_models.phantom.machines import MACHINES, machine_named
from shared_models.phantom.motion import END_SYSTOLE
from shared_models.phantom.patients import draw_patient
from shared_models.phantom.study import Acquisition, Clip, acquire, frame_phases, still
from shared_models.phantom.views import VIEWS
from tests.shared_models.phantom.hearts import FEW, patients, phases, seeds

PATIENT = draw_patient(5)
HEART_MACHINES = [name for name, machine in MACHINES.items() if machine.geometry != "linear"]
PROGRAM = """
import hashlib
from shared_models.phantom.patients import draw_patient
from shared_models.phantom.study import acquire
clip = acquire(draw_patient(7, "dilated"), "A4C", "hoopoe", frames=3, seed=2, size=(96, 96), contrast=True)
parts = [clip.images, clip.labels, clip.sector, clip.contours, clip.phases, clip.times_s, clip.volumes_ml]
digest = hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
"""


def digest(clip: Clip) -> str:
    return hashlib.sha256(clip.images.tobytes() + clip.labels.tobytes() + clip.contours.tobytes()).hexdigest()


@given(
    patients(),
    st.sampled_from(list(VIEWS)),
    st.sampled_from(HEART_MACHINES),
    seeds,
    st.sampled_from([0.0, END_SYSTOLE]),
)
@FEW
def test_labels_partition_the_sector(patient, view, machine, seed, phase):
    held = Acquisition(patient, view, machine, seed=seed, size=(96, 112))
    frame, sector = next(held.frames([phase])), held.scanner.sector
    assert frame.image.shape == frame.labels.shape == sector.shape == (96, 112)
    assert frame.image.dtype == frame.labels.dtype == np.uint8
    assert np.array_equal(frame.labels == label.OUTSIDE, ~sector)
    assert frame.labels.max() <= label.AORTA
    assert 0.1 < sector.mean() < 0.95
    assert frame.image[sector].std() > 5
    assert frame.phase == phase
    assert frame.volume_ml == patient.heart.motion.lv_volume(phase)


def test_the_trace_goes_on_from_beat_to_beat():
    held, moments = Acquisition(PATIENT, "A4C", "bittern", size=(150, 200)), [0.5, 0.9, 0.3, 0.7, 0.1]
    images = np.stack(list(held.scanner.frames(PATIENT.heart, moments)))
    rate = PATIENT.parameters.heart_rate
    whole = overlays.draw(images, held.scanner, moments, END_SYSTOLE, heart_rate_bpm=rate)
    assert np.array_equal(np.stack([frame.image for frame in held.frames(moments)]), whole)
    assert not np.array_equal(whole, images)


@pytest.mark.parametrize("view", list(VIEWS))
def test_every_view_can_be_acquired_with_and_without_contrast(view):
    plain, filled = (still(PATIENT, view, "godwit", contrast=contrast, size=(64, 64)) for contrast in (False, True))
    assert not np.array_equal(plain.image, filled.image)
    assert plain.contour.shape == filled.contour.shape == (7, 2)
    assert np.isnan(plain.contour).all() or not np.isnan(plain.contour).any()


def test_contrast_lights_up_the_left_ventricle():
    plain, filled = (
        still(PATIENT, "A4C", "godwit", contrast=contrast, jitter=False, phase=0.3) for contrast in (False, True)
    )
    cavity, muscle = plain.labels == label.LV, plain.labels == label.MYOCARDIUM
    assert np.array_equal(plain.labels, still(PATIENT, "A4C", "godwit", jitter=False, phase=0.3).labels)
    assert plain.image[cavity].mean() < plain.image[muscle].mean()
    assert filled.image[cavity].mean() > filled.image[muscle].mean() + 20


@pytest.mark.parametrize("view", ["PSAX-AV", "PSAX-MV", "PSAX-PM", "PSAX-APEX", "RV-INFLOW", "SC-IVC"])
def test_contours_are_none_where_the_view_has_no_long_axis(view):
    for seed in range(3):
        assert np.isnan(still(PATIENT, view, "godwit", size=(48, 48), seed=seed).contour).all()


@pytest.mark.parametrize("view", ["A2C", "A3C", "A4C"])
@given(patient=patients())
@FEW
def test_contours_are_there_where_an_apical_view_is_held_well(view, patient):
    held = Acquisition(patient, view, "godwit", size=(48, 48), jitter=False)
    for frame in held.frames([0.0, END_SYSTOLE]):
        assert not np.isnan(frame.contour).any()
        assert (frame.contour >= 0).all()
        assert (frame.contour < 48).all()


def test_a_clip_holds_a_beat_with_its_truth():
    clip = acquire(PATIENT, "A4C", "godwit", frames=32, size=(64, 64), jitter=False)
    assert clip.images.shape == clip.labels.shape == (32, 64, 64)
    assert clip.contours.shape == (32, 7, 2)
    assert clip.sector.shape == (64, 64)
    assert (clip.labels == label.OUTSIDE).all(axis=0)[~clip.sector].all()
    assert (clip.patient, clip.view.name, clip.machine, clip.contrast) == (PATIENT.key, "A4C", "godwit", False)
    assert clip.volumes_ml[clip.end_diastole] == clip.volumes_ml.max()
    assert clip.volumes_ml[clip.end_systole] == clip.volumes_ml.min()
    percent = 100 * (1 - clip.volumes_ml.min() / clip.volumes_ml.max())
    assert percent == pytest.approx(PATIENT.parameters.ejection_fraction, rel=0.01)
    assert clip.ejection_fraction == PATIENT.parameters.ejection_fraction
    areas = (clip.labels == label.LV).sum(axis=(1, 2))
    assert np.corrcoef(areas, clip.volumes_ml)[0, 1] > 0.98
    assert (np.diff(clip.times_s) > 0).all()
    assert clip.spacing_mm * 64 == pytest.approx(
        Acquisition(PATIENT, "A4C", "godwit", jitter=False).scanner.spacing_mm * 112
    )


def test_the_first_frame_of_a_clip_is_the_still():
    clip = acquire(PATIENT, "PLAX", "bittern", frames=3, size=(80, 80), seed=4)
    frame = still(PATIENT, "PLAX", "bittern", size=(80, 80), seed=4)
    assert np.array_equal(clip.images[0], frame.image)
    assert np.array_equal(clip.labels[0], frame.labels)


def test_seeds_views_and_contrast_make_other_acquisitions_of_the_same_heart():
    arguments = [("A4C", 0, False), ("A4C", 1, False), ("A2C", 0, False), ("A4C", 0, True)]
    clips = [acquire(PATIENT, v, "godwit", frames=2, size=(48, 48), seed=s, contrast=c) for v, s, c in arguments]
    assert len({digest(clip) for clip in clips}) == 4
    assert len({clip.plane.origin.tobytes() for clip in clips}) == 4
    assert len({clip.ejection_fraction for clip in clips}) == 1


def test_another_process_makes_the_same_bytes():
    program = PROGRAM + "print(digest)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    here = {}
    exec(PROGRAM, here)
    assert done.stdout.strip() == here["digest"]


@given(patients(), phases)
@FEW
def test_the_displacement_of_pixels_leads_to_tissue_of_the_same_label(patient, phase):
    held = Acquisition(patient, "A3C", "godwit", size=(64, 64))
    field, sector = held.displacement_to_end_diastole(phase), held.scanner.sector
    assert field.shape == (64, 64, 3)
    assert field.dtype == np.float32
    assert (field[~sector] == 0).all()
    points = held.scanner.pixel_points()[sector.ravel()]
    there = patient.heart.labels(points + field[sector], 0.0)
    assert np.mean(there == patient.heart.labels(points, phase)) > 0.998
    assert np.abs(held.displacement_to_end_diastole(0.0)).max() == 0


@pytest.mark.parametrize("frames", [1, 2, 30, 200])
def test_the_frames_of_a_clip_cover_a_beat_at_the_machines_rate_or_faster(frames):
    machine = machine_named("albatross")
    phases_of, times = frame_phases(frames, machine, 75.0)
    assert phases_of[0] == times[0] == 0
    assert phases_of == pytest.approx((times / 0.8) % 1.0)
    if frames > 1:
        step = times[1] - times[0]
        assert step == pytest.approx(max(1 / machine.frame_rate_hz, 0.8 / frames))
        assert frames * step >= 0.8 - 1e-9


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"view": "A7C"}, "there is no view 'A7C'"),
        ({"machine": "penguin"}, "penguin"),
        ({"frames": 0}, "a clip of 0 frames is out of range"),
        ({"frames": -2}, "a clip of -2 frames is out of range"),
        ({"frames": 10**6}, "a clip of 1000000 frames is out of range"),
        ({"seed": -1}, "a seed of -1 is negative"),
        ({"size": (8, 8)}, "an image of 8x8 pixels is too small"),
        ({"size": (9000, 64)}, "an image of 9000x64 pixels is too large"),
    ],
)
def test_an_impossible_acquisition_is_refused_in_one_line(changes, why):
    with pytest.raises(ValueError, match=why) as told:
        acquire(PATIENT, **{"view": "A4C", "machine": "godwit", "frames": 2, **changes})
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("phase", [float("nan"), float("inf")])
def test_a_phase_that_is_no_number_is_refused(phase):
    with pytest.raises(ValueError, match="all finite numbers"):
        still(PATIENT, "A4C", "godwit", phase=phase)
