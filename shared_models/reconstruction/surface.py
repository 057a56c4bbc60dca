"""The surface of a volume as a closed mesh of triangles, and the mesh as STL or PLY.

Marching cubes as by Lewiner et al. (2003), nothing smoothed. Around the volume there is nothing, so that what its
border cuts off is closed too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HALF = 0.5
NUDGE = 1e-6  # below the level, which voxels of full or empty volumes meet exactly, where cubes are ambiguous
COMMENT = b"Surface of a reconstructed volume, in millimetres".ljust(80)  # with which an STL file begins
TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
FACE = np.dtype([("count", "u1"), ("corners", "<i4", 3)])


@dataclass(frozen=True)
class Mesh:
    """A surface of triangles.

    Attributes:
        vertices: (n, 3) millimetres; the centre of the first voxel is the origin.
        faces: (m, 3) numbers of vertices, counterclockwise as seen from outside.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]


def surface(probabilities: NDArray[np.floating] | NDArray[np.bool_], spacing_mm: float, level: float = HALF) -> Mesh:
    """Where (E, E, E) probabilities fall below a level, on a grid whose voxels have an edge of `spacing_mm`.

    Raises:
        ValueError: no volume, values that are no probabilities, a spacing or level that is none, or nothing that
            reaches the level.
    """
    from skimage.measure import marching_cubes

    if probabilities.ndim != 3 or not (probabilities.min() >= 0 and probabilities.max() <= 1):  # which no NaN is
        raise ValueError(f"a surface is of a volume of values from 0 to 1; this one is {probabilities.shape}")
    if not 0 < spacing_mm < np.inf or not 0 < level < 1:
        raise ValueError(f"there is no surface at {level} of voxels with an edge of {spacing_mm} mm")
    if probabilities.max() < level:
        raise ValueError(f"nothing in the volume reaches {level}, so that there is no surface")
    vertices, faces, _, _ = marching_cubes(np.pad(probabilities.astype(np.float32), 1), level * (1 - NUDGE))
    return Mesh(((vertices - 1) * spacing_mm).astype(np.float32), faces[:, ::-1].astype(np.int32))


def require_closed(mesh: Mesh) -> None:
    """Whether every edge is shared by two faces and no more, which go along it in opposite directions.

    Raises:
        ValueError: one is not, or a face or vertex is missing.
    """
    if not len(mesh.faces):
        raise ValueError("the mesh has no face")
    if mesh.faces.min() < 0 or mesh.faces.max() >= len(mesh.vertices):
        raise ValueError(f"a face of the mesh names a vertex that is not among its {len(mesh.vertices)}")
    along = np.concatenate([mesh.faces[:, pair] for pair in ([0, 1], [1, 2], [2, 0])])
    _, shared = np.unique(np.sort(along, axis=1), axis=0, return_counts=True)
    if open_edges := int((shared != 2).sum()):
        raise ValueError(f"the mesh is not closed: {open_edges} of {len(shared)} edges are not shared by two faces")
    if len(np.unique(along, axis=0)) < len(along):
        raise ValueError("the mesh is not closed: neighbouring faces are turned to opposite sides")


def enclosed_ml(mesh: Mesh) -> float:
    """What a closed mesh encloses, by the divergence theorem: a sixth of the sum of a . (b x c) over faces.

    Raises:
        ValueError: it is not closed.
    """
    require_closed(mesh)
    a, b, c = (mesh.vertices[mesh.faces[:, corner]].astype(np.float64) for corner in range(3))
    return float((a * np.cross(b, c)).sum() / 6 / 1000)


def stl_bytes(mesh: Mesh) -> bytes:
    """A binary STL file.

    Raises:
        ValueError: the mesh is not closed.
    """
    require_closed(mesh)
    corners = mesh.vertices[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    triangles = np.zeros(len(corners), TRIANGLE)
    triangles["corners"], triangles["normal"] = corners, normals / np.where(lengths > 0, lengths, 1)
    return COMMENT + len(triangles).to_bytes(4, "little") + triangles.tobytes()


def ply_bytes(mesh: Mesh) -> bytes:
    """A binary PLY file.

    Raises:
        ValueError: the mesh is not closed.
    """
    require_closed(mesh)
    header = (
        "ply\nformat binary_little_endian 1.0\ncomment millimetres\n"
        f"element vertex {len(mesh.vertices)}\nproperty float x\nproperty float y\nproperty float z\n"
        f"element face {len(mesh.faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    faces = np.zeros(len(mesh.faces), FACE)
    faces["count"], faces["corners"] = 3, mesh.faces
    return header.encode("ascii") + mesh.vertices.astype("<f4").tobytes() + faces.tobytes()
