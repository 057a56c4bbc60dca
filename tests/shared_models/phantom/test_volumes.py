from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from scipy.ndimage import label as components

from shared_models.phantom import labels as label
from shared_models.phantom.motion import END_SYSTOLE
from shared_models.phantom.patients import draw_patient
from shared_models.phantom.planes import TILT_DEGREES, TURN_DEGREES
from shared_models.phantom.volumes import (
    NINE_PLANES,
    POSE_DEGREES,
    WALL_NAMES,
    Grid,
    _marks,
    bounding_grid,
    displacement,
    displacement_to_end_diastole,
    landmarks,
    nine_cuts,
    nine_planes,
    picture_mm,
    volume,
    volume_on,
    wall_occupancy,
)
from tests.shared_models.phantom.hearts import FEW, patients, phases

WALLS_OF = {  # what each of the nine planes must show
    "RV inflow": {2, 4},
    "PLAX": {1, 3},
    "PSAX aortic": {3, 4},
    "PSAX mitral": {1, 2},
    "PSAX papillary": {1},
    "PSAX low": {1},
    "A4C": {1, 2, 3, 4},
    "A5C": {1, 2},
    "A2C": {1, 3},
}


def counted(taken, value):
    """Volume in ml by counting voxels."""
    return (taken.labels == value).sum() * taken.grid.spacing_mm**3 / 1000


def test_a_grid_that_is_moved_by_a_voxel_shows_the_same_heart_there():
    heart = draw_patient(1).heart
    whole = volume(heart, 0.0, 32)
    grid = replace(whole.grid, origin=whole.grid.origin + np.array([whole.grid.spacing_mm, 0, 0]))
    moved = volume_on(heart, 0.0, grid)
    np.testing.assert_array_equal(moved.labels[:-1], whole.labels[1:])
    np.testing.assert_array_equal(moved.walls[:-1], whole.walls[1:])


@given(patients())
@FEW
def test_voxels_hold_the_ventricle_and_its_ejection_fraction(patient):
    before, after = (volume(patient.heart, phase, 64) for phase in (0.0, END_SYSTOLE))
    full = counted(before, label.LV)
    assert full == pytest.approx(patient.heart.anatomy.endocardial_volume(), rel=0.04)
    percent = 100 * (1 - counted(after, label.LV) / full)
    base = np.pi * patient.parameters.lv_radius**2 / 1000 * before.grid.spacing_mm / 2  # ml of half a layer of voxels
    allowed = 0.5 + 100 * base / full
    assert percent == pytest.approx(patient.parameters.ejection_fraction, abs=allowed)
    assert counted(after, label.MYOCARDIUM) == pytest.approx(counted(before, label.MYOCARDIUM), rel=0.05)


def test_the_finest_volume_holds_the_ejection_fraction_within_one_percent():
    for population in ("healthy", "dilated", "hypertrophic"):
        patient = draw_patient(3, population)
        before, after = (counted(volume(patient.heart, phase, 128), label.LV) for phase in (0.0, END_SYSTOLE))
        assert 100 * (1 - after / before) == pytest.approx(patient.parameters.ejection_fraction, abs=1.0)


@given(patients(), phases)
@FEW
def test_volumes_of_any_edge_are_of_the_same_heart(patient, phase):
    coarse, fine = (volume(patient.heart, phase, edge) for edge in (32, 64))
    for taken, edge in ((coarse, 32), (fine, 64)):
        assert taken.labels.shape == taken.walls.shape == (edge,) * 3
        assert taken.labels.dtype == taken.walls.dtype == np.uint8
        assert set(np.unique(taken.labels)) == set(range(1, 8))
        assert set(np.unique(taken.walls)) == set(range(len(WALL_NAMES)))
        assert np.array_equal(taken.walls == 1, taken.labels == label.MYOCARDIUM)
        assert not taken.walls[np.isin(taken.labels, (label.LV, label.LA, label.RV, label.RA))].any()
    assert np.mean(coarse.walls > 0) == pytest.approx(np.mean(fine.walls > 0), rel=0.06)
    middle = fine.labels[::2, ::2, ::2] == coarse.labels
    assert middle.mean() > 0.85


@pytest.mark.parametrize("phase", [0.0, END_SYSTOLE])
def test_a_voxel_holds_wall_where_any_of_its_points_does(phase):
    heart = draw_patient(2).heart
    coarse, fine, finest = (wall_occupancy(heart, phase, bounding_grid(heart, edge)) for edge in (32, 64, 128))
    assert np.array_equal(finest, volume(heart, phase, 128).walls > 0)
    assert np.array_equal(fine, finest.reshape((64, 2) * 3).any(axis=(1, 3, 5)))
    assert np.array_equal(coarse, fine.reshape((32, 2) * 3).any(axis=(1, 3, 5)))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_walls_thinner_than_a_voxel_are_not_in_tatters(seed):
    heart, phase = draw_patient(seed).heart, END_SYSTOLE
    assert components(wall_occupancy(heart, phase, bounding_grid(heart, 32)))[1] <= 3
    assert components(volume(heart, phase, 32).walls > 0)[1] > 20


def test_a_finer_grid_is_of_the_same_cube():
    coarse = Grid(np.array([1.0, 2.0, 3.0]), 4.0, 8)
    fine = coarse.finer(2)
    assert (fine.edge, fine.spacing_mm) == (16, 2.0)
    centres = fine.points().reshape(8, 2, 8, 2, 8, 2, 3).mean(axis=(1, 3, 5))
    np.testing.assert_allclose(centres.reshape(-1, 3), coarse.points())


@given(patients())
@FEW
def test_the_heart_lies_within_its_grid_at_every_phase(patient):
    for phase in (0.0, END_SYSTOLE):
        taken = volume(patient.heart, phase, 48)
        for axis in range(3):
            for face in (0, -1):
                side = np.take(taken.walls, face, axis)
                assert not np.isin(side, (1, 2)).any()
                assert (np.take(taken.labels, face, axis) != label.LV).all()


@given(patients())
@FEW
def test_chambers_are_walled_in_their_own_walls(patient):
    taken = volume(patient.heart, 0.0, 64)
    centres = {name: np.argwhere(taken.walls == number).mean(axis=0) for number, name in enumerate(WALL_NAMES)}
    assert centres["right ventricle"][0] < centres["left ventricle"][0]  # at -x
    assert centres["left atrium"][2] < centres["left ventricle"][2]  # the apex is at +z
    assert centres["right atrium"][0] < centres["left atrium"][0]
    assert centres["right atrium"][2] < centres["right ventricle"][2]


def test_a_grid_counts_its_last_axis_fastest():
    grid = Grid(np.array([1.0, 2.0, 3.0]), 0.5, 4)
    points = grid.points().reshape(4, 4, 4, 3)
    assert points.dtype == np.float32
    assert points[1, 2, 3].tolist() == [1.5, 3.0, 4.5]


@given(patients(), phases)
@FEW
def test_the_displacement_field_is_the_map(patient, phase):
    grid = bounding_grid(patient.heart, 16)
    field, points = displacement(patient.heart, phase, grid), grid.points()
    assert field.shape == (16, 16, 16, 3)
    assert field.dtype == np.float32
    moved = points + field.reshape(-1, 3)
    assert moved == pytest.approx(patient.heart.motion.forward(points, phase), abs=1e-4)
    assert moved + displacement_to_end_diastole(patient.heart, moved, phase) == pytest.approx(points, abs=0.01)
    assert np.abs(displacement(patient.heart, 0.0, grid)).max() < 1e-3
    assert np.linalg.norm(displacement(patient.heart, END_SYSTOLE, grid), axis=3).max() > 5


@given(patients())
@FEW
def test_landmarks_lie_in_what_they_name_and_move_with_it(patient):
    chambers = ("left ventricle", "right ventricle", "left atrium", "right atrium")
    wanted = [label.LV, label.RV, label.LA, label.RA]
    for phase in (0.0, END_SYSTOLE):
        at = landmarks(patient.heart, phase)
        here = patient.heart.labels(np.array([at[name] for name in chambers]), phase)
        assert here.tolist() == wanted
    assert at["mitral valve"][2] > landmarks(patient.heart, 0.0)["mitral valve"][2] + 1


@given(patients())
@FEW
def test_the_nine_planes_show_their_walls(patient):
    planes = nine_planes(patient.heart, pixels=96)
    assert planes.shape == (9, 96, 96)
    assert planes.dtype == np.uint8
    for name, plane in zip(NINE_PLANES, planes, strict=True):
        shares = np.bincount(plane.ravel(), minlength=5) / plane.size
        for wall in WALLS_OF[name]:
            assert shares[wall] > 0.0008, (name, WALL_NAMES[wall], shares)
        assert shares[0] > 0.5


def test_nine_planes_of_another_phase_are_others():
    heart = draw_patient(1).heart
    still, moved = nine_planes(heart, 0.0, 48), nine_planes(heart, END_SYSTOLE, 48)
    assert all((one != other).mean() > 0.01 for one, other in zip(still, moved, strict=True))


@pytest.mark.parametrize("edge", [7, 0, -3, 513])
def test_a_volume_out_of_range_is_refused_in_one_line(edge):
    with pytest.raises(ValueError, match=f"a volume of {edge} voxels a side is out of range: 8 to 512"):
        bounding_grid(draw_patient(0).heart, edge)


LANDMARKS_OF = {  # through which each of the nine planes goes
    "RV inflow": ("right ventricle", "pulmonary valve", "right atrium"),
    "PLAX": ("left ventricle", "mitral valve", "aortic valve"),
    "PSAX aortic": ("left atrium", "right atrium", "aortic valve"),
    "A4C": ("left atrium", "right atrium", "apex"),
    "A5C": ("left atrium", "aortic valve", "apex"),
    "A2C": ("mitral valve", "apex"),
}


@given(patients(), phases)
@FEW
def test_the_nine_planes_go_through_their_landmarks(patient, phase):
    at, cuts = landmarks(patient.heart, phase), dict(zip(NINE_PLANES, nine_cuts(patient.heart, phase), strict=True))
    for view, names in LANDMARKS_OF.items():
        for name in names:
            assert (at[name] - cuts[view].origin) @ cuts[view].normal == pytest.approx(0, abs=1e-6), (view, name)
    whole = np.mean([at[name] for name in WALL_NAMES[1:]], axis=0)
    for view, share in (("PSAX mitral", 0.25), ("PSAX papillary", 0.75), ("PSAX low", 0.85)):
        place = whole + share * (at["apex"] - whole)
        assert (place - cuts[view].origin) @ cuts[view].normal == pytest.approx(0, abs=1e-6)
        assert abs(cuts[view].normal @ (at["apex"] - whole)) == pytest.approx(np.linalg.norm(at["apex"] - whole))


def test_pictures_are_labelled_nowhere_less_for_being_looked_at_near_the_heart_only():
    for seed, population in enumerate(("healthy", "dilated", "hypertrophic")):
        heart = draw_patient(seed, population).heart
        steps = (np.arange(64) - 31.5) * picture_mm(heart, 64)
        down, right = np.meshgrid(steps, steps, indexing="ij")
        found = nine_planes(heart, END_SYSTOLE, 64)
        for cut, plane in zip(nine_cuts(heart, END_SYSTOLE), found, strict=True):
            _, walls = _marks(heart, cut.points(right, down), END_SYSTOLE)
            assert np.array_equal(plane, walls.reshape(64, 64))


def test_jitter_is_one_pose_of_all_planes_and_a_hand_for_each():
    heart = draw_patient(1).heart
    exact = nine_cuts(heart)
    drawn = [nine_cuts(heart, jitter=np.random.default_rng(seed)) for seed in range(200)]
    again = nine_cuts(heart, jitter=np.random.default_rng(0))
    assert all(np.array_equal(one.right, other.right) for one, other in zip(drawn[0], again, strict=True))
    tilts = np.array(
        [
            [np.arccos(min(1, one.normal @ other.normal)) for one, other in zip(held, exact, strict=True)]
            for held in drawn
        ]
    )
    off = np.sqrt((tilts**2).mean())  # about two axes: the pose's and the hand's
    assert off == pytest.approx(np.deg2rad(np.sqrt(2 * POSE_DEGREES**2 + TILT_DEGREES**2 + TURN_DEGREES**2)), rel=0.1)
    shared = [
        np.cross(one.normal, other.normal) for held in drawn for one, other in zip(held[3:6], exact[3:6], strict=True)
    ]
    turns = np.array(shared).reshape(-1, 3, 3)  # three planes with one normal: the pose turns them alike
    assert np.corrcoef(turns[:, 0].ravel(), turns[:, 1].ravel())[0, 1] > 0.2
    for held in drawn[0]:
        axes = np.stack([held.right, held.down])
        assert axes @ axes.T == pytest.approx(np.eye(2), abs=1e-9)


def test_pictures_with_jitter_are_others_and_those_of_their_seed():
    heart = draw_patient(1).heart
    exact, first, again = (
        nine_planes(heart, 0.0, 48, jitter) for jitter in (None, *map(np.random.default_rng, (7, 7)))
    )
    assert np.array_equal(first, again)
    assert all((one != other).any() for one, other in zip(exact, first, strict=True))


def test_pictures_without_jitter_are_golden():
    found = nine_planes(draw_patient(1).heart, END_SYSTOLE, 32)
    assert np.bincount(found.ravel(), minlength=5).tolist() == [8450, 589, 87, 64, 26]
    assert np.bincount(found[:8].ravel(), minlength=5).tolist() == [7519, 518, 79, 50, 26]
