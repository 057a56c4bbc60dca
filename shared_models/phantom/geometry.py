"""Where beams and pixels lie, and the way from the one to the other.

All lengths in mm in the plane of the image: x to the right, y down, the middle of the transducer's face at (0, 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shared_models.phantom.machines import Machine

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class BeamGrid:
    """Samples along beams: S rows of equal depth, B beams.

    Attributes:
        x, y: (S, B) mm.
        direction: (B, 2) unit vectors along the beams.
        depth: (S,) mm from the face.
        pitch: (S,) mm from beam to beam.
        step: mm from sample to sample.
    """

    x: Floats
    y: Floats
    direction: Floats
    depth: Floats
    pitch: Floats
    step: float


@dataclass(frozen=True, eq=False)
class ImageGrid:
    """Pixels, and how they are made of samples.

    Attributes:
        pixel_mm: (H, W, 2) where pixels lie.
        spacing_mm: the edge of a pixel.
        sector: (H, W) whether a pixel's centre lies inside the scanned region.
        gather: (pixels of the sector, S * B) weights of the samples around each.
    """

    pixel_mm: Floats
    spacing_mm: float
    sector: NDArray[np.bool_]
    gather: csr_array


def bounds(machine: Machine, start: float, depth: float) -> tuple[float, float, float]:
    """Half width, top and bottom of the scanned region in mm."""
    if machine.geometry == "linear":
        return machine.width_mm / 2, start, depth
    half = np.deg2rad(machine.width_deg / 2)
    radius = machine.radius_mm
    top = (radius + start) * np.cos(half) - radius
    return float((radius + depth) * np.sin(half)), float(top), depth


def beam_coordinates(machine: Machine, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Across (-1 to 1 inside) and depth from the face in mm of points of the plane.

    A sector has across = atan2(x, y + R) / (width / 2) and depth = sqrt(x^2 + (y + R)^2) - R.
    """
    if machine.geometry == "linear":
        return x / np.float32(machine.width_mm / 2), y
    below = y + np.float32(machine.radius_mm)
    half = np.float32(np.deg2rad(machine.width_deg / 2))
    return np.arctan2(x, below) / half, np.hypot(x, below) - np.float32(machine.radius_mm)


def beam_grid(machine: Machine, start: float, depth: float, beams: int, samples: int) -> BeamGrid:
    """Beams from edge to edge, samples from `start` to `depth`."""
    along = np.linspace(start, depth, samples, dtype=np.float32)
    step = (depth - start) / (samples - 1)
    if machine.geometry == "linear":
        across = np.linspace(-machine.width_mm / 2, machine.width_mm / 2, beams, dtype=np.float32)
        x, y = np.broadcast_arrays(across[None, :], along[:, None])
        direction = np.tile(np.array([0, 1], np.float32), (beams, 1))
        return BeamGrid(x, y, direction, along, np.full(samples, machine.width_mm / (beams - 1), np.float32), step)
    half = np.deg2rad(machine.width_deg / 2)
    angle = np.linspace(-half, half, beams, dtype=np.float32)
    direction = np.stack([np.sin(angle), np.cos(angle)], 1)
    reach = along + np.float32(machine.radius_mm)
    x = reach[:, None] * direction[None, :, 0]
    y = reach[:, None] * direction[None, :, 1] - np.float32(machine.radius_mm)
    return BeamGrid(x, y, direction, along, reach * np.float32(2 * half / (beams - 1)), step)


def pixel_edge(machine: Machine, start: float, depth: float, size: tuple[int, int]) -> float:
    """The edge of a pixel in mm with which the region, less what is cropped, fits into the image less its margins."""
    height, width = size
    half, top, bottom = bounds(machine, start, depth)
    sides, above, below = machine.margin
    across = 2 * half * (1 - 2 * machine.crop[0]) / (width * (1 - 2 * sides))
    down = (bottom - top) * (1 - machine.crop[1]) / (height * (1 - above - below))
    return max(across, down)


def pixel_positions(machine: Machine, start: float, depth: float, size: tuple[int, int]) -> Floats:
    """(H, W, 2) mm: the region in the middle of the width, its top at the margin."""
    height, width = size
    edge = pixel_edge(machine, start, depth, size)
    top = bounds(machine, start, depth)[1]
    x = (np.arange(width, dtype=np.float32) - np.float32((width - 1) / 2)) * np.float32(edge)
    y = np.float32(top) + (np.arange(height, dtype=np.float32) + np.float32(0.5 - machine.margin[1] * height)) * edge
    return np.stack(np.meshgrid(x, y.astype(np.float32)), -1)


def _bilinear(row: Floats, column: Floats, shape: tuple[int, int]) -> csr_array:
    """(P, S * B) weights at fractional rows and columns."""
    samples, beams = shape
    r0 = np.clip(row.astype(np.int32), 0, samples - 2)
    c0 = np.clip(column.astype(np.int32), 0, beams - 2)
    fr, fc = np.clip(row - r0, 0, 1), np.clip(column - c0, 0, 1)
    first = r0 * beams + c0
    index = np.stack([first, first + 1, first + beams, first + beams + 1], 1)
    weight = np.stack([(1 - fr) * (1 - fc), (1 - fr) * fc, fr * (1 - fc), fr * fc], 1)
    indptr = np.arange(0, 4 * len(row) + 1, 4, dtype=np.int32)
    return csr_array((weight.ravel(), index.ravel(), indptr), shape=(len(row), samples * beams))


def image_grid(
    machine: Machine, start: float, depth: float, size: tuple[int, int], shape: tuple[int, int]
) -> ImageGrid:
    """Pixels of an image over a beam grid of `shape` (samples, beams)."""
    pixel_mm = pixel_positions(machine, start, depth, size)
    across, along = beam_coordinates(machine, pixel_mm[..., 0], pixel_mm[..., 1])
    sector = (np.abs(across) <= 1) & (along >= start) & (along <= depth)
    row = (along[sector] - np.float32(start)) * np.float32((shape[0] - 1) / (depth - start))
    column = (across[sector] + 1) * np.float32((shape[1] - 1) / 2)
    return ImageGrid(pixel_mm, pixel_edge(machine, start, depth, size), sector, _bilinear(row, column, shape))


def sampling(machine: Machine, start: float, depth: float, size: tuple[int, int]) -> tuple[int, int]:
    """(samples, beams) that an image of a size can show: two samples and four fifths of a beam a pixel."""
    edge = pixel_edge(machine, start, depth, size)
    if machine.geometry == "linear":
        arc = machine.width_mm
    else:
        arc = np.deg2rad(machine.width_deg) * (machine.radius_mm + depth)
    samples = int(np.clip(round(2 * (depth - start) / edge), 64, machine.samples))
    return samples, int(np.clip(round(0.8 * arc / edge), 48, machine.beams))


@lru_cache(maxsize=4)
def grids(machine: Machine, start: float, depth: float, size: tuple[int, int]) -> tuple[BeamGrid, ImageGrid]:
    """Both grids; kept, since many clips share a geometry."""
    samples, beams = sampling(machine, start, depth, size)
    return (
        beam_grid(machine, start, depth, beams, samples),
        image_grid(machine, start, depth, size, (samples, beams)),
    )
