from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from shared_models.phantom import labels as label
from shared_models.phantom.echoes import AGENT, BLOOD, MYOCARDIUM, VALVE
from shared_models.phantom.motion import END_SYSTOLE
from tests.shared_models.phantom.hearts import FEW, patients, phases

OPEN, SHUT = 0.49, 0.2  # phases at which the mitral valve is


def at(heart, points, phase, contrast=False):
    return heart.tissue(np.asarray(points, np.float32).reshape(-1, 3), phase, contrast=contrast)


@given(patients(), phases)
@FEW
def test_the_middle_of_the_ventricle_is_blood_or_agent(patient, phase):
    heart = patient.heart
    middle = heart.motion.forward(np.array([[0.0, 0.0, 0.45 * patient.parameters.lv_length]]), phase)
    for contrast, value in ((False, BLOOD), (True, AGENT)):
        seen = at(heart, middle, phase, contrast)
        assert seen.scatter[0] == pytest.approx(value)
        assert seen.blood[0]
        assert seen.interface[0] < 0.01


@given(patients(), phases)
@FEW
def test_the_middle_of_the_lateral_wall_is_muscle_with_fibres_along_it(patient, phase):
    heart, height = patient.heart, np.array([0.5 * patient.parameters.lv_length])
    layers = heart.anatomy.layers(np.zeros(1), height)
    radius = float(layers.endocardium[0] + layers.epicardium[0]) / 2
    seen = at(heart, heart.motion.forward(np.array([[radius, 0.0, height[0]]]), phase), phase)
    assert seen.scatter[0] == pytest.approx(MYOCARDIUM)
    assert np.linalg.norm(seen.normal[0]) == pytest.approx(1, abs=1e-4)
    assert not seen.blood[0]


@given(patients())
@FEW
def test_leaflets_cross_the_ring_when_shut_and_leave_it_when_open(patient):
    heart, valve = patient.heart, patient.heart.anatomy.mitral
    rise = np.sqrt(valve.length**2 - valve.radius**2)
    tip = valve.centre + rise * valve.axis
    for phase, crossed in ((SHUT, True), (OPEN, False)):
        spot = heart.motion.forward(tip[None], phase)
        assert (abs(at(heart, spot, phase).scatter[0] - VALVE) < 1e-3) == crossed


@given(patients())
@FEW
def test_contrast_darkens_the_muscle_beside_it(patient):
    heart = patient.heart
    points = np.random.default_rng(0).uniform([-40, -40, 5], [40, 40, 100], (4000, 3))
    muscle = heart.labels(points.astype(np.float32), END_SYSTOLE) == label.MYOCARDIUM
    plain, beside = (at(heart, points[muscle], END_SYSTOLE, contrast).scatter for contrast in (False, True))
    assert np.median(beside) < 0.5 * np.median(plain)


@given(patients())
@FEW
def test_ribs_and_lung_swallow_the_beam_and_blood_hardly(patient):
    heart, around = patient.heart, patient.heart.surroundings
    rib = at(heart, np.mean([one.points.mean(axis=0) for one in around.ribs[:1]], axis=0), 0.0)
    blood = at(heart, [0.0, 0.0, 40.0], 0.0)
    muscle = at(heart, [patient.parameters.lv_radius + 4.0, 0.0, heart.anatomy.widest], 0.0)
    assert rib.absorption[0] > 10 * muscle.absorption[0]
    assert blood.absorption[0] < muscle.absorption[0] < 1


@given(patients(), phases)
@FEW
def test_the_pericardium_is_the_brightest_boundary(patient, phase):
    heart, height = patient.heart, np.array([0.4 * patient.parameters.lv_length])
    outer = heart.anatomy.layers(np.zeros(1), height).rv_epicardium[0]
    steps = np.linspace(-3, 3, 61)
    still = np.stack([outer + steps, np.zeros(61), np.full(61, height[0])], axis=1)
    seen = at(heart, heart.motion.forward(still, phase), phase)
    assert seen.interface.max() > 1.5
    assert abs(steps[seen.interface.argmax()]) < 1.5
