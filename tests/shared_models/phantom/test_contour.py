from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_models.long_axis import seven_points, simpson_biplane
from shared_models.phantom import labels as label
from shared_models.phantom.contour import endocardial_curve
from shared_models.phantom.motion import END_SYSTOLE
from shared_models.phantom.planes import standard_plane
from shared_models.phantom.study import Acquisition
from tests.shared_models.phantom.hearts import FEW, SOME, patients, phases

LONG_AXES = ("A2C", "A3C", "A4C")
BEATS = (0.0, 0.2, END_SYSTOLE, 0.6)


def boundary(marks):
    """((M, 2), (M, 2)) ends of the pixel edges, x and y, between the left ventricle and all else."""
    inside = marks == label.LV
    rows, columns = np.nonzero(inside[:, 1:] != inside[:, :-1])
    below, across = np.nonzero(inside[1:] != inside[:-1])
    upright = np.stack([columns + 0.5, rows - 0.5], 1), np.stack([columns + 0.5, rows + 0.5], 1)
    level = np.stack([across - 0.5, below + 0.5], 1), np.stack([across + 0.5, below + 0.5], 1)
    return np.concatenate([upright[0], level[0]]), np.concatenate([upright[1], level[1]])


def to_boundary(points, marks):
    """(N,) pixels from points to the nearest of those edges."""
    start, end = boundary(marks)
    nearest = np.clip(points[:, None], start, end)  # the edges lie along the axes
    return np.linalg.norm(points[:, None] - nearest, axis=2).min(axis=1)


@given(patients(), st.sampled_from(LONG_AXES), st.sampled_from(BEATS), st.sampled_from([112, 256]), st.booleans())
@SOME
def test_the_points_lie_on_the_boundary_of_the_label(patient, view, phase, side, jitter):
    held = Acquisition(patient, view, "godwit", seed=1, size=(side, side), jitter=jitter)
    frame = next(held.frames([phase]))
    if np.isnan(frame.contour).any():
        assert jitter
        return
    distance = to_boundary(frame.contour, frame.labels)
    assert distance[1:6].max() <= 0.6  # what a curve drawn in whole pixels leaves; the base has corners
    assert distance.max() <= 1.1
    turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = 0.5 * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    disc = np.concatenate([ring, 0.5 * ring])
    around = (frame.contour[:, None] + disc).reshape(-1, 2) * held.scanner.spacing_mm + held.scanner.pixel_mm[0, 0]
    within = patient.heart.labels(held.plane.points(*around.T), phase).reshape(7, -1) == label.LV
    assert within.any(axis=1).all()
    assert not within.all(axis=1).any()


@given(patients(), st.sampled_from(LONG_AXES), phases, st.booleans())
@SOME
def test_the_curve_is_the_endocardium_to_a_hundredth_of_a_millimetre(patient, view, phase, jitter):
    heart = patient.heart
    plane = standard_plane(heart, view, np.random.default_rng(2) if jitter else None)
    curve = endocardial_curve(heart, plane, phase)
    if curve is None:
        assert jitter
        return
    found = heart.motion.locate(plane.origin + curve @ np.stack([plane.right, plane.down]), phase)
    inside = found.z < 0.995 * patient.parameters.lv_length
    distance = heart.anatomy.endocardial_distance(found.radius, found.angle, found.z)
    assert np.abs(distance[inside]).max() < 0.01
    assert found.z[[0, -1]] == pytest.approx(0, abs=0.01)


@given(patients(), st.sampled_from(LONG_AXES), phases)
@SOME
def test_seven_points_run_from_the_left_base_over_the_apex_at_equal_steps(patient, view, phase):
    curve = endocardial_curve(patient.heart, standard_plane(patient.heart, view), phase)
    assert curve is not None
    points = seven_points(curve)
    assert points.shape == (7, 2)
    assert (points[[0, 6]] == curve[[0, -1]]).all()
    assert points[0, 0] < points[3, 0] < points[6, 0]
    assert points[3, 1] == points[:, 1].min()  # the apex is up
    rows = points[:, 1]
    assert (np.diff(rows[:4]) < 0).all()
    assert (np.diff(rows[3:]) > 0).all()
    for side in (points[:4], points[3:]):
        lengths = [length_between(curve, *ends) for ends in pairwise(side)]
        assert lengths == pytest.approx([np.mean(lengths)] * 3, rel=0.01)


def length_between(curve, first, last):
    """Along the curve, of two points on it."""
    steps = np.linalg.norm(np.diff(curve, axis=0), axis=1)
    travelled = np.concatenate([[0], np.cumsum(steps)])

    def place(point):
        nearest = np.linalg.norm((curve[:-1] + curve[1:]) / 2 - point, axis=1).argmin()
        return travelled[nearest] + np.linalg.norm(point - curve[nearest])

    return place(last) - place(first)


@given(patients())
@SOME
def test_simpsons_biplane_volume_is_within_five_percent_of_the_true_one(patient):
    for phase in (0.0, END_SYSTOLE):
        four, two = (endocardial_curve(patient.heart, standard_plane(patient.heart, v), phase) for v in ("A4C", "A2C"))
        assert simpson_biplane(four, two) == pytest.approx(patient.heart.motion.lv_volume(phase), rel=0.05)


@pytest.mark.parametrize("view", ["PSAX-AV", "PSAX-MV", "PSAX-PM", "PSAX-APEX", "RV-INFLOW", "SC-IVC"])
@given(patient=patients())
@FEW
def test_a_view_without_a_long_axis_has_no_curve(view, patient):
    assert endocardial_curve(patient.heart, standard_plane(patient.heart, view), 0.0) is None
