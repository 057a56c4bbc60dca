"""A heart in 3D from pictures of named views: probabilities, the closed surface about them, and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from federated.errors import ConsiliumError
from federated.manifest import Frozen
from shared_models.phantom.volumes import PLANE_PIXELS
from shared_models.reconstruction.surface import Mesh, enclosed_ml, surface
from site_agent.reconstruction.pictures import Picture

Volume = NDArray[np.float32]
Target = Literal["walls", "blood pools", "left ventricle", "heart"]
CUBE = 1.15  # by how much a picture of walls is wider than the cube about the heart


class Reconstructor(Protocol):
    """Whatever makes a volume of views."""

    def volume(self, views: Mapping[str, NDArray[np.float32]]) -> Volume:
        """(E, E, E) probabilities from (224, 224) greys in [0, 1] by the names of their views.

        Raises:
            ValueError: no view, or one that it was not built for.
        """


@dataclass(frozen=True)
class Scale:
    """How large a heart is.

    Attributes:
        cube_mm: edge of the cube about it.
        told: whether pictures told it; else it is that of the hearts that the network learnt from, on average.
    """

    cube_mm: float
    told: bool


@dataclass(frozen=True)
class Heart:
    """A heart in 3D.

    Attributes:
        pictures: that it was made of.
        target: what the volume is of.
        probabilities: (E, E, E); its axes point from the right ventricle to the left one's lateral wall, from the
            inferior wall to the anterior one, and from base to apex.
        scale: see there.
        threshold: where the surface lies.
        mesh: the surface, closed; millimetres along the same axes.
    """

    pictures: tuple[Picture, ...]
    target: Target
    probabilities: Volume
    scale: Scale
    threshold: float
    mesh: Mesh

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the pictures' views."""
        return tuple(picture.view for picture in self.pictures)

    @property
    def voxel_mm(self) -> float:
        """Edge of a voxel."""
        return self.scale.cube_mm / len(self.probabilities)

    @property
    def volume_ml(self) -> float:
        """What the surface encloses."""
        return enclosed_ml(self.mesh)

    def title(self) -> str:
        """What it is, in a line."""
        size = "" if self.scale.told else ", size assumed"
        return f"{self.target.capitalize()} from {', '.join(self.views)}: {self.volume_ml:.0f} ml{size}"


class Figures(Frozen):
    """What is told of a heart.

    Attributes:
        views: that it was made of.
        target: what the volume is of.
        volume_ml: of it, which the surface encloses.
        pieces: of the surface that hang together each.
        threshold: where the surface lies.
        edge: voxels a side.
        voxel_mm: edge of a voxel.
        size_told: whether pictures told the size; else it is an average one.
        closed: whether the surface is.
        vertices, faces: of the surface.
        files: that were written.
        doubts: lines on pictures, each with its file.
    """

    views: tuple[str, ...]
    target: Target
    volume_ml: float
    pieces: int
    threshold: float
    edge: int
    voxel_mm: float
    size_told: bool
    closed: bool
    vertices: int
    faces: int
    files: tuple[str, ...]
    doubts: tuple[str, ...]


def reconstruct(
    reconstructor: Reconstructor,
    pictures: Sequence[Picture],
    *,
    target: Target,
    usual_cube_mm: float,
    threshold: float,
) -> Heart:
    """A heart of pictures of its views.

    Args:
        reconstructor: what makes the volume.
        pictures: one or more, no view twice.
        target: what the volume is of.
        usual_cube_mm: edge of the cube about a usual heart, for pictures that do not tell how large theirs is.
        threshold: where the surface lies, between 0 and 1.

    Raises:
        ConsiliumError: a view that the reconstructor was not built for, or nothing that reaches the threshold.
    """
    scale = scale_of(pictures, usual_cube_mm)
    try:
        found = reconstructor.volume({picture.view: picture.plane for picture in pictures})
    except ValueError as error:
        raise ConsiliumError(str(error), where=", ".join(str(picture.path) for picture in pictures)) from error
    try:
        mesh = surface(found, scale.cube_mm / len(found), threshold)
        enclosed_ml(mesh)
    except ValueError as error:
        cure = "try another --threshold, and look at the pictures: are they what the network was taught?"
        raise ConsiliumError(str(error), where="reconstruct", cure=cure) from error
    return Heart(tuple(pictures), target, found, scale, threshold, mesh)


def scale_of(pictures: Sequence[Picture], usual_cube_mm: float) -> Scale:
    """How large the heart is by the pictures that tell it, on average (of logarithms); else the usual size."""
    told = [picture.pixel_mm for picture in pictures if picture.pixel_mm is not None]
    if not told:
        return Scale(usual_cube_mm, told=False)
    return Scale(float(np.exp(np.mean(np.log(told)))) * PLANE_PIXELS / CUBE, told=True)


def figures_of(heart: Heart, files: Sequence[str]) -> Figures:
    """What is told of a heart and its files."""
    return Figures(
        views=heart.views,
        target=heart.target,
        volume_ml=round(heart.volume_ml, 2),
        pieces=pieces_of(heart.mesh),
        threshold=heart.threshold,
        edge=len(heart.probabilities),
        voxel_mm=round(heart.voxel_mm, 4),
        size_told=heart.scale.told,
        closed=True,  # or there would be no heart
        vertices=len(heart.mesh.vertices),
        faces=len(heart.mesh.faces),
        files=tuple(files),
        doubts=tuple(f"{picture.path}: {doubt}" for picture in heart.pictures for doubt in picture.doubts),
    )


def pieces_of(mesh: Mesh) -> int:
    """How many surfaces there are that share no vertex."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    count = len(mesh.vertices)
    ends = (mesh.faces[:, [0, 1]].ravel(), mesh.faces[:, [1, 2]].ravel())
    edges = coo_matrix((np.ones(len(ends[0]), np.int8), ends), shape=(count, count))
    return int(connected_components(edges, directed=False)[0])
