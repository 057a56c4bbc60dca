"""Small clips of a ventricle that contracts by a known share, with its label map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.draw import polygon2mask

from shared_models.registration.random_warps import warped
from tests.shared_models.registration.textures import texture

SIZE = (64, 64)
MIDDLE = np.array([31.5, 34.0])  # x, y, which stays
SHARES = (1.0, 0.95, 0.88, 0.94)  # of each frame's lengths in those of the first
CAVITY, WALL = 2, 3


def arch(grow: float = 0.0, points: int = 201) -> NDArray[np.float64]:
    """(M, 2) the upper half of an ellipse on straight sides, from the left end of the base over the apex."""
    angles = np.linspace(np.pi, 0, points)
    top = MIDDLE + np.stack([(11 + grow) * np.cos(angles), -(20 + grow) * np.sin(angles)], axis=1)
    return np.stack([MIDDLE + np.array([-11 - grow, 12]), *top, MIDDLE + np.array([11 + grow, 12])])


def labels() -> NDArray[np.uint8]:
    """(H, W) cavity and wall in the numbers of this project's pictures, with a corner of another structure."""
    outer, inner = (polygon2mask(SIZE, arch(grow)[:, ::-1]) for grow in (5, 0))
    found = np.where(inner, CAVITY, np.where(outer, WALL, 0)).astype(np.uint8)
    found[-2:, :2] = 5
    return found


def frames() -> NDArray[np.uint8]:
    """(T, H, W) of tissue that contracts towards the middle."""
    rows, columns = np.indices(SIZE)
    ways = np.stack([rows - MIDDLE[1], columns - MIDDLE[0]])
    tissue = 0.2 + 0.8 * texture(SIZE)
    return np.stack(
        [(255 * warped(tissue, ((1 / share - 1) * ways).astype(np.float32))).astype(np.uint8) for share in SHARES]
    )


def folder_of(path: Path, images: NDArray[np.uint8]) -> Path:
    """Frames as pictures whose numbers have no leading noughts."""
    path.mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(path / f"frame_{8 + number}.png")
    return path
