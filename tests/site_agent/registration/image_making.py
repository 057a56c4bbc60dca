"""Images with a texture, and files of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.shared_models.registration.textures import texture

RAS = np.diag([-1.0, -1.0, 1.0, 1.0])  # from LPS


def blob(size: tuple[int, ...], shift: tuple[float, ...], radius: float = 6.0) -> NDArray[np.float64]:
    """A round spot in the middle, shifted, on a dark ground."""
    numbers = np.indices(size)
    middle = [(n - 1) / 2 + by for n, by in zip(size, shift, strict=True)]
    square = sum((at - centre) ** 2 for at, centre in zip(numbers, middle, strict=True))
    return np.asarray(200 * np.exp(-square / (2 * radius**2)))


def grey(size: tuple[int, ...]) -> NDArray[np.uint8]:
    """A texture of eight bits."""
    return np.asarray(255 * texture(size), np.uint8)


def nifti_file(path: Path, values: NDArray[Any], lps: NDArray[np.float64] | None = None) -> Path:
    """Values as x, y, z with a matrix to LPS millimetres, one a voxel along each where none is given."""
    nibabel.Nifti1Image(values, RAS @ (np.eye(4) if lps is None else lps)).to_filename(path)
    return path


def png_file(path: Path, values: NDArray[np.uint8]) -> Path:
    Image.fromarray(values).save(path)
    return path


def oblique(spacing: tuple[float, float, float], offset: tuple[float, float, float]) -> NDArray[np.float64]:
    """(4, 4) of a turned grid in LPS."""
    a, b = 0.3, -0.2
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    turn = turn @ np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    matrix = np.eye(4)
    matrix[:3, :3] = turn * spacing
    matrix[:3, 3] = offset
    return matrix
