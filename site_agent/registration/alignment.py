"""Two images aligned as a whole, before anything is deformed: shifted, turned, or stretched and sheared as well.

The search is SimpleITK's: by the correlation of greys, at a quarter of the size and then at half of it, from where
headers place the images or from where their middles of brightness meet, whichever makes them more alike.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from federated.errors import ConsiliumError
from federated.processes import undisturbed
from site_agent.progress import Bar
from site_agent.registration.grids import Matrix, applied
from site_agent.registration.image_files import GreyImage
from site_agent.registration.one_pair import normalised
from site_agent.registration.placement import PlacedPair

if TYPE_CHECKING:
    import SimpleITK

TRANSLATION, RIGID, AFFINE = ALIGNMENTS = ("translation", "rigid", "affine")
SCALES = (4, 2)  # by which images are shrunk in turn
LEAST = 8  # voxels that every axis keeps
FEWEST = 4  # along an axis of an image that is aligned
STEPS = 200  # at most, at each scale
FIRST, LAST = 1.0, 1e-4  # of the fixed image's voxels: the length of a first step, and of one too short to go on


def require_alignment(kind: str) -> None:
    """Whether there is one of that name; raises `ConsiliumError` where there is none."""
    if kind not in ALIGNMENTS:
        raise ConsiliumError("is no alignment", where=f"--align '{kind}'", cure=f"there are {', '.join(ALIGNMENTS)}")


def aligned(pair: PlacedPair, kind: str) -> PlacedPair:
    """A pair whose moving image was brought onto the fixed one as a whole.

    Args:
        pair: as headers place it.
        kind: one of `ALIGNMENTS`; an affine map goes on from a rigid one.

    Raises:
        ConsiliumError: SimpleITK is not there, or images that are too small or have too little in common.
    """
    for image in (pair.fixed, pair.moving):
        if min(image.values.shape) < FEWEST:
            few = f"has an axis of {min(image.values.shape)} voxels, and an alignment wants {FEWEST}"
            raise ConsiliumError(few, where=image.name, cure="leave out --align")
    try:
        search = _Search(pair)
        found = search.start()
        for stage in (RIGID, AFFINE) if kind == AFFINE else (kind,):
            found = search.improved(found, stage)
    except ImportError as error:
        raise ConsiliumError("needs SimpleITK", where="--align", cure="pip install 'consilium[align]'") from error
    except RuntimeError as error:  # SimpleITK knows no other
        said = f"has too little in common with {pair.fixed.name} to be aligned with it"
        raise ConsiliumError(said, where=pair.moving.name, cure="align them by hand before") from error
    return replace(pair, matrix=pair.matrix @ found, alignment=found)


class _Search:
    """For a map of the fixed image onto itself, (d + 1, d + 1) in numbers of its voxels, from where headers lead on."""

    def __init__(self, pair: PlacedPair) -> None:
        self._pair = pair
        self._fixed, self._moving = _image(pair.fixed), _image(pair.moving)
        self._spacing = np.diag([*pair.fixed.grid.spacing, 1.0])
        sides = min(pair.fixed.values.shape + pair.moving.values.shape)
        self._scales = [scale for scale in SCALES if sides // scale >= LEAST] or [1]

    def start(self) -> Matrix:
        """As headers place the images, or middle on middle."""
        here, there = _middle(self._pair.fixed), _middle(self._pair.moving)
        middles = np.eye(len(here) + 1)
        middles[:-1, -1] = applied(_back(self._pair.matrix), there[None])[0] - here
        return min((np.eye(len(middles)), middles), key=self._unlikeness)

    def improved(self, first: Matrix, kind: str) -> Matrix:
        """What is found from there on."""
        import SimpleITK

        method, transform = self._method(), self._transform(first, kind)
        shortest = min(self._pair.fixed.grid.spacing)
        method.SetOptimizerAsRegularStepGradientDescent(FIRST * shortest, LAST * shortest, STEPS)
        method.SetOptimizerScalesFromPhysicalShift()
        method.SetShrinkFactorsPerLevel(self._scales)
        method.SetSmoothingSigmasPerLevel([scale / 2 for scale in self._scales])
        method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOff()
        method.SetInitialTransform(transform, inPlace=True)
        bar = Bar(f"aligning, {kind}", STEPS * len(self._scales))
        with undisturbed() as stopped, closing(bar):  # SimpleITK takes Ctrl-C for a failure

            def step() -> None:
                bar.at(STEPS * method.GetCurrentLevel() + method.GetOptimizerIteration())
                if stopped:
                    method.StopRegistration()

            method.AddCommand(SimpleITK.sitkIterationEvent, step)
            method.Execute(self._fixed, self._moving)
        return self._found(transform)

    def _unlikeness(self, first: Matrix) -> float:
        method = self._method()
        method.SetInitialTransform(self._transform(first, AFFINE))
        try:
            return float(method.MetricEvaluate(self._fixed, self._moving))
        except RuntimeError:  # nowhere over each other
            return np.inf

    def _method(self) -> SimpleITK.ImageRegistrationMethod:
        import SimpleITK

        method = SimpleITK.ImageRegistrationMethod()
        method.SetMetricAsCorrelation()
        method.SetInterpolator(SimpleITK.sitkLinear)
        to_moving = np.diag([*self._pair.moving.grid.spacing, 1.0])
        headers = to_moving @ self._pair.matrix @ _back(self._spacing)
        method.SetMovingInitialTransform(_affine(headers))
        return method

    def _transform(self, first: Matrix, kind: str) -> SimpleITK.Transform:
        """That begins with a map, about the middle of the fixed image."""
        import SimpleITK

        there = self._spacing @ first @ _back(self._spacing)
        dimensions = len(first) - 1
        if kind == TRANSLATION:
            return SimpleITK.TranslationTransform(dimensions, there[:-1, -1].tolist())
        turned = SimpleITK.Euler2DTransform() if dimensions == 2 else SimpleITK.Euler3DTransform()
        transform = SimpleITK.AffineTransform(dimensions) if kind == AFFINE else turned
        middle = applied(self._spacing, (np.array([self._pair.fixed.values.shape]) - 1) / 2)[0]
        transform.SetCenter(middle.tolist())
        transform.SetMatrix(there[:-1, :-1].ravel().tolist())
        transform.SetTranslation((applied(there, middle[None])[0] - middle).tolist())
        return transform

    def _found(self, transform: SimpleITK.Transform) -> Matrix:
        """In numbers of voxels."""
        dimensions = len(self._spacing) - 1
        origin = np.array(transform.TransformPoint([0.0] * dimensions))
        there = np.eye(dimensions + 1)
        there[:-1, -1] = origin
        there[:-1, :-1] = np.stack([transform.TransformPoint(axis) for axis in np.eye(dimensions).tolist()], 1)
        there[:-1, :-1] -= origin[:, None]
        return _back(self._spacing) @ there @ self._spacing


def _back(matrix: Matrix) -> Matrix:
    return np.asarray(np.linalg.inv(matrix), np.float64)


def _affine(matrix: Matrix) -> SimpleITK.AffineTransform:
    import SimpleITK

    return SimpleITK.AffineTransform(matrix[:-1, :-1].ravel().tolist(), matrix[:-1, -1].tolist())


def _image(image: GreyImage) -> SimpleITK.Image:
    """Greys along the array's own axes, the first voxel at the origin."""
    import SimpleITK

    held = SimpleITK.GetImageFromArray(normalised(image.values).T)
    held.SetSpacing(image.grid.spacing)
    return held


def _middle(image: GreyImage) -> NDArray[np.float64]:
    """(d,) numbers of the voxel in the middle of all that is bright."""
    from scipy.ndimage import center_of_mass

    return np.array(center_of_mass(normalised(image.values)))
