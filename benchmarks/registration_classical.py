"""Registration without a network: ANTs' affine alignment and SyN, and SimpleITK's demons.

Arrays are (*N) float32 of one shape, 2D or 3D, with voxels of one unit. A field is (d, *N) float32 in voxels, maps
fixed to moving, and has axis k of the array in channel k: warped(p) = moving(p + u(p)). ANTs counts axes as the array
does; SimpleITK counts them from the last.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Demons = Literal["diffeomorphic", "fast symmetric"]

THREADS = "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"  # of ANTs, which reads it when it is loaded
SEED = 1  # of the voxels that ANTs samples


@dataclass(frozen=True)
class Affine:
    """Fixed voxels to moving voxels: p -> matrix p + offset, (d, d) and (d,)."""

    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]

    def after(self, field: Floats) -> Floats:
        """The field (d, *N) that does what a field does first and this map then: p -> matrix (p + u(p)) + offset."""
        dimensions = field.shape[0]
        at = np.indices(field.shape[1:], dtype=np.float64)
        reached = np.tensordot(self.matrix, at + field, axes=1) + self.offset.reshape(-1, *[1] * dimensions)
        return np.asarray(reached - at, dtype=np.float32)

    def field(self, shape: tuple[int, ...]) -> Floats:
        """The map alone as a field."""
        return self.after(np.zeros((len(shape), *shape), np.float32))


def identity(dimensions: int) -> Affine:
    """No movement."""
    return Affine(np.eye(dimensions), np.zeros(dimensions))


def affine(moving: Floats, fixed: Floats) -> Affine:
    """ANTs' affine alignment by the correlation of half the voxels at a quarter of the size: images are of one kind.

    On held-back patients of the training split finer scales made labels overlap less, and took five times as long.
    """
    with tempfile.TemporaryDirectory() as folder:
        found = _ants(
            moving,
            fixed,
            folder,
            type_of_transform="Affine",
            aff_metric="GC",
            aff_random_sampling_rate=0.5,
            aff_shrink_factors=(4, 2, 1),
            aff_iterations=(100, 0, 0),
            aff_smoothing_sigmas=(2, 1, 0),
        )
        return _affine_of(found["fwdtransforms"][0])


def _affine_of(path: str) -> Affine:
    """A file of ANTs: y = M (x - c) + c + t."""
    import ants

    transform = ants.read_transform(path)
    centre = np.asarray(transform.fixed_parameters)
    parameters = np.asarray(transform.parameters)
    matrix, shift = parameters[: -centre.size].reshape(centre.size, centre.size), parameters[-centre.size :]
    return Affine(matrix, shift + centre - matrix @ centre)


def syn(
    moving: Floats,
    fixed: Floats,
    *,
    metric: str = "mattes",
    iterations: tuple[int, ...] = (40, 20, 0),
    flow_sigma: float = 3.0,
    sampling: int = 32,
) -> Floats:
    """ANTs' symmetric normalisation (Avants et al., 2008) from the identity on; as it comes by default.

    Args:
        moving: image.
        fixed: image.
        metric: "mattes", "CC" or "meansquares".
        iterations: on every scale, the coarsest first.
        flow_sigma: how much an update is smoothed.
        sampling: bins of "mattes", or the radius of "CC".
    """
    import ants

    with tempfile.TemporaryDirectory() as folder:
        found = _ants(
            moving,
            fixed,
            folder,
            type_of_transform="SyNOnly",
            initial_transform="Identity",
            syn_metric=metric,
            syn_sampling=sampling,
            reg_iterations=iterations,
            flow_sigma=flow_sigma,
        )
        (warp,) = (path for path in found["fwdtransforms"] if path.endswith("Warp.nii.gz"))
        return np.ascontiguousarray(np.moveaxis(ants.image_read(warp).numpy(), -1, 0), dtype=np.float32)


def _ants(moving: Floats, fixed: Floats, folder: str, **settings: Any) -> Mapping[str, list[str]]:
    import ants

    found: Mapping[str, list[str]] = ants.registration(
        fixed=ants.from_numpy(fixed),
        moving=ants.from_numpy(moving),
        outprefix=str(Path(folder) / "found"),
        random_seed=SEED,
        **settings,
    )
    return found


def demons(
    moving: Floats,
    fixed: Floats,
    *,
    kind: Demons = "diffeomorphic",
    iterations: int = 100,
    sigma: float = 1.5,
    scales: int = 1,
) -> Floats:
    """SimpleITK's demons (Vercauteren et al., 2009), coarse to fine.

    Args:
        moving: image.
        fixed: image.
        kind: which of its filters.
        iterations: on every scale.
        sigma: by which the field is smoothed after every one, in voxels of the scale.
        scales: each of half the size of the next; the last is the image's own.
    """
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(int(os.environ.get(THREADS, "1")))
    still, moved = SimpleITK.GetImageFromArray(fixed), SimpleITK.GetImageFromArray(moving)
    field: Any = None
    for scale in reversed(range(scales)):
        small, other = (_shrunk(image, 2**scale) for image in (still, moved))
        run = _filter(kind, iterations, sigma)
        field = run.Execute(small, other, SimpleITK.Resample(field, small)) if field else run.Execute(small, other)
    channels = np.moveaxis(SimpleITK.GetArrayFromImage(field), -1, 0)[::-1]
    return np.ascontiguousarray(channels, dtype=np.float32)


def _shrunk(image: Any, factor: int) -> Any:
    import SimpleITK

    return (
        image
        if factor == 1
        else SimpleITK.Shrink(
            SimpleITK.DiscreteGaussian(image, [(factor / 2) ** 2] * image.GetDimension()),
            [factor] * image.GetDimension(),
        )
    )


def _filter(kind: Demons, iterations: int, sigma: float) -> Any:
    import SimpleITK

    diffeomorphic = kind == "diffeomorphic"
    found = (
        SimpleITK.DiffeomorphicDemonsRegistrationFilter()
        if diffeomorphic
        else SimpleITK.FastSymmetricForcesDemonsRegistrationFilter()
    )
    found.SetNumberOfIterations(iterations)
    found.SetSmoothDisplacementField(True)
    found.SetStandardDeviations(sigma)
    return found
