from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from shared_models.phantom.anatomy import Anatomy
from shared_models.phantom.population import Parameters
from tests.shared_models.phantom.hearts import FEW, SOME, along_axis, gradient, patients, scattered


@given(patients())
@SOME
def test_the_volume_in_closed_form_is_the_integral_of_the_radii(patient):
    a, count = patient.heart.anatomy, 300
    turns = (np.arange(count) + 0.5) / count * 2 * np.pi
    heights = (np.arange(count) + 0.5) / count * patient.parameters.lv_length
    angle, height = (one.ravel() for one in np.meshgrid(turns, heights))
    squares = (a.layers(angle, height).endocardium ** 2).mean()
    assert a.endocardial_volume() == pytest.approx(np.pi * squares * patient.parameters.lv_length / 1000, rel=1e-4)


def test_a_round_ventricle_has_the_volume_of_its_ellipsoid():
    whole = Anatomy(replace(Parameters(), lv_oval=0.0, lv_lobes=0.0))
    half = 2 / 3 * np.pi * 24.0**2 * whole.half_length / 1000
    assert half < whole.endocardial_volume() < 2 * half


@given(patients())
@SOME
def test_layers_never_cross_and_stay_within_their_envelope(patient):
    a = patient.heart.anatomy
    angle, height = along_axis(patient.heart, 120, -0.4, 1.3)
    layers = a.layers(angle, height)
    assert (layers.endocardium >= 0).all()
    assert (layers.epicardium >= layers.endocardium).all()
    assert (layers.rv_endocardium >= layers.epicardium).all()
    assert (layers.rv_epicardium >= layers.rv_endocardium).all()
    assert (layers.rv_epicardium <= a.envelope(angle) + 1e-9).all()
    assert np.allclose(layers.endocardium, a.endocardium(angle, height))


@given(patients())
@SOME
def test_walls_are_as_thick_as_the_parameters_say(patient):
    a, p = patient.heart.anatomy, patient.parameters
    sides = a.layers(np.array([0.0, np.pi]), np.full(2, a.widest))
    assert sides.epicardium - sides.endocardium == pytest.approx([p.lateral_wall, p.septal_wall])
    assert sides.endocardium == pytest.approx(p.lv_radius, rel=p.lv_oval + p.lv_lobes + 1e-9)
    tips = a.layers(np.zeros(4), np.array([p.lv_length - 1e-6, p.lv_length, a.epicardial_apex - 1e-6, 200.0]))
    assert tips.endocardium[0] > tips.endocardium[1] == 0
    assert tips.epicardium[2] > tips.epicardium[3] == 0
    angle, height = along_axis(patient.heart, 60, 0.0, 0.9)
    layers = a.layers(angle, height)
    assert (layers.epicardium - layers.endocardium).min() > 0.6 * min(p.septal_wall, p.lateral_wall, p.apical_wall)


@given(patients())
@FEW
def test_distances_to_the_ventricle_have_the_sign_of_the_layers_and_a_slope_of_one(patient):
    a, p = patient.heart.anatomy, patient.parameters
    points = np.random.default_rng(1).uniform([-70, -60, 0], [70, 60, 115], (6000, 3))

    def cylinder(x, y):
        return np.hypot(x, y), np.arctan2(y, x)

    radius, angle = cylinder(*points.T[:2])
    layers, height = a.layers(angle, points[:, 2]), points[:, 2]
    for distance, surface, top in (
        (a.endocardial_distance, layers.endocardium, p.lv_length),
        (a.epicardial_distance, layers.epicardium, a.epicardial_apex),
    ):
        here = distance(radius, angle, height)
        assert np.array_equal(here < 0, (radius < surface) & (height < top))
        near = np.abs(here) < 1.5
        slope = gradient(lambda x, y, z, of=distance: of(*cylinder(x, y), z), points[near])
        assert np.linalg.norm(slope, axis=1) == pytest.approx(1.0, abs=0.08)


@given(patients())
@FEW
def test_distances_to_the_right_ventricle_have_the_sign_of_the_layers_and_about_that_slope(patient):
    a = patient.heart.anatomy
    points = np.random.default_rng(1).uniform([-90, -60, 0], [40, 80, 90], (20000, 3))

    def both(x, y, z):
        radius, angle = np.hypot(x, y), np.arctan2(y, x)
        return a.outer_distances(radius, a.epicardial_distance(radius, angle, z), a.layers(angle, z))

    radius, angle = np.hypot(*points.T[:2]), np.arctan2(points[:, 1], points[:, 0])
    layers = a.layers(angle, points[:, 2])
    inner, outer = both(*points.T)
    assert np.array_equal(inner < 0, radius < layers.rv_endocardium)
    assert np.array_equal(outer < 0, radius < layers.rv_epicardium)
    near = np.abs(inner) < 1.5
    slope = np.linalg.norm(gradient(lambda *at: both(*at)[0], points[near]), axis=1)
    assert np.median(slope) == pytest.approx(1.0, abs=0.1)
    assert np.quantile(slope, 0.05) > 0.7
    assert np.quantile(slope, 0.9) < 1.5


@given(patients())
@SOME
def test_a_shut_valve_closes_its_ring_and_an_open_one_lets_through(patient):
    a = patient.heart.anatomy
    for valve in (a.mitral, a.tricuspid, a.aortic):
        high = np.sqrt(valve.length**2 - valve.radius**2)
        middle = (valve.centre + high * valve.axis)[:, None]
        assert valve.distance(*middle, 0.0)[0] < 0
        assert valve.distance(*middle, 1.0)[0] > 0.3 * valve.radius


@given(patients())
@SOME
def test_the_rings_and_the_muscles_lie_inside_the_ventricle(patient):
    a, p = patient.heart.anatomy, patient.parameters
    for centre in (a.outflow_centre, a.mitral_centre):
        assert np.hypot(*centre[:2]) < p.lv_radius
    for papillary in a.papillary:
        radius, angle = np.hypot(*papillary.points.T[:2]), np.arctan2(papillary.points[:, 1], papillary.points[:, 0])
        assert (a.endocardial_distance(radius, angle, papillary.points[:, 2]) < 0).all()
        assert papillary.points[0, 2] > papillary.points[1, 2] > 0  # from the wall toward the valve


def test_single_precision_stays_single_and_agrees():
    a = Anatomy(Parameters())
    points = scattered(2000)
    angle, height = np.arctan2(points[:, 1], points[:, 0]), points[:, 2]
    exact = a.layers(angle, height)
    single = a.layers(angle.astype(np.float32), height.astype(np.float32))
    for name, values in vars(single).items():
        assert values.dtype == np.float32, name
        assert values == pytest.approx(getattr(exact, name), abs=0.02)
    for body in (a.left_atrium, a.right_atrium, a.aorta, a.rv_outflow):
        values = body.distance(*points.T.astype(np.float32))
        assert values.dtype == np.float32
        assert values == pytest.approx(body.distance(*points.T), abs=0.02)
