from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from scipy.spatial import ConvexHull

from shared_models.phantom import labels as label
from shared_models.phantom.motion import (
    END_SYSTOLE,
    OUTER,
    aortic_opening,
    contraction,
    mitral_opening,
)
from shared_models.phantom.patients import draw_patient
from tests.shared_models.phantom.hearts import FEW, PHASES, SOME, along_axis, patients, phases, scattered

ONE_CYCLE = np.linspace(0, 1, 201)
POINTS = scattered(4000)


def jacobian(motion, points, phase, step=1e-4):
    """(N,) determinant of the forward map by central differences."""
    columns = [
        (motion.forward(points + step * unit, phase) - motion.forward(points - step * unit, phase)) / (2 * step)
        for unit in np.eye(3)
    ]
    return np.linalg.det(np.stack(columns, axis=2))


def cavity_volume(heart, phase, count=96):
    """Volume in ml inside the left ventricle's endocardium, moved as tissue is: cones from the axis by triangles."""
    turns = np.linspace(0, 2 * np.pi, count + 1)
    heights = heart.parameters.lv_length * (1 - (1 - np.linspace(0, 1, count)) ** 2)
    angle, height = np.meshgrid(turns, heights)
    radius = heart.anatomy.layers(angle.ravel(), height.ravel()).endocardium.reshape(angle.shape)
    still = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=-1)
    shell = heart.motion.forward(still.reshape(-1, 3), phase).reshape(still.shape)
    middle = heart.motion.forward(np.zeros((1, 3)), phase)[0]
    shell = shell - middle
    a, b, c, d = shell[:-1, :-1], shell[:-1, 1:], shell[1:, :-1], shell[1:, 1:]
    return sum(np.einsum("ijk,ijk->", np.cross(p, q), r) for p, q, r in ((a, b, c), (b, d, c))) / 6 / 1000


def counted_volume(heart, phase, edge=80):
    """The same by labels, one random point in each voxel of a cube about the ventricle."""
    p = heart.parameters
    side = max(2.1 * p.lv_radius * (1 + p.lv_oval), p.lv_length + 2)
    grid = np.stack(np.meshgrid(*[np.arange(edge)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    points = (grid + np.random.default_rng(2).random(grid.shape)) * side / edge - [side / 2, side / 2, 1]
    return (heart.labels(points, phase) == label.LV).sum() * (side / edge) ** 3 / 1000


def ejected(volume, heart):
    """Percent."""
    return 100 * (1 - volume(heart, END_SYSTOLE) / volume(heart, 0.0))


def test_the_contraction_runs_from_none_to_all_and_back():
    course = np.array([contraction(phase) for phase in ONE_CYCLE])
    rising = ONE_CYCLE <= END_SYSTOLE
    assert contraction(0.0) == contraction(1.0) == 0
    assert contraction(END_SYSTOLE) == pytest.approx(1, abs=1e-12)
    assert (np.diff(course[rising]) >= 0).all()
    assert (np.diff(course[~rising]) <= 0).all()


def test_one_valve_of_the_left_ventricle_is_shut_while_the_other_is_open():
    mitral, aortic = (np.array([one(phase) for phase in ONE_CYCLE]) for one in (mitral_opening, aortic_opening))
    assert (mitral * aortic == 0).all()
    assert mitral[ONE_CYCLE <= END_SYSTOLE].max() == 0
    assert 0 <= min(mitral.min(), aortic.min()) < 0.99 < max(mitral.max(), aortic.max()) <= 1


@given(patients(prescribed=True))
@SOME
def test_the_prescribed_ejection_fraction_is_met_by_the_surface_that_the_map_moves(patient):
    percent = patient.parameters.ejection_fraction
    assert ejected(cavity_volume, patient.heart) == pytest.approx(percent, rel=0.003)
    assert ejected(lambda heart, phase: heart.motion.lv_volume(phase), patient.heart) == pytest.approx(percent)


@given(patients())
@FEW
def test_the_ejection_fraction_counted_in_voxels_is_the_prescribed_one(patient):
    counted = ejected(counted_volume, patient.heart)
    # the count itself errs by so much
    assert counted == pytest.approx(patient.parameters.ejection_fraction, rel=0.01, abs=0.3)


@given(patients(prescribed=True), phases)
@SOME
def test_the_volume_is_that_of_the_surface_at_any_phase(patient, phase):
    volume = patient.heart.motion.lv_volume(phase)
    assert volume == pytest.approx(cavity_volume(patient.heart, phase), rel=0.004)


@pytest.mark.parametrize(("kind", "limit_mm"), [(np.float32, 0.002), (np.float64, 1e-6)])
@given(patient=patients(prescribed=True), phase=phases)
@SOME
def test_the_map_and_its_inverse_cancel_in_both_orders(patient, phase, kind, limit_mm):
    motion, points = patient.heart.motion, POINTS.astype(kind)
    for back in (
        motion.inverse(motion.forward(points, phase), phase),
        motion.forward(motion.inverse(points, phase), phase),
    ):
        assert back.dtype == kind
        assert np.linalg.norm(back - points, axis=1).max() < limit_mm


@given(patients())
@FEW
def test_nothing_has_moved_at_end_diastole(patient):
    assert np.array_equal(patient.heart.motion.inverse(POINTS, 0.0), POINTS)
    assert np.allclose(patient.heart.motion.forward(POINTS, 0.0), POINTS, atol=1e-10, rtol=0)


@given(patients(), phases)
@FEW
def test_the_beat_repeats(patient, phase):
    motion = patient.heart.motion
    assert np.allclose(motion.forward(POINTS, phase), motion.forward(POINTS, phase + 1), atol=1e-9, rtol=0)


@given(patients(prescribed=True), phases)
@FEW
def test_what_is_far_away_stands_still(patient, phase):
    a, motion = patient.heart.anatomy, patient.heart.motion
    angle, height = along_axis(patient.heart, 60, -2.0, 2.0)
    outside = OUTER * a.envelope(angle) + 0.1
    points = np.stack([outside * np.cos(angle), outside * np.sin(angle), height], axis=1)
    apart = np.all([np.hypot(*(points - one.centre)[:, :2].T) > 1.51 * one.radii[:2].max() for one in motion._atria], 0)
    beyond = POINTS[(POINTS[:, 2] > motion.top + 13) | (POINTS[:, 2] < motion.roof)]
    for still in (points[apart], beyond):
        assert len(still) > 100
        assert np.linalg.norm(motion.forward(still, phase) - still, axis=1).max() < 1e-6


@given(patients(prescribed=True), phases)
@SOME
def test_muscle_keeps_its_volume_and_the_cavity_loses_what_is_ejected(patient, phase):
    heart, points = patient.heart, POINTS * [0.45, 0.4, 0.7] + [0, 0, 30]
    found, density = heart.motion.locate(points, 0.0), jacobian(heart.motion, points, phase)
    here, off = heart.labelled(found)[0], 0.01  # mm from where layers meet and the density jumps
    left = 1 - patient.parameters.ejection_fraction / 100 * contraction(phase)
    right = 1 - patient.parameters.rv_ejection_fraction / 100 * contraction(phase)
    above = found.z > off
    cavity, muscle = here.endocardium < -off, (here.endocardium > off) & (here.epicardium < -off)
    body = (here.rv_endocardium < -0.1) & (here.epicardium > 0.1)
    for region, expected in ((muscle, 1.0), (cavity, left), (body, right)):
        inside = above & region
        assert np.abs(density[inside] - expected).max() < 0.004
        assert inside.sum() > 50
    assert density.min() > 0.1


@given(patients(prescribed=True), phases)
@SOME
def test_the_map_keeps_the_orientation_everywhere(patient, phase):
    assert jacobian(patient.heart.motion, POINTS, phase).min() > 0.05


@given(patients(prescribed=True))
@FEW
def test_tissue_does_not_tear_where_layers_meet(patient):
    heart = patient.heart
    angle, height = along_axis(heart, 40, 0.0, 1.1)
    layers = heart.anatomy.layers(angle, height)
    outer = OUTER * heart.anatomy.envelope(angle)
    for radius in (layers.endocardium, layers.epicardium, layers.rv_endocardium, layers.rv_epicardium, outer):
        sides = [
            np.stack([(radius + off) * np.cos(angle), (radius + off) * np.sin(angle), height], axis=1)
            for off in (-1e-4, 1e-4)
        ]
        inner, beyond = (heart.motion.forward(side, END_SYSTOLE) for side in sides)
        assert np.linalg.norm(inner - beyond, axis=1).max() < 0.005


@given(patients(prescribed=True), phases)
@SOME
def test_the_endocardium_in_closed_form_is_where_the_map_moves_it(patient, phase):
    heart = patient.heart
    angle, height = along_axis(heart, 30, 0.0, 0.999)
    radius = heart.anatomy.layers(angle, height).endocardium
    still = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)
    moved = heart.motion.endocardium(angle, height, phase)
    assert np.linalg.norm(moved - heart.motion.forward(still, phase), axis=1).max() < 0.01


@given(patients())
@SOME
def test_the_base_comes_down_the_apex_stays_and_the_wall_thickens(patient):
    heart, p = patient.heart, patient.parameters
    still = np.array([[0, 0, 0], [0, 0, p.lv_length], [0, 0, 0.5 * p.lv_length]])
    shift = (heart.motion.forward(still, END_SYSTOLE) - still)[:, 2]
    assert heart.motion.valve_plane(END_SYSTOLE) == pytest.approx(shift[0], abs=1e-9)
    assert 0.5 * p.shortening * p.lv_length < shift[0] < p.shortening * p.lv_length
    assert 0 <= shift[1] < 0.25 * shift[0]
    ends = heart.anatomy.layers(np.zeros(1), np.full(1, 0.5 * p.lv_length))
    wall = np.array([[ends.endocardium[0], 0, 0.5 * p.lv_length], [ends.epicardium[0], 0, 0.5 * p.lv_length]])
    before, after = (np.linalg.norm(np.diff(heart.motion.forward(wall, phase), axis=0)) for phase in (0, END_SYSTOLE))
    assert after > before * (1 + 0.3 * p.ejection_fraction / 100)


@given(patients())
@FEW
def test_the_apex_turns_against_the_base_by_the_twist(patient):
    heart, p = patient.heart, patient.parameters
    spots = np.array([[5.0, 0, 0.05 * p.lv_length], [5.0, 0, 0.85 * p.lv_length]])
    moved = heart.motion.forward(spots, END_SYSTOLE)
    base, apex = np.rad2deg(np.arctan2(moved[:, 1], moved[:, 0]))
    heights = moved[:, 2] / p.lv_length
    assert apex - base == pytest.approx(p.twist * (heights[1] - heights[0]), abs=1e-6)
    assert base < 0 < apex


@given(patients())
@FEW
def test_the_atria_fill_while_the_ventricles_empty(patient):
    ball = np.random.default_rng(0).normal(size=(400, 3))
    ball *= 0.8 / np.linalg.norm(ball, axis=1, keepdims=True)
    # the right one less: its base is pulled in with the right ventricle's
    for atrium, least in zip(patient.heart.motion._atria, (1.2, 0.95), strict=True):
        body = atrium.centre + ball * atrium.radii
        before, after = (ConvexHull(patient.heart.motion.forward(body, phase)).volume for phase in (0.0, END_SYSTOLE))
        assert after > least * before


def test_points_of_single_precision_stay_single():
    motion = draw_patient(0).heart.motion
    for phase in PHASES:
        assert motion.forward(POINTS.astype(np.float32), phase).dtype == np.float32
        assert motion.inverse(POINTS.astype(np.float32), phase).dtype == np.float32
