from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_models.phantom.motion import END_SYSTOLE
from shared_models.phantom.volumes import NINE_PLANES, bounding_grid, nine_planes, picture_mm, wall_occupancy
from shared_models.reconstruction.shape_examples import (
    EDGES,
    POPULATION_SHARES,
    TARGETS,
    WALL_GREYS,
    ShapePlan,
    shape_example,
    shape_patient,
)

TWO = ("A4C", "A2C")


@lru_cache
def example(seed=1, moment="ED", **plan):
    return shape_example(shape_patient(seed), moment, ShapePlan(**{"edge": 32, **plan}))


@pytest.mark.parametrize("edge", EDGES)
def test_an_example_holds_pictures_and_the_volume_they_show(edge):
    patient = shape_patient(2)
    found = shape_example(patient, "ES", ShapePlan(edge=edge, views=TWO))
    assert found.planes.shape == (2, 224, 224)
    assert found.planes.dtype == np.float32
    assert (found.planes.min(), found.planes.max()) == (0, 1)
    grid = bounding_grid(patient.heart, edge)
    assert np.array_equal(found.target, wall_occupancy(patient.heart, END_SYSTOLE, grid))
    assert found.views == TWO
    assert (found.patient, found.moment) == (patient.key, "ES")
    assert found.lv_volume_ml == patient.heart.motion.lv_volume(END_SYSTOLE)


@given(st.integers(0, 10_000), st.sampled_from(["ED", "ES"]))
@settings(max_examples=5)
def test_the_ventricle_that_is_to_be_found_has_the_volume_that_is_said(seed, moment):
    found = shape_example(shape_patient(seed), moment, ShapePlan(64, TWO, target="left ventricle"))
    assert found.target.sum() * found.spacing_mm**3 / 1000 == pytest.approx(found.lv_volume_ml, rel=0.06)


def test_pools_are_no_walls():
    """But for voxels that the surface between them cuts, of which the finest know none."""
    walls, pools = (example(target=target, edge=128, views=("A4C",)).target for target in TARGETS[:2])
    assert not (walls & pools).any()


def test_the_ventricle_is_one_of_the_pools():
    pools, ventricle = (example(target=target).target for target in TARGETS[1:])
    assert (ventricle <= pools).all()
    assert pools.sum() > 2 * ventricle.sum() > 0


def test_without_jitter_pictures_are_the_nine_planes():
    patient = shape_patient(1)
    wanted = WALL_GREYS[nine_planes(patient.heart)] / np.float32(255)
    assert np.array_equal(example(jitter=False).planes, wanted)
    assert example(jitter=False).picture_mm == pytest.approx([picture_mm(patient.heart)] * 9)


def test_a_picture_is_a_little_wider_than_the_volume():
    found = example()
    assert 224 * found.picture_mm == pytest.approx(1.15 * 32 * found.spacing_mm)


@pytest.mark.parametrize("moment", ["ED", "ES"])
def test_places_of_pixels_are_those_of_the_walls_they_show(moment):
    """A pixel shows a wall where the nearest voxel holds one, but for voxels that a surface cuts."""
    found = example(moment=moment, edge=64)
    nearest = np.rint(found.places()).astype(int)
    inside = ((nearest >= 0) & (nearest < 64)).all(axis=-1)
    told = found.target[tuple(nearest[inside].T)]
    shown = found.planes[inside] > 0
    assert (told & shown).sum() / (told | shown).sum() > 0.75
    assert not (found.planes[~inside] > 0).any()


def test_places_of_ultrasound_are_those_of_what_the_machine_shows():
    """Blood is darker than walls, where the places say that they are."""
    found = example(views=TWO, pictures="ultrasound", edge=64)
    where = [tuple(np.rint(place).astype(int).clip(0, 63).reshape(-1, 3).T) for place in found.places()]
    blood, walls = (example(views=TWO, target=target, edge=64).target for target in ("blood pools", "walls"))
    for picture, place in zip(found.planes, where, strict=True):
        told, mirrored = (
            one[walls[place]].mean() / one[blood[place]].mean() for one in (picture.ravel(), picture[:, ::-1].ravel())
        )
        assert told > max(1.5, 1.2 * mirrored)


def test_jitter_is_the_patients_and_no_views_alone():
    assert np.array_equal(example().planes, shape_example(shape_patient(1), "ED", ShapePlan(edge=32)).planes)
    assert not np.array_equal(example().planes, example(jitter=False).planes)
    order = [NINE_PLANES.index(view) for view in ("A2C", "PLAX")]
    assert np.array_equal(example(views=("A2C", "PLAX")).planes, example().planes[order])
    assert np.array_equal(example().target, example(jitter=False).target)  # planes move, the volume does not


@pytest.mark.parametrize("moment", ["ED", "ES"])
def test_ultrasound_shows_the_same_planes_as_a_machine_sees_them(moment):
    found = example(views=TWO, pictures="ultrasound", moment=moment)
    assert found.planes.shape == (2, 224, 224)
    assert 0.05 < found.planes.mean() < 0.4
    assert (found.picture_mm > 0.4).all()
    assert np.array_equal(found.target, example(moment=moment).target)
    alone = example(views=("A2C",), pictures="ultrasound", moment=moment)
    assert np.array_equal(alone.planes[0], found.planes[1])
    other = example(views=TWO, pictures="ultrasound", moment=moment, machine="bittern")
    assert not np.array_equal(other.planes, found.planes)


def test_patients_come_from_every_population():
    drawn = [shape_patient(seed).population for seed in range(300)]
    for name, share in POPULATION_SHARES.items():
        assert drawn.count(name) / 300 == pytest.approx(share, abs=0.1)
    assert shape_patient(7) == shape_patient(7)


@pytest.mark.parametrize(
    ("plan", "line"),
    [
        ({"edge": 48}, "a target of 48 voxels a side is none; known are 32, 64, 128"),
        ({"views": ()}, "no view is given; there are RV inflow"),
        ({"views": ("A4C", "A6C")}, "there is no view 'A6C', there are RV inflow, PLAX"),
        ({"views": ("A4C", "A2C", "A4C")}, "view 'A4C' is given twice"),
        ({"pictures": "photographs"}, "there is no 'photographs' to reconstruct with; known are walls, ultrasound"),
        ({"target": "lungs"}, "there is no 'lungs' to reconstruct with; known are walls, blood pools, left ventricle"),
        ({"machine": "dodo"}, "dodo"),
    ],
)
def test_what_there_is_none_of_is_refused_in_one_line(plan, line):
    with pytest.raises(ValueError, match=line):
        ShapePlan(**plan)


def test_an_unknown_moment_is_refused_in_one_line():
    with pytest.raises(ValueError, match="there is no moment 'late'; known are ED, ES"):
        shape_example(shape_patient(0), "late", ShapePlan())
