from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from shared_models.phantom import labels as label
from shared_models.phantom.motion import END_SYSTOLE
from shared_models.phantom.patients import draw_patient
from shared_models.phantom.study import Acquisition
from shared_models.phantom.volumes import bounding_grid, displacement, displacement_to_end_diastole
from shared_models.registration.pairs import LOOKS, image_pair, volume_displacement, volume_pair
from shared_models.registration.random_warps import smallest_jacobian, warped, warped_labels

EDGE = 48
STRUCTURES = (label.LV, label.MYOCARDIUM, label.LA, label.RV, label.RA)


@lru_cache
def in_space(look):
    return volume_pair(draw_patient(5), EDGE, look)


@lru_cache
def in_plane(view):
    return image_pair(draw_patient(5), view)


def correlation(first, second, where):
    return np.corrcoef(first[where], second[where])[0, 1]


def dice(first, second, value):
    return 2 * ((first == value) & (second == value)).sum() / ((first == value).sum() + (second == value).sum())


@pytest.mark.parametrize("look", LOOKS)
def test_the_true_field_brings_one_volume_onto_the_other(look):
    pair = in_space(look)
    assert pair.moving.shape == pair.fixed.shape == (EDGE,) * 3
    assert pair.moving.dtype == pair.fixed.dtype == pair.displacement.dtype == np.float32
    assert 0 <= min(pair.moving.min(), pair.fixed.min()) < max(pair.moving.max(), pair.fixed.max()) <= 1
    brought, tissue = warped(pair.moving, pair.displacement, order=1), pair.fixed_labels > 0
    wall = pair.fixed_labels == label.MYOCARDIUM
    assert correlation(pair.moving, pair.fixed, tissue) < 0.7
    assert correlation(brought, pair.fixed, tissue) > 0.95
    assert correlation(brought, pair.fixed, wall) > 0.9  # the texture moves with the tissue, not the outline alone


def test_labels_agree_where_the_true_field_leads():
    pair = in_space("smooth")
    brought = warped_labels(pair.moving_labels, pair.displacement)
    for value in STRUCTURES:
        assert dice(brought, pair.fixed_labels, value) > 0.92, label.LABEL_NAMES[value]
    assert dice(pair.moving_labels, pair.fixed_labels, label.LV) < 0.85
    assert set(np.unique(pair.fixed_labels)) == {0, *STRUCTURES, label.AORTA}


def test_the_truth_folds_nowhere():
    assert smallest_jacobian(in_space("smooth").displacement) > 0


def test_displacements_are_those_of_the_phantom_in_voxels():
    heart = draw_patient(2, "dilated").heart
    grid = bounding_grid(heart, 16)
    there = volume_displacement(heart, grid, moving=END_SYSTOLE, fixed=0.0)
    assert there.shape == (3, 16, 16, 16)
    wanted = np.moveaxis(displacement(heart, END_SYSTOLE, grid), -1, 0) / grid.spacing_mm
    assert there == pytest.approx(wanted, abs=1e-3)
    back = volume_displacement(heart, grid, moving=0.0, fixed=END_SYSTOLE)
    wanted = displacement_to_end_diastole(heart, grid.points(), END_SYSTOLE).T.reshape(3, 16, 16, 16)
    assert back == pytest.approx(wanted / grid.spacing_mm, abs=1e-3)
    assert np.abs(volume_displacement(heart, grid, moving=0.0, fixed=0.0)).max() < 1e-3
    assert np.abs(volume_displacement(heart, grid, END_SYSTOLE, END_SYSTOLE)).max() < 0.01


def test_a_pair_is_the_same_each_time_and_another_for_another_patient():
    first = in_space("speckle")
    again, other = (volume_pair(draw_patient(seed), EDGE, "speckle") for seed in (5, 6))
    assert np.array_equal(first.moving, again.moving)
    assert np.array_equal(first.fixed, again.fixed)
    assert not np.array_equal(first.fixed, other.fixed)


def test_images_of_one_phase_differ_by_noise_alone():
    pair = volume_pair(draw_patient(5), 32, "smooth", moving=0.0, fixed=0.0)
    assert 0.001 < np.abs(pair.moving - pair.fixed).mean() < 0.03
    assert np.array_equal(pair.moving_labels, pair.fixed_labels)


@pytest.mark.parametrize("view", ["A4C", "PSAX-PM"])
def test_the_true_field_brings_one_frame_onto_the_other(view):
    pair = in_plane(view)
    assert pair.displacement.shape == (2, *pair.fixed.shape)
    brought = warped(pair.moving, pair.displacement, order=1)
    tissue = pair.valid & (pair.fixed_labels > 0)
    assert correlation(brought, pair.fixed, tissue) > 0.1 + correlation(pair.moving, pair.fixed, tissue)
    assert np.abs(brought - pair.fixed)[tissue].mean() < 0.7 * np.abs(pair.moving - pair.fixed)[tissue].mean()
    assert not pair.fixed[~pair.valid & (pair.displacement == 0).all(axis=0)].any()  # nothing outside the sector


def test_in_four_chambers_frames_agree_closely():
    pair = in_plane("A4C")
    brought, near = warped(pair.moving, pair.displacement, order=1), pair.valid & (np.abs(pair.through_mm) < 2)
    assert correlation(brought, pair.fixed, near) > 0.9
    marks = warped_labels(pair.moving_labels, pair.displacement)
    for value in (label.LV, label.MYOCARDIUM, label.LA):
        assert dice(marks, pair.fixed_labels, value) > 0.85


def test_a_short_axis_slides_through_its_plane():
    pair = in_plane("PSAX-PM")
    wall = pair.fixed_labels == label.MYOCARDIUM
    assert np.abs(pair.through_mm[wall]).mean() > 3
    assert np.abs(in_plane("A4C").through_mm[in_plane("A4C").fixed_labels == label.MYOCARDIUM]).mean() < 3


def test_displacements_of_frames_are_those_of_the_acquisition_in_its_plane():
    patient = draw_patient(5)
    pair = image_pair(patient, "A4C", moving=0.0, fixed=END_SYSTOLE, size=(64, 80))
    held = Acquisition(patient, "A4C", "albatross", size=(64, 80))
    mm = held.displacement_to_end_diastole(END_SYSTOLE)
    assert pair.displacement[0] * pair.spacing_mm[0] == pytest.approx(mm @ held.plane.down, abs=0.01)
    assert pair.displacement[1] * pair.spacing_mm[1] == pytest.approx(mm @ held.plane.right, abs=0.01)
    assert pair.through_mm == pytest.approx(mm @ held.plane.normal, abs=0.01)


def test_an_unknown_look_is_refused_in_one_line():
    with pytest.raises(ValueError, match="there is no look 'sharp'; known are smooth, speckle"):
        volume_pair(draw_patient(0), 32, "sharp")
