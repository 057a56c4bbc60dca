"""Which tetrahedron holds a point, for all points of a lattice at once: meshes as pictures and as voxels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Cells = NDArray[np.integer]

CHUNK = 100_000  # tetrahedra at a time
LARGEST = 2_000_000  # vertices, whose cube is still a whole number of 64 bits
EDGE_SHARE = 1e-6  # how far outside a tetrahedron a point may lie that is on its face


def tags_on_lattice(places: Floats, cells: Cells, tags: NDArray[np.integer], counts: tuple[int, int, int]) -> Cells:
    """(I, J, K) the tag of a tetrahedron around each lattice point, 0 where there is none.

    Args:
        places: (P, 3) vertices in the lattice's coordinates, where its points are whole numbers from 0.
        cells: (T, 4) vertices of the tetrahedra.
        tags: (T,) positive numbers.
        counts: I, J and K.
    """
    found = np.zeros(counts, tags.dtype)
    last = np.array(counts) - 1
    for start in range(0, len(cells), CHUNK):
        corners = places[cells[start : start + CHUNK]].astype(np.float64)
        low = np.maximum(np.ceil(corners.min(axis=1) - EDGE_SHARE), 0).astype(np.int64)
        high = np.minimum(np.floor(corners.max(axis=1) + EDGE_SHARE), last).astype(np.int64)
        sides = np.maximum(high - low + 1, 0)
        near = np.flatnonzero(sides.prod(axis=1))
        near = near[np.linalg.det(corners[near, 1:] - corners[near, :1]) != 0]
        owner, points = _candidates(low[near], sides[near])
        inside = _inside(corners[near], owner, points)
        found[tuple(points[inside].T)] = tags[start : start + CHUNK][near][owner[inside]]
    return found


def _candidates(low: Cells, sides: Cells) -> tuple[Cells, Cells]:
    """(N,) number of the box and (N, 3) place of every lattice point in boxes that begin at `low`."""
    each = sides.prod(axis=1)
    owner = np.repeat(np.arange(len(low)), each)
    order = np.arange(each.sum()) - np.repeat(np.cumsum(each) - each, each)
    across, deep = sides[owner, 2], sides[owner, 1] * sides[owner, 2]
    offset = np.stack([order // deep, order % deep // across, order % across], axis=1)
    return owner, low[owner] + offset


def _inside(corners: Floats, owner: Cells, points: Cells) -> NDArray[np.bool_]:
    """(N,) whether the point's three barycentric coordinates and what they leave over are none of them negative."""
    solved = np.linalg.inv(corners[:, 1:] - corners[:, :1])
    shares = np.einsum("ni,nij->nj", points - corners[owner, 0], solved[owner])
    return (shares >= -EDGE_SHARE).all(axis=1) & (shares.sum(axis=1) <= 1 + EDGE_SHARE)


def boundary(cells: Cells) -> Cells:
    """(F, 3) the faces that belong to one tetrahedron only: the surface.

    Raises:
        ValueError: there are more vertices than can be told apart.
    """
    faces = np.sort(
        np.concatenate([cells[:, [0, 1, 2]], cells[:, [0, 1, 3]], cells[:, [0, 2, 3]], cells[:, 1:]]), axis=1
    )
    size = int(faces.max()) + 1  # one number a face, which takes a fraction of the time of comparing rows
    if size > LARGEST:
        raise ValueError(f"a mesh of {size} vertices is too large: at most {LARGEST}")
    _, first, counts = np.unique((faces[:, 0] * size + faces[:, 1]) * size + faces[:, 2], True, return_counts=True)
    return faces[first[counts == 1]]


def crossings(origin: Floats, direction: Floats, triangles: Floats) -> Floats:
    """Distances along a ray, in lengths of `direction`, at which it crosses (F, 3, 3) triangles, in order.

    By Moller and Trumbore (1997).
    """
    first, second = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    across = np.cross(direction, second)
    area = np.einsum("ij,ij->i", first, across)
    hit = np.flatnonzero(np.abs(area) > 1e-12)
    away, over = origin - triangles[hit, 0], 1 / area[hit]
    u = np.einsum("ij,ij->i", away, across[hit]) * over
    turned = np.cross(away, first[hit])
    v = (turned @ direction) * over
    t = np.einsum("ij,ij->i", second[hit], turned) * over
    return np.sort(t[(u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0)])
