from __future__ import annotations

import numpy as np
from hypothesis import given

from shared_models.phantom import labels as label
from shared_models.phantom.anatomy import ANTERIOR, SUPERIOR, UPWARD
from shared_models.phantom.motion import END_SYSTOLE
from shared_models.phantom.shapes import radial
from shared_models.phantom.surroundings import DIAPHRAGM, LUNG, PARASTERNAL, front_of_heart
from tests.shared_models.phantom.hearts import FEW, SOME, along_axis, patients, scattered

POINTS = scattered(30000) * 0.75


def test_the_bodys_directions_are_unit_vectors_and_point_as_in_the_body():
    for direction in (DIAPHRAGM, UPWARD, SUPERIOR):
        assert np.isclose(np.linalg.norm(direction), 1)
    assert abs(np.linalg.norm(ANTERIOR) - 1) < 0.01
    assert abs(ANTERIOR @ SUPERIOR) < 0.01
    assert DIAPHRAGM @ SUPERIOR < -0.5  # the liver lies below
    assert UPWARD @ SUPERIOR < 0  # and the apex lower than the base


@given(patients())
@SOME
def test_neither_liver_nor_chest_wall_reaches_into_the_ventricles(patient):
    around = patient.heart.surroundings
    for phase in (0.0, END_SYSTOLE):
        marks = patient.heart.labels(POINTS, phase)
        inside = POINTS[np.isin(marks, (label.LV, label.MYOCARDIUM, label.RV)) & (POINTS[:, 2] > 5)]
        assert len(inside) > 300
        assert around.liver(*inside.T).min() > 0
        assert around.chest(*inside.T).min() > 0


@given(patients())
@SOME
def test_the_liver_is_a_half_space_below_the_diaphragm(patient):
    around = patient.heart.surroundings
    level = around.diaphragm * DIAPHRAGM
    assert abs(around.liver(*level[:, None])[0]) < 1e-9
    assert abs(around.liver(*(level + 7 * DIAPHRAGM)[:, None])[0] + 7) < 1e-9
    assert around.diaphragm > 0


@given(patients())
@SOME
def test_the_vena_cava_runs_from_the_right_atrium_down_through_the_liver(patient):
    around, atrium = patient.heart.surroundings, patient.heart.anatomy.right_atrium
    mouth, below = around.cava.points[0], around.cava.points[-1]
    assert atrium.distance(*mouth[:, None])[0] < 0
    assert around.liver(*below[:, None])[0] < -20
    assert (below - mouth) @ SUPERIOR < -80
    assert around.cava.distance(*around.hepatic.points[0][:, None])[0] < 0


@given(patients())
@SOME
def test_the_descending_aorta_passes_behind_the_heart(patient):
    around = patient.heart.surroundings
    angle, height = along_axis(patient.heart, 40, 0.05, 1.0)
    outer = patient.heart.anatomy.layers(angle, height).rv_epicardium
    surface = np.stack([outer * np.cos(angle), outer * np.sin(angle), height], axis=1)
    assert around.descending.distance(*surface.T).min() > -3.0  # the heart takes its place where they touch
    centre = patient.heart.anatomy.left_atrium.centre
    assert 0 < around.descending.distance(*centre[:, None])[0] < 60


@given(patients())
@FEW
def test_ribs_lie_in_the_chest_wall_on_both_sides_of_the_window(patient):
    around, p = patient.heart.surroundings, patient.parameters
    window = radial(PARASTERNAL) * (front_of_heart(patient.heart.anatomy) + 0.55 * p.chest_wall)
    for rib, side in zip(around.ribs, (-1, 1), strict=True):
        middle = rib.points.mean(axis=0)
        assert around.chest(*middle[:, None])[0] < 0
        assert side * (middle - window) @ radial(PARASTERNAL - np.pi / 2) > 0
        assert rib.distance(*window[:, None])[0] > 0.4 * p.rib_gap


@given(patients())
@SOME
def test_the_lung_lies_beside_the_free_wall_and_never_in_the_liver(patient):
    around = patient.heart.surroundings
    lung = POINTS[around.lung(*POINTS.T) < 0]
    assert len(lung) > 500
    assert (lung @ LUNG).min() > around.lung_edge
    assert around.liver(*lung.T).min() > 0


@given(patients())
@FEW
def test_the_chest_wall_lies_between_the_skin_and_the_heart(patient):
    around, a = patient.heart.surroundings, patient.heart.anatomy
    assert front_of_heart(a) < around.pleura < front_of_heart(a) + patient.parameters.chest_wall
    out = np.array([np.cos(PARASTERNAL), np.sin(PARASTERNAL), 0])
    skin = out * (front_of_heart(a) + patient.parameters.chest_wall) + 20 * UPWARD
    assert around.chest(*skin[:, None])[0] < 0
    assert around.chest(*(UPWARD * (a.epicardial_apex + 8))[:, None])[0] < 0
