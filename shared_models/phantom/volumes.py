"""The heart in 3D: label volumes, walls, displacement on a grid, and the nine planes of reconstruction from views.

The nine planes follow Efficient Pix2Vox++ (Stojanovski et al., ASMUS 2022): whole-heart walls, cut through
centroids and the apex. Their target is published as the voxels that hold a vertex of a mesh whose edges are 1 mm on
average: however thin a wall, the voxels that it crosses hold it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from scipy.spatial.transform import Rotation

from shared_models.phantom import labels as label
from shared_models.phantom.anatomy import ATRIAL_WALL, TRICUSPID_HEIGHT
from shared_models.phantom.heart import CHUNK, Heart
from shared_models.phantom.motion import Located
from shared_models.phantom.planes import Plane, shaken
from shared_models.phantom.shapes import Vector
from shared_models.phantom.structures import in_rv_wall

WALL_NAMES = ("none", "left ventricle", "right ventricle", "left atrium", "right atrium")
NINE_PLANES = ("RV inflow", "PLAX", "PSAX aortic", "PSAX mitral", "PSAX papillary", "PSAX low", "A4C", "A5C", "A2C")
PLANE_PIXELS = 224
MARGIN = 6.0  # mm about the heart
WALL_POINTS = 128  # a side of the cube, some 1.2 mm apart, at which walls are looked for
AROUND = np.ones((3, 3, 3), np.bool_)
POSE_DEGREES, POSE_MM = 4.0, 3.0  # standard deviations of the rigid pose that all planes share


@dataclass(frozen=True)
class Grid:
    """A cube of voxels; index (i, j, k) is along x, y, z.

    Attributes:
        origin: (3,) mm, the centre of voxel (0, 0, 0).
        spacing_mm: edge of a voxel.
        edge: voxels a side.
    """

    origin: Vector
    spacing_mm: float
    edge: int

    def axes(self) -> NDArray[np.float32]:
        """(3, edge) mm, of the voxels' centres along each axis."""
        steps = np.arange(self.edge, dtype=np.float32) * np.float32(self.spacing_mm)
        return np.stack([np.float32(start) + steps for start in self.origin])

    def points(self) -> NDArray[np.float32]:
        """(edge^3, 3) centres of the voxels, the last axis fastest."""
        return np.stack(np.meshgrid(*self.axes(), indexing="ij"), axis=-1).reshape(-1, 3)

    def finer(self, times: int) -> Grid:
        """The same cube, every voxel parted into so many along each axis."""
        spacing = self.spacing_mm / times
        return Grid(self.origin + (spacing - self.spacing_mm) / 2, spacing, self.edge * times)


@dataclass(frozen=True)
class Volume:
    """A heart on a grid.

    Attributes:
        labels: (E, E, E) values of `labels`, background where there is nothing.
        walls: (E, E, E) 0 or the number of a wall in `WALL_NAMES`; of both, what is at a voxel's centre.
        grid: where the voxels lie.
    """

    labels: NDArray[np.uint8]
    walls: NDArray[np.uint8]
    grid: Grid


def bounding_grid(heart: Heart, edge: int) -> Grid:
    """A cube about the chambers and their walls at any phase.

    Raises:
        ValueError: fewer than 8 voxels a side, or more than 512.
    """
    if not 8 <= edge <= 512:
        raise ValueError(f"a volume of {edge} voxels a side is out of range: 8 to 512")
    low, high = _bounds(heart)
    span = float((high - low).max()) + 2 * MARGIN
    spacing = span / edge
    origin = (low + high) / 2 - span / 2 + spacing / 2
    return Grid(origin, spacing, edge)


def _bounds(heart: Heart) -> tuple[Vector, Vector]:
    a, p = heart.anatomy, heart.parameters
    atria = [
        (body.centre - body.radii.max(), body.centre + body.radii.max()) for body in (a.left_atrium, a.right_atrium)
    ]
    outside = p.lv_radius + max(p.septal_wall, p.lateral_wall)
    low = np.array([-(outside + p.rv_width + p.rv_wall), -outside, 0.0])
    high = np.array([outside, outside + 0.7 * p.rv_width, a.epicardial_apex])
    return np.min([low, *(one for one, _ in atria)], axis=0), np.max([high, *(one for _, one in atria)], axis=0)


def volume(heart: Heart, phase: float, edge: int) -> Volume:
    """Labels and walls at a phase on `bounding_grid`."""
    return volume_on(heart, phase, bounding_grid(heart, edge))


def volume_on(heart: Heart, phase: float, grid: Grid) -> Volume:
    """The same on another grid."""
    marks, walls = _marks(heart, grid.points(), phase)
    shape = (grid.edge,) * 3
    return Volume(marks.reshape(shape), walls.reshape(shape), grid)


def wall_occupancy(heart: Heart, phase: float, grid: Grid) -> NDArray[np.bool_]:
    """(E, E, E) voxels that any wall crosses: the target of the published reconstruction.

    Every second point along an axis is asked first, and then all points of the voxels beside those that hold wall, for
    as long as that finds more: walls are sheets much wider than a voxel, so that none is missed.
    """
    times = max(1, WALL_POINTS // grid.edge)
    lines, inner = grid.finer(times).axes(), np.arange(times)
    every = np.indices((grid.edge,) * 3).reshape(3, -1).T
    there = _crossed(heart, phase, lines, times * every[:, :, None] + (inner[1::2] if times > 1 else inner))
    there, asked = there.reshape((grid.edge,) * 3), np.zeros((grid.edge,) * 3, np.bool_)
    while times > 1 and (beside := binary_dilation(there, AROUND) & ~there & ~asked).any():
        asked |= beside
        there[beside] = _crossed(heart, phase, lines, times * np.argwhere(beside)[:, :, None] + inner)
    return there


def _crossed(heart: Heart, phase: float, lines: NDArray[np.float32], places: NDArray[np.integer]) -> NDArray[np.bool_]:
    """(n,) whether wall is at any of the points of n voxels, each at (3, m) places along (3, L) lines."""
    x, y, z = (line[places[:, axis]] for axis, line in enumerate(lines))
    parts = np.broadcast_arrays(x[:, :, None, None], y[:, None, :, None], z[:, None, None, :])
    points = np.stack(parts, axis=-1).reshape(-1, 3)
    return np.asarray((_walls_at(heart, points, phase) > 0).reshape(len(places), -1).any(axis=1))


def _walls_at(heart: Heart, points: NDArray[np.floating], phase: float) -> NDArray[np.uint8]:
    """(N,) 0 or the number of a wall."""
    low, high = _bounds(heart)
    near = ((points > low - MARGIN) & (points < high + MARGIN)).all(axis=1)  # elsewhere there is no wall
    walls = np.zeros(len(points), np.uint8)
    _, walls[near] = _marks(heart, points[near], phase)
    return walls


def _marks(heart: Heart, points: NDArray[np.float32], phase: float) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    marks, walls = np.empty(len(points), np.uint8), np.empty(len(points), np.uint8)
    for start in range(0, len(points), CHUNK):
        found = heart.motion.locate(points[start : start + CHUNK], phase)
        marks[start : start + CHUNK], walls[start : start + CHUNK] = _walls(heart, found)
    return marks, walls


def _walls(heart: Heart, found: Located) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Labels, and which chamber's wall is there; the blood pools are no wall."""
    here, marks = heart.labelled(found)
    walls = np.zeros(len(marks), np.uint8)
    free = marks == label.BACKGROUND
    walls[free & (here.right_atrium < ATRIAL_WALL) & (found.z < TRICUSPID_HEIGHT)] = 4
    walls[free & (here.left_atrium < ATRIAL_WALL) & (found.z < 0)] = 3
    walls[free & in_rv_wall(found, here)] = 2
    walls[marks == label.MYOCARDIUM] = 1
    return marks, walls


def displacement(heart: Heart, phase: float, grid: Grid) -> NDArray[np.float32]:
    """(E, E, E, 3) mm from where each voxel's tissue is at end-diastole to where it is at `phase`."""
    points = grid.points()
    moved = np.empty_like(points)
    for start in range(0, len(points), CHUNK):
        part = points[start : start + CHUNK]
        moved[start : start + CHUNK] = heart.motion.forward(part, phase) - part
    return moved.reshape(grid.edge, grid.edge, grid.edge, 3)


def displacement_to_end_diastole(heart: Heart, points: NDArray[np.floating], phase: float) -> NDArray[np.floating]:
    """(N, 3) mm from where tissue is at `phase` to where it is at end-diastole."""
    return heart.motion.inverse(points, phase) - points


def landmarks(heart: Heart, phase: float) -> dict[str, Vector]:
    """Centroids of the chambers and valves, and the apex, at a phase; mm."""
    a, p = heart.anatomy, heart.parameters
    still = {
        "apex": np.array([0.0, 0.0, p.lv_length]),
        "left ventricle": np.array([0.0, 0.0, 0.42 * p.lv_length]),
        "right ventricle": a.tricuspid_centre * [0.9, 0.9, 0.0] + [0.0, 0.0, 0.4 * p.rv_length],
        "left atrium": a.left_atrium.centre,
        "right atrium": a.right_atrium.centre,
        "mitral valve": a.mitral_centre,
        "tricuspid valve": a.tricuspid_centre,
        "aortic valve": a.aortic.centre,
        "pulmonary valve": a.pulmonary.points[0],
    }
    moved = heart.motion.forward(np.array(list(still.values())), phase)
    return dict(zip(still, moved, strict=True))


def picture_mm(heart: Heart, pixels: int = PLANE_PIXELS) -> float:
    """Edge of a pixel of the nine planes: a picture is 1.15 times as wide as `bounding_grid`."""
    grid = bounding_grid(heart, 64)
    return grid.spacing_mm * grid.edge * 1.15 / pixels


def nine_planes(
    heart: Heart, phase: float = 0.0, pixels: int = PLANE_PIXELS, jitter: np.random.Generator | None = None
) -> NDArray[np.uint8]:
    """(9, pixels, pixels) wall numbers in the order of `NINE_PLANES`, each 1.15 times the heart wide."""
    return wall_pictures(heart, nine_cuts(heart, phase, jitter), phase, pixels)


def wall_pictures(
    heart: Heart, cuts: Sequence[Plane], phase: float = 0.0, pixels: int = PLANE_PIXELS
) -> NDArray[np.uint8]:
    """(V, pixels, pixels) wall numbers along planes whose origins are the middles of the pictures."""
    steps = (np.arange(pixels) + 0.5 - pixels / 2) * picture_mm(heart, pixels)
    down, right = np.meshgrid(steps, steps, indexing="ij")
    points = np.concatenate([cut.points(right, down) for cut in cuts])
    return _walls_at(heart, points, phase).reshape(len(cuts), pixels, pixels)


def nine_cuts(heart: Heart, phase: float = 0.0, jitter: np.random.Generator | None = None) -> tuple[Plane, ...]:
    """The planes in the order of `NINE_PLANES`, through the landmarks at a phase; their origins are mid-picture."""
    at = landmarks(heart, phase)
    return landmark_planes(at, np.mean([at[name] for name in WALL_NAMES[1:]], axis=0), jitter)


def landmark_planes(
    at: Mapping[str, Vector], whole: Vector, jitter: np.random.Generator | None = None
) -> tuple[Plane, ...]:
    """The nine planes of any heart whose landmarks are named as in `landmarks`, mid-picture nearest to its middle.

    With jitter all of them are off by one rigid pose, and each by what an operator's hand adds.
    """
    exact = _cuts(at, whole)
    if jitter is None:
        return exact
    turn = Rotation.from_rotvec(np.deg2rad(jitter.normal(0.0, POSE_DEGREES, 3)))
    moved = whole + jitter.normal(0.0, POSE_MM, 3)
    posed = [
        Plane(moved + turn.apply(one.origin - whole), turn.apply(one.right), turn.apply(one.down)) for one in exact
    ]
    return tuple(shaken(plane, jitter) for plane in posed)


def _cuts(at: Mapping[str, Vector], whole: Vector) -> tuple[Plane, ...]:
    apex, mitral = at["apex"], at["mitral valve"]
    axis = (apex - whole) / np.linalg.norm(apex - whole)

    def through(first: str, second: str, third: str) -> Plane:
        return _plane(whole, at[first], at[second] - at[first], at[third] - at[first])

    def across(share: float, origin: Vector) -> Plane:
        aside = np.cross(axis, [0.0, 1.0, 0.0])
        return _plane(whole, origin * (1 - share) + apex * share, aside, np.cross(axis, aside))

    line = (apex - mitral) / np.linalg.norm(apex - mitral)
    foot = mitral + ((at["right ventricle"] - mitral) @ line) * line
    two = _plane(whole, foot, np.cross(at["right ventricle"] - foot, line), -line)
    return (
        through("right atrium", "pulmonary valve", "right ventricle"),
        through("mitral valve", "left ventricle", "aortic valve"),
        through("left atrium", "aortic valve", "right atrium"),
        across(0.25, whole),
        across(0.75, whole),
        across(0.85, whole),
        through("apex", "left atrium", "right atrium"),
        through("apex", "left atrium", "aortic valve"),
        two,
    )


def _plane(whole: Vector, spot: Vector, first: Vector, second: Vector) -> Plane:
    """The plane through a point along two directions, its middle the point nearest to the heart's."""
    across = first / np.linalg.norm(first)
    below = second - (second @ across) * across
    below = below / np.linalg.norm(below)
    middle = spot + ((whole - spot) @ across) * across + ((whole - spot) @ below) * below
    return Plane(middle, across, below)
