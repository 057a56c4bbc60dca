from __future__ import annotations

import numpy as np
import pytest

from shared_models.phantom.volumes import Grid
from shared_models.reconstruction.tetrahedra import boundary, crossings, tags_on_lattice
from tests.shared_models.reconstruction.toy_meshes import of_cubes, sphere

CORNER = np.array([[0, 0, 0], [4, 0, 0], [0, 4, 0], [0, 0, 4]], float)


def test_a_tetrahedron_holds_the_lattice_points_in_it_and_on_its_faces():
    found = tags_on_lattice(CORNER, np.array([[0, 1, 2, 3]]), np.array([6]), (6, 6, 6))
    i, j, k = np.indices((6, 6, 6))
    assert np.array_equal(found, np.where(i + j + k <= 4, 6, 0))


def test_orientation_and_flat_tetrahedra_make_no_difference():
    cells = np.array([[1, 0, 2, 3], [0, 1, 2, 2]])
    found = tags_on_lattice(CORNER, cells, np.array([6, 9]), (6, 6, 6))
    assert np.array_equal(found, tags_on_lattice(CORNER, np.array([[0, 1, 2, 3]]), np.array([6]), (6, 6, 6)))


def test_voxels_come_back_from_a_mesh_made_of_them():
    tags = np.random.default_rng(0).integers(0, 5, (7, 8, 9))
    grid = Grid(np.zeros(3), 1.0, 9)
    assert np.array_equal(tags_on_lattice(*of_cubes(tags, grid), tags.shape), tags)


def test_what_lies_beyond_the_lattice_is_left_out():
    found = tags_on_lattice(CORNER - 100, np.array([[0, 1, 2, 3]]), np.array([6]), (6, 6, 1))
    assert not found.any()


def test_the_surface_of_a_hollow_ball_is_crossed_twice():
    points, cells, _ = sphere(20.0, 12.0)
    surface = points[boundary(cells)]
    for direction in np.random.default_rng(1).standard_normal((20, 3)):
        met = crossings(np.zeros(3), direction / np.linalg.norm(direction), surface)
        assert met == pytest.approx([12, 20], abs=2.5)
    assert len(boundary(np.array([[0, 1, 2, 3]]))) == 4
    assert len(boundary(np.array([[0, 1, 2, 3], [1, 2, 3, 4]]))) == 6


def test_more_vertices_than_can_be_told_apart_are_refused_in_one_line():
    with pytest.raises(ValueError, match="a mesh of 2000001 vertices is too large: at most 2000000"):
        boundary(np.array([[0, 1, 2, 2_000_000]]))
