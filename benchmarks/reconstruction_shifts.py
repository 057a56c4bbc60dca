"""What an overlap of walls means: that of true walls with themselves, a little way off in any direction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.claims import Row
from shared_models.phantom.volumes import Grid, bounding_grid, wall_occupancy
from shared_models.reconstruction.shape_examples import shape_patient
from shared_models.reconstruction.volume_metrics import iou

MILLIMETRES = (0.5, 1.0, 2.0, 3.0)
EDGES, PATIENTS = (32, 64), 4


def rows(edges: Sequence[int] = EDGES, patients: int = PATIENTS) -> Iterator[Row]:
    """A row a number of voxels, a column a distance: means over patients, each moved in directions of its own."""
    for edge in edges:
        found = np.mean([_overlaps(seed, edge) for seed in range(patients)], axis=0)
        row: Row = {"table": "True walls with themselves, moved: IoU", "voxels a side": edge}
        yield {**row, **{f"{mm:g} mm": float(each) for mm, each in zip(MILLIMETRES, found, strict=True)}}


def _overlaps(seed: int, edge: int) -> list[float]:
    heart = shape_patient(seed).heart
    grid = bounding_grid(heart, edge)
    there = wall_occupancy(heart, 0.0, grid)
    towards = np.random.default_rng(seed).normal(size=(len(MILLIMETRES), 3))
    steps = towards / np.linalg.norm(towards, axis=1, keepdims=True) * np.reshape(MILLIMETRES, (-1, 1))
    return [float(iou(wall_occupancy(heart, 0.0, _moved(grid, step)), there)) for step in steps]


def _moved(grid: Grid, step: NDArray[np.float64]) -> Grid:
    return replace(grid, origin=grid.origin + step)
