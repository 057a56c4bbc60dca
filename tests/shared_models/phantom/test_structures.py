from __future__ import annotations

import numpy as np
from hypothesis import given
from scipy import ndimage

from shared_models.phantom import labels as label
from shared_models.phantom.anatomy import ATRIAL_WALL, VESSEL_WALL
from shared_models.phantom.motion import END_SYSTOLE
from shared_models.phantom.structures import distances, in_rv_wall, structure_labels
from shared_models.phantom.volumes import volume
from tests.shared_models.phantom.hearts import FEW, SOME, patients, phases

CAVITIES = (label.LV, label.LA, label.RV, label.RA, label.AORTA)
VALVES = {(label.LV, label.LA), (label.LV, label.AORTA), (label.RV, label.RA)}
WALL_MM = 1.0
HEART = np.random.default_rng(7).uniform([-90, -65, -95], [65, 85, 110], (60000, 3)).astype(np.float32)


def read(heart, points, phase):
    found = heart.motion.locate(points, phase)
    here = distances(heart.anatomy, found)
    return found, here, structure_labels(found, here)


@given(patients(), phases)
@SOME
def test_labels_have_the_sign_of_the_distances(patient, phase):
    found, here, marks = read(patient.heart, HEART, phase)
    above = found.z >= 0
    assert np.array_equal(marks == label.LV, above & (here.endocardium < 0))
    assert np.array_equal(marks == label.MYOCARDIUM, above & (here.endocardium >= 0) & (here.epicardium < 0))
    assert np.array_equal(marks == label.AORTA, ~above & (here.aorta < 0))
    assert (here.left_atrium[marks == label.LA] < 0).all()
    assert (here.right_atrium[marks == label.RA] < 0).all()
    right = marks == label.RV
    assert (np.minimum(here.rv_endocardium, here.rv_outflow)[right] < 0).all()
    outside = (marks == label.BACKGROUND) & (found.z < 0)
    assert (here.left_atrium[outside] >= 0).all()
    assert (here.aorta[outside] >= 0).all()


@given(patients(), phases)
@SOME
def test_every_point_has_one_of_seven_labels_and_every_label_a_point(patient, phase):
    assert np.array_equal(np.unique(read(patient.heart, HEART, phase)[2]), np.arange(1, 8))


@given(patients())
@FEW
def test_atria_leave_room_for_the_walls_between_them_and_the_aorta(patient):
    _, here, marks = read(patient.heart, HEART, 0.0)
    left, right, outflow = (marks == one for one in (label.LA, label.RA, label.RV))
    assert here.aorta[left | right].min() >= VESSEL_WALL
    assert here.left_atrium[right].min() >= ATRIAL_WALL
    assert here.aorta[outflow & (here.rv_endocardium > 0)].min() >= VESSEL_WALL


@given(patients(prescribed=True))
@FEW
def test_a_wall_lies_between_any_two_cavities_that_no_valve_joins(patient):
    turned = np.random.default_rng(8).normal(size=HEART.shape)
    beside = HEART + (WALL_MM * turned / np.linalg.norm(turned, axis=1, keepdims=True)).astype(np.float32)
    for phase in (0.0, END_SYSTOLE):
        pair = np.stack([read(patient.heart, points, phase)[2] for points in (HEART, beside)], axis=1)
        cavities = pair[np.isin(pair, CAVITIES).all(axis=1) & (pair[:, 0] != pair[:, 1])]
        met = {(int(first), int(second)) for first, second in np.sort(cavities, axis=1)}
        assert met <= VALVES


@given(patients())
@FEW
def test_each_cavity_is_one_piece_and_muscle_wraps_the_left_ventricle(patient):
    taken = volume(patient.heart, 0.0, 64)
    for cavity in CAVITIES:
        pieces = np.bincount(ndimage.label(taken.labels == cavity, np.ones((3, 3, 3)))[0].ravel())[1:]
        assert pieces.max() > 0.995 * pieces.sum(), cavity
    beside = ndimage.binary_dilation(taken.labels == label.LV)
    beside[..., : int(np.ceil((2.5 - taken.grid.origin[2]) / taken.grid.spacing_mm))] = False  # above the base
    assert set(np.unique(taken.labels[beside])) == {label.LV, label.MYOCARDIUM}


@given(patients(), phases)
@FEW
def test_the_right_wall_lies_outside_every_cavity(patient, phase):
    found, here, marks = read(patient.heart, HEART, phase)
    wall = in_rv_wall(found, here)
    assert wall.sum() > 50
    assert not np.isin(marks[wall & (here.rv_outflow > 0)], (label.LV, label.MYOCARDIUM, label.RV)).any()
