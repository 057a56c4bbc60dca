from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_models.phantom import labels as label
from shared_models.phantom.motion import END_SYSTOLE
from shared_models.phantom.patients import draw_patient
from shared_models.phantom.planes import SHIFT_MM, TILT_DEGREES, TURN_DEGREES, Plane, facing, shows, standard_plane
from shared_models.phantom.study import Acquisition
from shared_models.phantom.views import VIEWS
from tests.shared_models.phantom.hearts import FEW, patients

LV, LA, RV, RA, AORTA = label.LV, label.LA, label.RV, label.RA, label.AORTA
NONE = 0.002  # of the sector
VISIBLE = {
    "A2C": {LV, LA},
    "A3C": {LV, LA, AORTA},
    "A4C": {LV, LA, RV, RA},
    "A5C": {LV, RV, AORTA},
    "PLAX": {LV, LA, RV, AORTA},
    "PLAX-AV": {LV, LA, RV, AORTA},
    "PSAX-AV": {LA, RV, RA, AORTA},
    "PSAX-MV": {LV, RV},
    "PSAX-PM": {LV, RV},
    "PSAX-APEX": {LV},
    "RV-INFLOW": {RV, RA},
    "SC-4C": {LV, LA, RV, RA},
    "SC-IVC": {RA},
}
ABSENT = {
    "A2C": {RA},
    "A3C": {RA},
    "PLAX": {RA},
    "PLAX-AV": {RA},
    "PSAX-AV": {LV},
    "PSAX-MV": {LA, RA, AORTA},
    "PSAX-PM": {LA, RA, AORTA},
    "PSAX-APEX": {LA, RA, AORTA},
    "RV-INFLOW": {LA, AORTA},
    "SC-IVC": {LV, LA},
}
BESIDE = [  # in the first view the second structure lies in the direction of the third of the fourth
    ("A4C", RV, "left", LV),
    ("A4C", RA, "left", LA),
    ("A4C", LA, "below", LV),
    ("A4C", RA, "below", RV),
    ("A5C", RV, "left", LV),
    ("A5C", AORTA, "below", LV),
    ("A2C", LA, "below", LV),
    ("A3C", LA, "below", LV),
    ("A3C", AORTA, "right", LA),
    ("PLAX", AORTA, "right", LV),
    ("PLAX", LA, "right", LV),
    ("PLAX", LA, "below", AORTA),
    ("PLAX", LV, "below", RV),
    ("PLAX-AV", AORTA, "right", LV),
    ("PSAX-AV", RA, "left", AORTA),
    ("PSAX-AV", LA, "below", AORTA),
    ("PSAX-AV", AORTA, "below", RV),
    ("PSAX-MV", RV, "left", LV),
    ("PSAX-PM", RV, "left", LV),
    ("RV-INFLOW", RA, "right", RV),
    ("SC-4C", RV, "above", LV),
    ("SC-4C", RA, "left", RV),
    ("SC-4C", LA, "left", LV),
]


def seen(patient, view, phase=0.0, side=80):
    """(H, W) labels of a view as no hand shakes."""
    held = Acquisition(patient, view, "godwit", size=(side, side), jitter=False)
    marks = np.zeros(held.scanner.sector.shape, np.uint8)
    inside = held.scanner.sector
    marks[inside] = patient.heart.labels(held.scanner.pixel_points()[inside.ravel()], phase)
    return marks


def shares(marks):
    """Of the sector, by label."""
    return {value: (marks == value).sum() / (marks > 0).sum() for value in range(1, 8)}


@given(patients())
@FEW
def test_planes_are_orthonormal_with_and_without_an_operator(patient):
    for view in VIEWS:
        for jitter in (None, np.random.default_rng(3)):
            plane = standard_plane(patient.heart, view, jitter)
            axes = np.stack([plane.right, plane.down, plane.normal])
            assert axes @ axes.T == pytest.approx(np.eye(3), abs=1e-9)


@given(patients())
@FEW
def test_an_operators_hand_shakes_as_far_as_it_says_and_repeats_itself(patient):
    heart = patient.heart
    for view, least in (("A4C", 0.4), ("PSAX-PM", 0.65), ("SC-IVC", 0.65)):  # some tries are not taken
        still = standard_plane(heart, view)
        held = [standard_plane(heart, view, np.random.default_rng(seed)) for seed in range(120)]
        again = standard_plane(heart, view, np.random.default_rng(0))
        assert np.array_equal(held[0].right, again.right)
        assert np.array_equal(held[0].origin, again.origin)
        moved = np.array([one.origin - still.origin for one in held])
        assert np.linalg.norm(moved, axis=1).max() < 6 * SHIFT_MM
        for axis, towards, usual in (
            ("down", still.normal, TILT_DEGREES),
            ("down", still.right, TILT_DEGREES),
            ("right", still.normal, TURN_DEGREES),
        ):
            spread = np.rad2deg(np.std([getattr(one, axis) @ towards for one in held]))
            assert least * usual < spread < 1.3 * usual


@given(patients())
@FEW
def test_every_transducer_stands_outside_the_heart(patient):
    for view in VIEWS:
        origin = standard_plane(patient.heart, view).origin[None].astype(np.float32)
        for phase in (0.0, END_SYSTOLE):
            assert patient.heart.labels(origin, phase)[0] == label.BACKGROUND, view


@pytest.mark.parametrize("view", list(VIEWS))
@given(patient=patients())
@FEW
def test_a_view_shows_its_chambers_and_no_others(view, patient):
    here = shares(seen(patient, view))
    for chamber in VISIBLE[view]:
        assert here[chamber] > 4 * NONE, (view, label.LABEL_NAMES[chamber])
    for chamber in ABSENT.get(view, set()):
        assert here[chamber] < NONE, (view, label.LABEL_NAMES[chamber])


@pytest.mark.parametrize(("view", "first", "where", "second"), BESIDE)
@given(patient=patients())
@FEW
def test_chambers_lie_where_they_do_in_real_images(view, first, where, second, patient):
    marks = seen(patient, view, side=64)
    (row, column), (other_row, other_column) = (np.argwhere(marks == one).mean(axis=0) for one in (first, second))
    step = {
        "left": other_column - column,
        "right": column - other_column,
        "below": row - other_row,
        "above": other_row - row,
    }[where]
    assert step > 2.5


@given(patients())
@FEW
def test_short_axes_are_round_and_narrow_toward_the_apex(patient):
    areas = []
    for view in ("PSAX-MV", "PSAX-PM", "PSAX-APEX"):
        marks = seen(patient, view, side=112)
        rows, columns = np.nonzero(marks == LV)
        spread = np.linalg.eigvalsh(np.cov(np.stack([rows, columns])))
        assert np.sqrt(spread[0] / spread[1]) > 0.85
        areas.append(len(rows) / (marks > 0).sum())
        ring = np.nonzero(marks == label.MYOCARDIUM)
        assert rows.mean() == pytest.approx(ring[0].mean(), abs=4)
    assert areas[0] > areas[1] > areas[2]


def test_points_of_a_plane_lie_along_its_axes():
    plane = Plane(np.array([1.0, 2.0, 3.0]), np.array([1.0, 0, 0]), np.array([0, 0, -1.0]))
    points = plane.points(np.array([[0.0, 5.0]]), np.array([[0.0, 7.0]]))
    assert points.dtype == np.float32
    assert np.array_equal(points, [[1, 2, 3], [6, 2, -4]])


def test_facing_looks_at_the_target_with_the_right_side_right():
    plane = facing(np.array([0.0, 0, 10]), np.zeros(3), np.array([2.0, 0, 5]))
    assert plane.down == pytest.approx([0, 0, -1])
    assert plane.right == pytest.approx([1, 0, 0])


def test_turning_by_nothing_changes_nothing_and_by_a_quarter_swaps_the_axes():
    plane = Plane(np.zeros(3), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]))
    same = plane.turned(0, 0, 0)
    assert (same.right == plane.right).all()
    assert (same.down == plane.down).all()
    assert plane.turned(0, 0, np.pi / 2).right == pytest.approx(plane.down)
    assert plane.turned(0, np.pi / 2, 0).down == pytest.approx(plane.down)
    assert plane.turned(np.pi / 2, 0, 0).right == pytest.approx(plane.right)


def test_an_unknown_view_is_told_in_one_line():
    with pytest.raises(ValueError, match="there is no view 'A9C'; known are A2C") as told:
        standard_plane(draw_patient(0).heart, "A9C")
    assert "\n" not in str(told.value)


@given(patients(), st.integers(0, 1000))
@FEW
def test_a_hand_that_shakes_still_shows_what_the_view_is_named_for(patient, seed):
    for view in VIEWS:
        plane = standard_plane(patient.heart, view, np.random.default_rng(seed))
        exact = standard_plane(patient.heart, view)
        assert shows(patient.heart, view, plane) or np.allclose(plane.origin, exact.origin)


def test_few_hands_give_up_and_take_the_exact_plane():
    given_up = 0
    for seed in range(30):
        heart = draw_patient(seed, ("healthy", "dilated", "hypertrophic")[seed % 3]).heart
        for view in ("A2C", "A4C", "SC-4C"):
            held = standard_plane(heart, view, np.random.default_rng(seed))
            given_up += np.allclose(held.origin, standard_plane(heart, view).origin)
    assert given_up <= 3
