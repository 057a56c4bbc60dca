"""A mesh as a shaded picture, by a z-buffer: of every pixel the nearest point counts.

Triangles of a volume's surface are hardly larger than a pixel. They are covered with points, closely enough to leave no
gap, which spares the filling of triangles one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_models.reconstruction.surface import Mesh

Floats = NDArray[np.float64]
TILT = np.deg2rad(12.0)  # of the viewer above the horizon
OVER = 2  # pixels of the buffer a pixel of the picture, along each edge
TISSUE = np.array([0.80, 0.33, 0.30])
PAPER = np.array([1.0, 1.0, 1.0])
KEY = np.array([-0.45, -0.55, 0.70])  # where light comes from: left, above, and the viewer
AMBIENT, DIFFUSE, FILL, SHINE, SHARP = 0.30, 0.55, 0.22, 0.18, 24
DARKER = 0.30  # of what is farthest away
CLOSE = 1.2  # points along a triangle's edge, a pixel of the buffer


@dataclass(frozen=True)
class Camera:
    """How a mesh is looked at, without perspective.

    Attributes:
        centre: (3,) mm, in the middle of the picture.
        span_mm: of the picture's edge.
        pixels: of the picture's edge.
    """

    centre: Floats
    span_mm: float
    pixels: int

    def placed(self, points: Floats, turn: float) -> Floats:
        """(n, 3) mm as pixels to the right, pixels down, and mm toward the viewer, of a heart turned about its axis.

        Args:
            points: third axis from base to apex, which is shown downward.
            turn: radians, clockwise as seen from above.
        """
        across, deep, down = rotated(points - self.centre, turn).T
        scale = self.pixels * OVER / self.span_mm
        middle = self.pixels * OVER / 2
        return np.stack([across * scale + middle, down * scale + middle, deep], axis=1)


def camera_of(mesh: Mesh, pixels: int) -> Camera:
    """One in which a mesh fits from all sides.

    Raises:
        ValueError: the mesh is empty.
    """
    if not len(mesh.vertices):
        raise ValueError("the mesh has no vertex to look at")
    low, high = mesh.vertices.min(axis=0).astype(np.float64), mesh.vertices.max(axis=0).astype(np.float64)
    centre = (low + high) / 2
    around = float(np.hypot(*(mesh.vertices[:, :2] - centre[:2]).T).max())
    half_height = float(high[2] - low[2]) / 2
    reach = max(around, half_height * np.cos(TILT) + around * np.sin(TILT))
    return Camera(centre, 2.1 * reach, pixels)


def rotated(vectors: Floats, turn: float) -> Floats:
    """(n, 3) along the picture's right, toward the viewer, and down; unturned, one looks against the second axis."""
    x, y, z = vectors.T
    across = np.cos(turn) * x - np.sin(turn) * y
    toward = np.sin(turn) * x + np.cos(turn) * y
    return np.stack(
        [across, np.cos(TILT) * toward - np.sin(TILT) * z, np.sin(TILT) * toward + np.cos(TILT) * z], axis=1
    )


def render(mesh: Mesh, camera: Camera, turn: float = 0.0) -> NDArray[np.uint8]:
    """(pixels, pixels, 3) of a mesh turned about its third axis by so many radians, on white."""
    side = camera.pixels * OVER
    placed = camera.placed(mesh.vertices.astype(np.float64), turn)
    normals = rotated(vertex_normals(mesh), turn)
    nearest = np.full(side * side, -np.inf)
    facing = np.zeros((side * side, 3))
    for faces, weights in _covered(_visible(mesh.faces, placed), placed):
        points, turned = (_spread(values[faces], weights) for values in (placed, normals))
        columns, rows = np.floor(points[:, 0]).astype(np.int64), np.floor(points[:, 1]).astype(np.int64)
        shown = np.flatnonzero((columns >= 0) & (columns < side) & (rows >= 0) & (rows < side))
        last = np.full(side * side, -1)
        last[(rows * side + columns)[shown]] = shown  # of those in one place the last one stays, which is the nearest
        places = np.flatnonzero(last >= 0)
        places = places[points[last[places], 2] > nearest[places]]
        nearest[places], facing[places] = points[last[places], 2], turned[last[places]]
    return _reduced(_shaded(nearest, facing).reshape(side, side, 3), camera.pixels)


def _spread(values: Floats, weights: Floats) -> Floats:
    """(f, 3, 3) values of corners at k points of each face, (f k, 3)."""
    return np.matmul(weights, values).reshape(-1, 3)


def vertex_normals(mesh: Mesh) -> Floats:
    """(n, 3) outward unit vectors, each the mean of its faces' by area."""
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    found = np.stack(
        [np.bincount(mesh.faces.ravel(), np.repeat(normals[:, axis], 3), len(mesh.vertices)) for axis in range(3)],
        axis=1,
    )
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(found / np.where(lengths > 0, lengths, 1))


def _visible(faces: NDArray[np.int32], placed: Floats) -> NDArray[np.int32]:
    """Faces that are turned to the viewer, the farthest first; of a closed mesh they hide all others."""
    first, second, third = (placed[faces[:, corner]] for corner in range(3))
    right, down = (second - first)[:, :2].T, (third - first)[:, :2].T
    towards = faces[right[0] * down[1] - right[1] * down[0] < 0]  # rows count downward
    return towards[np.argsort(placed[towards, 2].mean(axis=1), kind="stable")]


def _covered(faces: NDArray[np.int32], placed: Floats) -> list[tuple[NDArray[np.int32], Floats]]:
    """Faces by size, each size with the weights (k, 3) of points that leave no pixel between them."""
    corners = placed[faces][:, :, :2]
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    steps = np.ceil(np.maximum(CLOSE * edges, 1)).astype(np.int64)
    return [(faces[steps == count], _lattice(int(count))) for count in np.unique(steps)]


def _lattice(steps: int) -> Floats:
    """(k, 3) weights of a triangle's corners, evenly over it, its edges included."""
    first, second = np.meshgrid(np.arange(steps + 1), np.arange(steps + 1), indexing="ij")
    inside = first + second <= steps
    first, second = first[inside], second[inside]
    return np.stack([first, second, steps - first - second], axis=1) / steps


def _shaded(depths: Floats, normals: Floats) -> Floats:
    """(n, 3) colours from 0 to 1, paper where nothing is."""
    there = np.isfinite(depths)
    colours = np.tile(PAPER, (len(depths), 1))
    if not there.any():
        return colours
    lengths = np.linalg.norm(normals[there], axis=1, keepdims=True)
    across, toward, down = (normals[there] / np.where(lengths > 0, lengths, 1)).T
    key = KEY / np.linalg.norm(KEY)
    lit = np.clip(across * key[0] + down * key[1] + toward * key[2], 0, 1)
    halfway = key + np.array([0.0, 0.0, 1.0])
    halfway /= np.linalg.norm(halfway)
    shine = np.clip(across * halfway[0] + down * halfway[1] + toward * halfway[2], 0, 1) ** SHARP
    near = depths[there]
    fog = 1 - DARKER * (near.max() - near) / max(float(np.ptp(near)), 1e-9)
    light = (AMBIENT + DIFFUSE * lit + FILL * np.clip(toward, 0, 1)) * fog
    colours[there] = np.clip(light[:, None] * TISSUE * 1.25 + (SHINE * shine * fog)[:, None], 0, 1)
    return colours


def _reduced(colours: Floats, pixels: int) -> NDArray[np.uint8]:
    """The mean of the buffer's pixels in each of the picture's."""
    blocks = colours.reshape(pixels, OVER, pixels, OVER, 3).mean(axis=(1, 3))
    return np.rint(blocks * 255).astype(np.uint8)
