"""Real images to register: hippocampi with labels, and brains without.

All images of a set are padded to one shape, never stretched: voxels that are no cubes of 1 mm are first resampled to
such. Fields and pairs are those of `shared_models.registration.pairs`, without a true displacement.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

from shared_models.registration.pairs import Pair

HIPPOCAMPUS_SHAPE = (48, 64, 48)  # holds every image; each axis is a multiple of 16
HIPPOCAMPUS_LABELS = (1, 2)
BRAIN_SHAPE = (96, 112, 96)
BRAIN_SLICES = (16, 27, 30, 62, 64, 85)
CUBE_MM, SAME_MM = 1.0, 0.01
LOW, HIGH = 1.0, 99.0  # percentiles of an image that become 0 and 1


@dataclass(frozen=True)
class Scan:
    """One image, ready to be registered.

    Attributes:
        name: of the file.
        image: (*N) float32 in [0, 1].
        labels: (*N) uint8, or None.
        spacing_mm: edges of a voxel.
    """

    name: str
    image: NDArray[np.float32]
    labels: NDArray[np.uint8] | None
    spacing_mm: tuple[float, ...]


def hippocampi(folder: Path, split: str, shape: Sequence[int] = HIPPOCAMPUS_SHAPE) -> list[Scan]:
    """The images of a split, ``train`` or ``test``, in the order of the index.

    Raises:
        ValueError: there is no index or no such split, or a file of it is missing, damaged or too large.
    """
    index = folder / "index.csv"
    try:
        with index.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row.get("split") == split]
    except OSError as error:
        raise ValueError(f"{index}: cannot be read ({error.strerror or error})") from error
    if not rows:
        raise ValueError(f"{index}: has no images of a split '{split}'")
    return [_hippocampus(folder, row["image"], row["label"], shape) for row in rows]


def _hippocampus(folder: Path, image: str, labels: str, shape: Sequence[int]) -> Scan:
    grey, spacing = read_volume(folder / image)
    marks, _ = read_volume(folder / labels)
    if grey.shape != marks.shape:
        raise ValueError(f"{folder / labels}: has shape {_said(marks.shape)}, its image {_said(grey.shape)}")
    if strangers := set(np.unique(marks)) - {0, *HIPPOCAMPUS_LABELS}:
        raise ValueError(f"{folder / labels}: holds the label {min(strangers):g}; known are 0, 1 and 2")
    padded = padded_to(normalised(resampled(grey, spacing, order=1)), shape, image)
    whole = padded_to(resampled(marks, spacing, order=0).astype(np.uint8), shape, labels)
    return Scan(Path(image).name.partition(".")[0], padded, whole, (CUBE_MM,) * 3)


def brains(folder: Path) -> list[Scan]:
    """Two average brains of 2 mm in 3D, in stereotactic space both.

    Raises:
        ValueError: a file is missing or damaged.
    """
    found = []
    for name in ("ch2_2mm", "mni_2mm"):
        grey, spacing = read_volume(folder / f"{name}.nii.gz")
        found.append(Scan(name, padded_to(normalised(grey), BRAIN_SHAPE, name), None, spacing))
    return found


def brain_slices(folder: Path) -> list[Scan]:
    """Six slices of 256 x 256 pixels, whose edges are taken as 1 mm.

    Raises:
        ValueError: a file is missing or damaged.
    """
    from PIL import Image, UnidentifiedImageError

    found = []
    for number in BRAIN_SLICES:
        path = folder / f"r{number}slice.jpg"
        try:
            with Image.open(path) as image:
                grey = np.asarray(image.convert("L"), np.float32)
        except (OSError, UnidentifiedImageError) as error:
            raise ValueError(f"{path}: cannot be read") from error
        found.append(Scan(path.stem, normalised(grey), None, (CUBE_MM,) * 2))
    return found


def pairs_of(scans: Sequence[Scan], most: int | None = None, seed: int = 0) -> Iterator[Pair]:
    """Every image to every other, in both directions; or so many of these, drawn at random."""
    chosen = list(permutations(range(len(scans)), 2))
    if most is not None and most < len(chosen):
        drawn = np.random.default_rng(seed).choice(len(chosen), size=most, replace=False)
        chosen = [chosen[number] for number in sorted(drawn.tolist())]
    for moving, fixed in ((scans[first], scans[second]) for first, second in chosen):
        yield Pair(
            name=f"{moving.name} to {fixed.name}",
            moving=moving.image,
            fixed=fixed.image,
            spacing_mm=fixed.spacing_mm,
            moving_labels=moving.labels,
            fixed_labels=fixed.labels,
        )


def read_volume(path: Path) -> tuple[NDArray[Any], tuple[float, ...]]:
    """A NIfTI volume turned to right, anterior, superior, and the edges of its voxels in mm.

    Raises:
        ValueError: it is missing, damaged or no volume of finite numbers.
    """
    import nibabel

    try:
        held: Any = nibabel.as_closest_canonical(nibabel.load(path))
        values = np.asarray(held.dataobj)
        spacing = tuple(float(each) for each in held.header.get_zooms())
    except Exception as error:  # nibabel and zlib raise what each of their parts raises
        raise ValueError(f"{path}: cannot be read as a NIfTI volume") from error
    if values.ndim != 3 or not np.isfinite(values).all():
        raise ValueError(f"{path}: is no volume of finite numbers")
    return values, spacing


def resampled(values: NDArray[Any], spacing: Sequence[float], order: Literal[0, 1]) -> NDArray[Any]:
    """The same with cubes of 1 mm; as it is where it has such."""
    if all(abs(edge - CUBE_MM) <= SAME_MM for edge in spacing):
        return values
    return zoom(values.astype(np.float32), [edge / CUBE_MM for edge in spacing], order=order)


def normalised(values: NDArray[Any]) -> NDArray[np.float32]:
    """Greys in [0, 1] between the 1st and the 99th percentile; nothing but 0 where all are the same."""
    low, high = np.percentile(values, (LOW, HIGH))
    if not high > low:
        return np.zeros(values.shape, np.float32)
    return np.clip((values - low) / (high - low), 0, 1).astype(np.float32)


def padded_to(values: NDArray[Any], shape: Sequence[int], name: str) -> NDArray[Any]:
    """In the middle of a shape, zeros about it.

    Raises:
        ValueError: it does not fit in.
    """
    if len(shape) != values.ndim or any(own > wanted for own, wanted in zip(values.shape, shape, strict=True)):
        raise ValueError(f"{name}: {_said(values.shape)} voxels do not fit into {_said(shape)}")
    before = [(wanted - own) // 2 for own, wanted in zip(values.shape, shape, strict=True)]
    after = [wanted - own - first for own, wanted, first in zip(values.shape, shape, before, strict=True)]
    return np.pad(values, list(zip(before, after, strict=True)))


def _said(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))
