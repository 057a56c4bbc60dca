"""Two images of one heart at two moments, with where each point went: the phantom as a test of registration.

A displacement is (d, *N) float32 in voxels, channel k along axis k, and maps fixed to moving: the tissue that the fixed
image shows at p is shown by the moving one at p + u(p).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from shared_models.phantom import acoustics
from shared_models.phantom import labels as label
from shared_models.phantom.heart import CHUNK, Heart
from shared_models.phantom.machines import Machine
from shared_models.phantom.motion import END_SYSTOLE
from shared_models.phantom.patients import Patient
from shared_models.phantom.study import Acquisition
from shared_models.phantom.volumes import Grid, bounding_grid, volume

Floats = NDArray[np.float32]
Look = Literal["smooth", "speckle"]

LOOKS: tuple[Look, ...] = ("smooth", "speckle")
BLOOD, WALL = 0.12, 0.7
GREYS = np.array([0, 0.35, BLOOD, WALL, BLOOD, BLOOD, BLOOD, BLOOD], np.float32)  # by label; what is about the heart
BLOOD_POOLS = (label.LV, label.LA, label.RV, label.RA, label.AORTA)
GRAIN_MM = 2.5  # edge of a voxel of speckle
BLUR = 0.7  # deviation of the point-spread, voxels
NOISE = 0.02  # deviation of what differs between any two images


@dataclass(frozen=True)
class Pair:
    """What is registered, and what is known of it.

    Attributes:
        name: of the pair.
        moving, fixed: (*N) float32 in [0, 1], two or three axes.
        spacing_mm: (d,) edges of a voxel.
        moving_labels, fixed_labels: (*N) uint8, 0 for what is none of the structures; None where there are none.
        displacement: (d, *N) float32 voxels from fixed to moving; None where the truth is unknown.
        valid: (*N) where both images show the tissue; None for everywhere.
        through_mm: (*N) how far tissue leaves the plane of a 2D image, which no image shows; None in 3D.
    """

    name: str
    moving: Floats
    fixed: Floats
    spacing_mm: tuple[float, ...]
    moving_labels: NDArray[np.uint8] | None = None
    fixed_labels: NDArray[np.uint8] | None = None
    displacement: Floats | None = None
    valid: NDArray[np.bool_] | None = None
    through_mm: Floats | None = None


def volume_pair(
    patient: Patient, edge: int, look: Look = "smooth", moving: float = END_SYSTOLE, fixed: float = 0.0
) -> Pair:
    """A heart in 3D at two phases, grey by structure, with a texture that is fixed to the tissue.

    A smooth texture stays as it is; speckle multiplies it, and that of the blood is another one in each image. Both
    are blurred by a point-spread, and noise is added to each.

    Args:
        patient: whose heart.
        edge: voxels a side.
        look: ``smooth`` or ``speckle``.
        moving: phase of the moving image.
        fixed: phase of the fixed one.

    Raises:
        ValueError: an unknown look, or an edge out of range.
    """
    if look not in LOOKS:
        raise ValueError(f"there is no look '{look}'; known are {', '.join(LOOKS)}")
    heart = patient.heart
    grid = bounding_grid(heart, edge)
    marks = {phase: volume(heart, phase, edge) for phase in (moving, fixed)}
    images = [
        _seen(patient, marks[phase].labels, marks[phase].walls, grid, phase, look, draw)
        for draw, phase in enumerate((moving, fixed))
    ]
    went = volume_displacement(heart, grid, moving, fixed)
    names = [np.where(marks[phase].labels > label.BACKGROUND, marks[phase].labels, 0) for phase in (moving, fixed)]
    return Pair(
        name=f"{patient.key} {look} {edge}",
        moving=images[0],
        fixed=images[1],
        spacing_mm=(grid.spacing_mm,) * 3,
        moving_labels=names[0].astype(np.uint8),
        fixed_labels=names[1].astype(np.uint8),
        displacement=went,
    )


def volume_displacement(heart: Heart, grid: Grid, moving: float, fixed: float) -> Floats:
    """(3, E, E, E) voxels from where tissue is at the fixed phase to where it is at the moving one."""
    points = grid.points()
    went = np.empty_like(points)
    for start in range(0, len(points), CHUNK):
        part = points[start : start + CHUNK]
        went[start : start + CHUNK] = heart.motion.forward(heart.motion.inverse(part, fixed), moving) - part
    field = np.moveaxis(went.reshape(grid.edge, grid.edge, grid.edge, 3), -1, 0) / np.float32(grid.spacing_mm)
    return np.ascontiguousarray(field, np.float32)


def _seen(
    patient: Patient,
    marks: NDArray[np.uint8],
    walls: NDArray[np.uint8],
    grid: Grid,
    phase: float,
    look: Look,
    draw: int,
) -> Floats:
    """(E, E, E) in [0, 1] of one phase; `draw` tells apart what is not fixed to the tissue."""
    generator = np.random.default_rng([patient.seed, 21])
    rotation, shift = acoustics.random_rotation(generator), generator.uniform(0, acoustics.SIDE, 3).astype(np.float32)
    own = np.random.default_rng([patient.seed, 22, draw])
    points, blood = grid.points(), np.isin(marks, BLOOD_POOLS).ravel()
    texture = np.empty(len(points), np.float32)
    flow = own.uniform(-64, 64, 3).astype(np.float32)
    for start in range(0, len(points), CHUNK):
        part = slice(start, start + CHUNK)
        material = patient.heart.motion.inverse(points[part], phase).astype(np.float32)
        texture[part] = acoustics.texture(material, 1, rotation, shift)[0].ravel()
        if look == "speckle":
            scatterers = material + np.multiply.outer(blood[part].astype(np.float32), flow)
            places = acoustics.in_voxels(scatterers, GRAIN_MM, rotation, shift)
            texture[part] *= np.abs(acoustics.look_up(acoustics.volumes()[0], places))
    greys = np.where(walls > 0, np.float32(WALL), GREYS[marks]) * texture.reshape(marks.shape) ** np.float32(0.5)
    seen = gaussian_filter(greys, BLUR) + own.normal(0.0, NOISE, marks.shape)
    return np.clip(0.7 * seen, 0.0, 1.0).astype(np.float32)


def image_pair(
    patient: Patient,
    view: str,
    machine: str | Machine = "albatross",
    *,
    moving: float = END_SYSTOLE,
    fixed: float = 0.0,
    seed: int = 0,
    size: tuple[int, int] = (160, 192),
) -> Pair:
    """A view at two phases as a machine shows it, held still; axis 0 goes down, axis 1 to the right.

    Tissue moves through the plane too, most in short axes: the displacement is its part in the plane, and
    `through_mm` tells the rest. What machines draw outside the sector is black, as a site's intake leaves it.

    Args:
        patient: whose heart.
        view: name of a standard view.
        machine: a machine or its name.
        moving: phase of the moving image.
        fixed: phase of the fixed one.
        seed: of the acquisition.
        size: (H, W) pixels.

    Raises:
        ValueError: an unknown view or machine, or a size out of range.
    """
    held = Acquisition(patient, view, machine, seed=seed, size=size)
    frames = [_last(held, phase, 1 + draw) for draw, phase in enumerate((moving, fixed))]
    sector, spacing = held.scanner.sector, held.scanner.spacing_mm
    points = held.scanner.pixel_points()
    motion = patient.heart.motion
    went = motion.forward(motion.inverse(points, fixed), moving) - points
    axes = np.stack([held.plane.down, held.plane.right, held.plane.normal], axis=1).astype(np.float32)
    down, right, away = (went @ axes).T.reshape(3, *size)
    field = (np.stack([down, right]) * sector / spacing).astype(np.float32)
    names = [np.where(marks > label.BACKGROUND, marks, 0).astype(np.uint8) for _, marks in frames]
    return Pair(
        name=f"{patient.key} {view} {held.machine.name}",
        moving=frames[0][0],
        fixed=frames[1][0],
        spacing_mm=(spacing, spacing),
        moving_labels=names[0],
        fixed_labels=names[1],
        displacement=field,
        valid=sector & _landed(sector, field),
        through_mm=(away * sector).astype(np.float32),
    )


def _landed(sector: NDArray[np.bool_], field: Floats) -> NDArray[np.bool_]:
    """(H, W) whether the pixel nearest to where a displacement leads lies in the sector."""
    places = np.rint(np.indices(sector.shape) + field).astype(int)
    row, column = (np.clip(each, 0, size - 1) for each, size in zip(places, sector.shape, strict=True))
    return sector[row, column]


def _last(held: Acquisition, phase: float, count: int) -> tuple[Floats, NDArray[np.uint8]]:
    """The last of so many frames at one phase, whose noise is its own; image and label map."""
    *_, frame = held.frames([phase] * count)
    return (frame.image * held.scanner.sector).astype(np.float32) / np.float32(255), frame.labels
