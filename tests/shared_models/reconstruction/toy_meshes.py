"""Tetrahedral meshes made of cubes: a phantom heart whose valves are closed, a hollow ball; a VTK file of text."""

from __future__ import annotations

from itertools import permutations

import numpy as np

from shared_models.phantom.volumes import Grid, bounding_grid, volume
from shared_models.reconstruction.meshes import prepared


def of_cubes(tags, grid):
    """Points, cells and tags: each voxel that has a tag as six tetrahedra about its diagonal (Kuhn)."""
    cubes = np.argwhere(tags > 0)
    corners = np.array(tags.shape) + 1
    cells = []
    for order in permutations(range(3)):
        path = np.concatenate([np.zeros((1, 3), int), np.cumsum(np.eye(3, dtype=int)[list(order)], axis=0)])
        cells.append(np.stack([np.ravel_multi_index((cubes + step).T, corners) for step in path], axis=1))
    points = (np.indices(corners).reshape(3, -1).T - 0.5) * grid.spacing_mm + grid.origin
    return points, np.concatenate(cells), np.tile(tags[tags > 0], 6)


def heart_tags(patient, edge=44):
    """(E, E, E) tags of a phantom heart, its base closed by two valves, a stub of aorta on top; and the grid."""
    heart, grid = patient.heart, bounding_grid(patient.heart, edge)
    a, p, points = heart.anatomy, heart.parameters, grid.points()
    tags = volume(heart, 0.0, edge).walls.astype(np.int64).ravel()

    def ball(centre, radius):
        return np.linalg.norm(points - centre, axis=1) < radius

    base = (np.abs(points[:, 2]) < grid.spacing_mm) & (np.hypot(points[:, 0], points[:, 1]) < p.lv_radius) & (tags == 0)
    aortic = points @ a.outflow_centre > points @ a.mitral_centre
    tags[base & ~aortic], tags[base & aortic] = 7, 9
    tags[ball(a.tricuspid_centre, 8) & (tags == 0)] = 8
    tags[ball(a.pulmonary.points[0], 8) & (tags == 0)] = 10
    tags[ball(a.aortic.centre + 25 * a.aortic_axis, 6) & (tags == 0)] = 5
    return tags.reshape((edge,) * 3), grid


def heart_mesh(patient, edge=44):
    """The same as a mesh."""
    tags, grid = heart_tags(patient, edge)
    return prepared(patient.key, *of_cubes(tags, grid))


def sphere(outer, inner, edge=32, spacing=2.0, tag=1):
    """Points, cells and tags of a hollow ball in mm about the origin."""
    grid = Grid(np.full(3, -spacing * (edge - 1) / 2), spacing, edge)
    radius = np.linalg.norm(grid.points(), axis=1).reshape((edge,) * 3)
    return of_cubes(np.where((radius < outer) & (radius >= inner), tag, 0), grid)


def vtk_text(points, cells, tags, name="elemTag"):
    """A legacy VTK file of text."""
    lines = [
        "# vtk DataFile Version 3.0",
        "a heart",
        "ASCII",
        "DATASET UNSTRUCTURED_GRID",
        f"POINTS {len(points)} float",
    ]
    lines += [" ".join(f"{value:.6f}" for value in point) for point in points]
    lines += [f"CELLS {len(cells)} {5 * len(cells)}", *("4 " + " ".join(map(str, cell)) for cell in cells)]
    lines += [f"CELL_TYPES {len(cells)}", *["10"] * len(cells), f"CELL_DATA {len(cells)}"]
    lines += [f"SCALARS {name} int 1", "LOOKUP_TABLE default", *map(str, tags)]
    return "\n".join(lines) + "\n"
