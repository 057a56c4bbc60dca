"""Public four-chamber heart meshes as examples of reconstruction, beside those of the phantom.

The 1,000 meshes of Zenodo record 4506930 (Rodero et al. 2021) are tetrahedral, in mm, in VTK files whose cells carry
the number `elemTag`. Landmarks, planes and voxels follow Efficient Pix2Vox++ (Stojanovski et al., ASMUS 2022), but for
three things: the apex is where the wall is thinnest along 128 rays, a picture has the phantom's width and greys, and a
volume's cube has the phantom's margin. Files are read by meshio, of the extra `meshes`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from scipy.ndimage import label as components

from shared_models.phantom.planes import Plane
from shared_models.phantom.shapes import Vector
from shared_models.phantom.volumes import MARGIN, NINE_PLANES, PLANE_PIXELS, Grid, landmark_planes
from shared_models.reconstruction.shape_examples import POSE, WALL_GREYS, Example, ShapePlan
from shared_models.reconstruction.tetrahedra import EDGE_SHARE, boundary, crossings, tags_on_lattice

TAG = "elemTag"
AORTA = 5
LANDMARK_TAGS: Mapping[str, int] = {
    "left ventricle": 1,
    "right ventricle": 2,
    "left atrium": 3,
    "right atrium": 4,
    "mitral valve": 7,
    "tricuspid valve": 8,
    "aortic valve": 9,
    "pulmonary valve": 10,
}
CHAMBERS = 4  # tags 1 to 4 are walls of chambers, in the order of `WALL_NAMES`
OTHER_GREY = 51  # of vessels, valves and borders
WIDTH = 1.15  # of a picture, against the cube
FAR, RAYS = 0.7, 128  # candidates of the apex: how far off, against the farthest, and how many are tried
FINE = 128  # voxels a side where the left ventricle's volume is counted
Split = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class HeartMesh:
    """A heart of tetrahedra, its middle at the origin.

    Attributes:
        name: of the heart.
        points: (P, 3) mm.
        cells: (T, 4) vertices of the tetrahedra.
        tags: (T,) which structure each belongs to.
    """

    name: str
    points: NDArray[np.float64]
    cells: NDArray[np.int64]
    tags: NDArray[np.int64]


def mesh_files(folder: Path) -> list[tuple[str, Path]]:
    """Every mesh below a folder with a name of its own, in the order of the numbers in their paths.

    The archives repeat file names from one to the next, so that a name holds the folder too; `split_of` counts in this
    order.

    Raises:
        ValueError: there is no mesh.
    """
    paths = [path for path in folder.rglob("*") if path.suffix in {".vtk", ".vtu"} and path.is_file()]
    if not paths:
        raise ValueError(f"{folder}: holds no meshes; they end in .vtk or .vtu")
    named = [(path.relative_to(folder).with_suffix("").as_posix().replace("/", "-"), path) for path in paths]
    return sorted(named, key=lambda one: [(int(part), "") if part.isdigit() else (-1, part) for part in _parts(one[0])])


def _parts(name: str) -> list[str]:
    return re.split(r"(\d+)", name)


def split_of(number: int) -> Split:
    """Where the paper's authors put the mesh of a number from 1 to 1000: 750 train, 125 validate, 125 test.

    Raises:
        ValueError: the number is out of range.
    """
    if not 1 <= number <= 1000:
        raise ValueError(f"there is no mesh number {number}: 1 to 1000")
    if 250 <= number <= 999:
        return "train"
    return "test" if 125 <= number <= 249 else "validation"


def read_mesh(path: Path, name: str | None = None) -> HeartMesh:
    """The tetrahedra of a file with the aorta removed, moved so that the mean of their vertices is the origin.

    Raises:
        ValueError: meshio is missing, or the file is missing, damaged, or lacks tetrahedra, tags or a structure.
    """
    if path.suffix not in {".vtk", ".vtu"}:
        raise ValueError(f"{path}: is no mesh that is read; they end in .vtk or .vtu")
    try:
        reader = import_module(f"meshio.{path.suffix[1:]}")
    except ImportError as error:
        raise ValueError(f"{path}: needs meshio to be read: pip install 'consilium[meshes]'") from error
    try:
        held = reader.read(str(path))
        blocks = [number for number, block in enumerate(held.cells) if block.type == "tetra"]
        cells = np.concatenate([np.asarray(held.cells[number].data, np.int64) for number in blocks])
        points = np.asarray(held.points, np.float64)
        fields = held.cell_data
    except Exception as error:  # meshio raises what each of its parts raises, and concatenate where nothing is left
        raise ValueError(f"{path}: is damaged, or holds no tetrahedra") from error
    if TAG not in fields:
        raise ValueError(f"{path}: says of no cell what it belongs to; '{TAG}' is missing")
    tags = np.concatenate([np.asarray(fields[TAG][number]).ravel() for number in blocks]).astype(np.int64)
    if len(tags) != len(cells) or not len(cells) or cells.min() < 0 or cells.max() >= len(points):
        raise ValueError(f"{path}: is damaged: cells, tags and points do not fit together")
    if not np.isfinite(points).all():
        raise ValueError(f"{path}: is damaged: a point lies at no finite place")
    return prepared(name or path.stem, points, cells, tags, str(path))


def prepared(
    name: str,
    points: NDArray[np.floating],
    cells: NDArray[np.integer],
    tags: NDArray[np.integer],
    where: str = "the mesh",
) -> HeartMesh:
    """A mesh without its aorta and without vertices that no cell uses, its middle at the origin.

    Raises:
        ValueError: a structure that is a landmark is missing.
    """
    missing = [structure for structure, tag in LANDMARK_TAGS.items() if not (tags == tag).any()]
    if missing:
        raise ValueError(f"{where}: has no {missing[0]} (tag {LANDMARK_TAGS[missing[0]]})")
    kept = tags != AORTA
    used, numbers = np.unique(cells[kept], return_inverse=True)
    vertices = points[used].astype(np.float64)
    return HeartMesh(name, vertices - vertices.mean(axis=0), numbers.reshape(-1, 4), tags[kept].astype(np.int64))


def mesh_landmarks(mesh: HeartMesh) -> dict[str, Vector]:
    """Centroids of chambers and valves, and the apex; mm, named as those of the phantom."""
    middles = mesh.points[mesh.cells].mean(axis=1)
    at = {name: middles[mesh.tags == tag].mean(axis=0) for name, tag in LANDMARK_TAGS.items()}
    return at | {"apex": _apex(mesh, at["mitral valve"])}


def _apex(mesh: HeartMesh, mitral: Vector) -> Vector:
    """Where a ray from the mitral valve leaves the left ventricle, of those that cross its wall once the thinnest.

    Rays lead to points of the ventricle farther off than 0.7 of the farthest. The published code names it so and takes
    the thickest: in a ventricle whose wall is thinnest at the apex that leads into the side.
    """
    own = mesh.cells[mesh.tags == LANDMARK_TAGS["left ventricle"]]
    points = mesh.points[np.unique(own)]
    away = np.linalg.norm(points - mitral, axis=1)
    far = points[away > FAR * away.max()]
    triangles = mesh.points[boundary(own)]
    apex, thinnest = points[away.argmax()], np.inf
    for candidate in far[:: max(1, len(far) // RAYS)]:
        direction = (candidate - mitral) / np.linalg.norm(candidate - mitral)
        met = crossings(mitral, direction, triangles)
        if len(met) == 2 and met[1] - met[0] < thinnest:
            apex, thinnest = mitral + met[1] * direction, float(met[1] - met[0])
    return np.asarray(apex, np.float64)


def mesh_grid(mesh: HeartMesh, edge: int) -> Grid:
    """A cube of voxels about the mesh, with the margin of the phantom's."""
    low, high = mesh.points.min(axis=0), mesh.points.max(axis=0)
    span = float((high - low).max()) + 2 * MARGIN
    return Grid((low + high) / 2 - span / 2 + span / edge / 2, span / edge, edge)


def mesh_walls(mesh: HeartMesh, edge: int) -> NDArray[np.bool_]:
    """(E, E, E) voxels that hold a vertex, as published.

    With edges of 1 mm on average walls may have holes at 128.
    """
    grid = mesh_grid(mesh, edge)
    walls = np.zeros((edge,) * 3, np.bool_)
    walls[tuple(np.rint((mesh.points - grid.origin) / grid.spacing_mm).astype(int).T)] = True
    return walls


def mesh_pools(mesh: HeartMesh, edge: int, at: Mapping[str, Vector]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(E, E, E) twice: what walls and valves enclose, and the part of it in the left ventricle.

    Vertices count as solid too while it is told what is enclosed, so that no hole of a thin valve leaks; what they took
    of the pools is given back.

    Raises:
        ValueError: the left ventricle is not closed.
    """
    grid = mesh_grid(mesh, edge)
    solid = tags_on_lattice((mesh.points - grid.origin) / grid.spacing_mm, mesh.cells, mesh.tags, (edge,) * 3) > 0
    parts, _ = components(~(solid | mesh_walls(mesh, edge)))
    inner = (at["mitral valve"] + at["apex"]) / 2
    own = parts[tuple(np.rint((inner - grid.origin) / grid.spacing_mm).astype(int))]
    if own in {0, parts[0, 0, 0]}:
        raise ValueError(f"{mesh.name}: its left ventricle is not closed at {edge} voxels a side")
    enclosed = (parts > 0) & (parts != parts[0, 0, 0])
    return binary_dilation(enclosed, mask=~solid), binary_dilation(parts == own, mask=~solid)


def mesh_example(mesh: HeartMesh, plan: ShapePlan, seed: int = 0) -> Example:
    """Pictures of walls and the volume, as of a heart of the phantom; the meshes are of end-diastole.

    Args:
        mesh: the heart.
        plan: of the example.
        seed: of the jitter.

    Raises:
        ValueError: ultrasound is asked for, of which a mesh knows nothing, or a pool of a mesh that is not closed.
    """
    if plan.pictures != "walls":
        raise ValueError(f"{mesh.name}: a mesh gives pictures of walls alone, no {plan.pictures}")
    at, grid = mesh_landmarks(mesh), mesh_grid(mesh, plan.edge)
    jitter = np.random.default_rng([seed, POSE]) if plan.jitter else None
    cuts = dict(zip(NINE_PLANES, landmark_planes(at, np.zeros(3), jitter), strict=True))
    pixel = WIDTH * grid.spacing_mm * grid.edge / PLANE_PIXELS
    greys = np.stack([_picture(mesh, cuts[view], pixel) for view in plan.views])
    return Example(
        patient=mesh.name,
        moment="ED",
        views=plan.views,
        greys=greys,
        target=_target(mesh, plan, at),
        grid=grid,
        cuts=tuple(cuts[view] for view in plan.views),
        picture_mm=np.full(len(plan.views), pixel, np.float32),
        lv_volume_ml=_lv_volume(mesh, at),
    )


def _target(mesh: HeartMesh, plan: ShapePlan, at: Mapping[str, Vector]) -> NDArray[np.bool_]:
    if plan.target == "walls":
        return mesh_walls(mesh, plan.edge)
    enclosed, own = mesh_pools(mesh, plan.edge, at)
    return enclosed if plan.target == "blood pools" else own


def _lv_volume(mesh: HeartMesh, at: Mapping[str, Vector]) -> float:
    """In ml; no number where the ventricle is not closed."""
    try:
        own = mesh_pools(mesh, FINE, at)[1]
    except ValueError:
        return float("nan")
    return float(own.sum() * mesh_grid(mesh, FINE).spacing_mm ** 3 / 1000)


def _picture(mesh: HeartMesh, cut: Plane, pixel: float) -> NDArray[np.uint8]:
    """(224, 224) greys by structure."""
    corner = cut.origin - pixel * (PLANE_PIXELS - 1) / 2 * (cut.right + cut.down)
    axes = np.stack([cut.down, cut.right, cut.normal], axis=1)
    places = (mesh.points - corner) @ axes / pixel
    depth = places[:, 2][mesh.cells]
    cut_through = (depth.min(axis=1) <= EDGE_SHARE) & (depth.max(axis=1) >= -EDGE_SHARE)
    cells, own = mesh.cells[cut_through], mesh.tags[cut_through]
    tags = tags_on_lattice(places, cells, own, (PLANE_PIXELS, PLANE_PIXELS, 1))[..., 0]
    return np.where(tags > CHAMBERS, OTHER_GREY, WALL_GREYS[np.minimum(tags, CHAMBERS)]).astype(np.uint8)
