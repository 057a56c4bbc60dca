"""Solids whose picture is known: discs of spheres, which side is which, and what hides what."""

from __future__ import annotations

import numpy as np
import pytest

from shared_models.reconstruction.surface import Mesh, surface
from site_agent.reconstruction.rendering import Camera, camera_of, render, rotated, vertex_normals

EDGE = 40
FRONT, RIGHT_SIDE = 0.0, np.pi / 2


def ball(centre: tuple[float, float, float], radius: float) -> np.ndarray:
    """(E, E, E) whose half is the ball's surface."""
    away = np.linalg.norm(np.moveaxis(np.indices((EDGE,) * 3), 0, -1) - np.array(centre), axis=-1)
    return np.clip(0.5 + (radius - away), 0, 1)


def shown(picture: np.ndarray) -> np.ndarray:
    """Pixels that are not paper."""
    return np.asarray((picture < 250).any(axis=2))


def middle(there: np.ndarray) -> tuple[float, float]:
    """Row and column."""
    rows, columns = np.nonzero(there)
    return float(rows.mean()), float(columns.mean())


def test_a_ball_is_a_disc_of_its_size_from_everywhere_without_a_hole() -> None:
    mesh = surface(ball((20, 20, 20), 12), 1.0)
    camera = Camera(np.full(3, 20.0), 40.0, 120)
    for turn in (0.0, 1.0, 4.0):
        there = shown(render(mesh, camera, turn))
        assert np.pi * 36**2 <= there.sum() <= np.pi * 37**2  # pixels that it covers in part are shown
        assert middle(there) == pytest.approx((59.5, 59.5), abs=0.5)
        rows = np.flatnonzero(there.any(axis=1))
        assert all(there[row].sum() == np.ptp(np.flatnonzero(there[row])) + 1 for row in rows)


def test_large_triangles_leave_no_hole_either() -> None:
    corners = np.array([(x, y, z) for x in (0, 30) for y in (0, 30) for z in (0, 30)], np.float32)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([half for a, b, c, d in quads for half in ((a, b, c), (a, c, d))], np.int32)
    there = shown(render(Mesh(corners, faces), Camera(np.full(3, 15.0), 60.0, 100), FRONT))
    inside = there[60:70, 28:72]
    assert inside.all()


def test_the_first_axis_points_right_from_the_front_and_the_apex_down() -> None:
    camera = Camera(np.full(3, 20.0), 40.0, 80)
    aside, below, before = (surface(ball(at, 4), 1.0) for at in ((32, 20, 20), (20, 20, 32), (20, 32, 20)))
    assert middle(shown(render(aside, camera, FRONT))) == pytest.approx((39.5, 63.5), abs=1)
    row, column = middle(shown(render(below, camera, FRONT)))
    assert row > 60
    assert column == pytest.approx(39.5, abs=1)
    assert middle(shown(render(before, camera, RIGHT_SIDE)))[1] == pytest.approx(
        15.5, abs=1
    )  # front is left from there


def test_the_picture_is_no_mirror_image() -> None:
    right, toward, down = rotated(np.eye(3), 0.7).T
    np.testing.assert_allclose(np.cross(right, down), -toward, atol=1e-12)


def test_what_is_nearer_hides_what_is_behind() -> None:
    camera = Camera(np.full(3, 20.0), 40.0, 80)
    near, far = ball((20, 30, 20), 7), ball((20, 9, 24.4), 3)
    alone, both = (render(surface(volume, 1.0), camera, FRONT) for volume in (near, np.maximum(near, far)))
    np.testing.assert_array_equal(shown(alone), shown(both))
    assert shown(render(surface(np.maximum(near, far), 1.0), camera, RIGHT_SIDE)).sum() > shown(alone).sum()


def test_normals_of_a_ball_point_away_from_its_middle() -> None:
    mesh = surface(ball((20, 20, 20), 12), 1.0)
    outward = (mesh.vertices - 20) / np.linalg.norm(mesh.vertices - 20, axis=1, keepdims=True)
    assert (vertex_normals(mesh) * outward).sum(axis=1).min() > 0.98


def test_a_camera_takes_in_everything_from_all_sides() -> None:
    mesh = surface(np.maximum(ball((8, 30, 8), 5), ball((30, 12, 33), 5)), 2.0)
    camera = camera_of(mesh, 64)
    for turn in np.linspace(0, 2 * np.pi, 7):
        there = shown(render(mesh, camera, turn))
        assert there.any()
        assert not np.concatenate([there[0], there[-1], there[:, 0], there[:, -1]]).any()


def test_an_empty_mesh_cannot_be_looked_at() -> None:
    with pytest.raises(ValueError, match="no vertex"):
        camera_of(Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)), 10)
