"""Meshes of balls enclose what balls hold; every mesh that is made is closed, and reads back as it was written."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_models.reconstruction.surface import (
    FACE,
    TRIANGLE,
    Mesh,
    enclosed_ml,
    ply_bytes,
    require_closed,
    stl_bytes,
    surface,
)

TETRAHEDRON = Mesh(
    np.array([[0, 0, 0], [10, 0, 0], [0, 20, 0], [0, 0, 30]], np.float32),
    np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32),
)


def _ball(radius: float, edge: int = 32) -> np.ndarray:
    away = np.sqrt(((np.indices((edge,) * 3) - (edge - 1) / 2) ** 2).sum(axis=0))
    return np.clip(0.5 + (radius - away) / 2, 0, 1)


def test_a_tetrahedron_in_closed_form() -> None:
    assert enclosed_ml(TETRAHEDRON) == pytest.approx(10 * 20 * 30 / 6 / 1000)
    moved = replace(TETRAHEDRON, vertices=TETRAHEDRON.vertices + np.float32(50))
    assert enclosed_ml(moved) == pytest.approx(1.0, rel=1e-4)
    assert enclosed_ml(replace(TETRAHEDRON, faces=TETRAHEDRON.faces[:, ::-1])) == pytest.approx(-1.0)


@pytest.mark.parametrize("spacing", [1.0, 2.5])
def test_a_ball_encloses_its_volume_and_lies_at_its_radius(spacing: float) -> None:
    mesh = surface(_ball(10), spacing)
    assert enclosed_ml(mesh) == pytest.approx(4 / 3 * np.pi * (10 * spacing) ** 3 / 1000, rel=0.01)
    away = np.linalg.norm(mesh.vertices - 15.5 * spacing, axis=1)
    assert away == pytest.approx(np.full(len(away), 10 * spacing), abs=0.05 * spacing)
    assert len(mesh.vertices) - 1.5 * len(mesh.faces) + len(mesh.faces) == 2  # Euler's characteristic of a sphere


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.sampled_from([0, 1, 2, 4]))
def test_a_surface_of_anything_is_closed(seed: int, levels: int) -> None:
    values = np.random.default_rng(seed).random((6, 6, 6))
    values[0, 0, 0] = 1
    mesh = surface(np.round(values * levels) / levels if levels else values, 1.0)
    require_closed(mesh)
    assert enclosed_ml(mesh) > 0


def test_what_fills_the_volume_is_closed_at_its_border() -> None:
    mesh = surface(np.ones((4, 4, 4), np.bool_), 2.0)
    assert mesh.vertices.min() == pytest.approx(-1, abs=1e-4)
    assert mesh.vertices.max() == pytest.approx(7, abs=1e-4)
    assert 0.3 < enclosed_ml(mesh) < 0.512  # corners and edges are cut


def test_stl_is_read_back() -> None:
    mesh = surface(_ball(5, edge=16), 1.0)
    written = stl_bytes(mesh)
    assert struct.unpack("<I", written[80:84]) == (len(mesh.faces),)
    assert len(written) == 84 + 50 * len(mesh.faces)
    read = np.frombuffer(written[84:], TRIANGLE)
    assert np.array_equal(read["corners"], mesh.vertices[mesh.faces])
    outward = read["corners"].mean(axis=1) - 7.5
    assert ((read["normal"] * outward).sum(axis=1) > 0).all()
    assert np.linalg.norm(read["normal"], axis=1) == pytest.approx(np.ones(len(read)), abs=1e-5)


def test_ply_is_read_back() -> None:
    header, _, body = ply_bytes(TETRAHEDRON).partition(b"end_header\n")
    assert header.startswith(b"ply\nformat binary_little_endian 1.0\n")
    assert b"element vertex 4\n" in header
    assert b"element face 4\n" in header
    assert np.array_equal(np.frombuffer(body[:48], "<f4").reshape(4, 3), TETRAHEDRON.vertices)
    faces = np.frombuffer(body[48:], FACE)
    assert faces["count"].tolist() == [3] * 4
    assert np.array_equal(faces["corners"], TETRAHEDRON.faces)


@pytest.mark.parametrize(
    ("faces", "words"),
    [
        (TETRAHEDRON.faces[:3], "not closed: 3 of 6 edges are not shared by two faces"),
        (TETRAHEDRON.faces[:0], "has no face"),
        (TETRAHEDRON.faces + 1, "names a vertex that is not among its 4"),
        (np.concatenate([TETRAHEDRON.faces, TETRAHEDRON.faces]), "6 of 6 edges"),
        (np.concatenate([TETRAHEDRON.faces[:3], TETRAHEDRON.faces[3:, ::-1]]), "turned to opposite sides"),
    ],
)
def test_a_mesh_that_is_not_closed(faces: np.ndarray, words: str) -> None:
    for use in (require_closed, enclosed_ml, stl_bytes, ply_bytes):
        with pytest.raises(ValueError, match=words):
            use(replace(TETRAHEDRON, faces=faces))


@pytest.mark.parametrize(
    ("volume", "spacing", "level", "words"),
    [
        (np.zeros((4, 4, 4)), 1.0, 0.5, "nothing in the volume reaches 0.5"),
        (np.full((4, 4, 4), np.nan), 1.0, 0.5, "values from 0 to 1"),
        (np.full((4, 4, 4), 2.0), 1.0, 0.5, "values from 0 to 1"),
        (np.ones((4, 4)), 1.0, 0.5, r"this one is \(4, 4\)"),
        (np.ones((4, 4, 4)), 0.0, 0.5, "an edge of 0.0 mm"),
        (np.ones((4, 4, 4)), 1.0, 1.0, "no surface at 1.0"),
    ],
)
def test_what_has_no_surface(volume: np.ndarray, spacing: float, level: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        surface(volume, spacing, level)
