"""Small networks, pictures and hearts for tests of reconstruction."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared_models.reconstruction.shape_examples import Example, ShapePlan, shape_example, shape_patient
from shared_models.reconstruction.view_network import ViewNetwork
from site_agent.reconstruction.heart import Heart, reconstruct
from site_agent.reconstruction.network_file import NetworkCard, write_network
from site_agent.reconstruction.pictures import Picture
from site_agent.training_report.page import png

EDGE = 32
TINY: dict[str, bool | int | str] = {
    "size": EDGE,
    "views": "A4C,A2C",
    "trunk": "test_resnet",
    "shrink": 32,
    "bottleneck": 8,
}
CARD = NetworkCard(network=TINY, target="walls", cube_mm=150.0, hearts=4, source="tests")


class Ball:
    """A reconstructor that finds the same ball of a radius in voxels whatever it is shown."""

    def __init__(self, radius: float) -> None:
        self.radius = radius

    def volume(self, views: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """(E, E, E); there must be views."""
        assert views
        away = np.linalg.norm(np.indices((EDGE,) * 3) - (EDGE - 1) / 2, axis=0)
        return np.clip(0.5 + (self.radius - away), 0, 1).astype(np.float32)


@lru_cache(maxsize=1)
def example() -> Example:
    """One phantom heart in all views, without a hand's tremor."""
    return shape_example(shape_patient(3), "ED", ShapePlan(EDGE, jitter=False))


def network(seed: int = 1) -> ViewNetwork:
    """A tiny one with fresh weights."""
    import torch

    from shared_models.reconstruction.pix2vox import pix2vox

    torch.manual_seed(seed)
    return pix2vox(**TINY).eval()  # type: ignore[arg-type]


def written(path: Path, card: NetworkCard = CARD) -> Path:
    """A tiny network's file."""
    write_network(path, network(), card)
    return path


def pictures_in(folder: Path, *views: str) -> list[Path]:
    """Pictures of the heart, named by their views."""
    heart = example()
    paths = [folder / f"{view}.png" for view in views]
    for view, path in zip(views, paths, strict=True):
        path.write_bytes(png(np.rint(heart.planes[heart.views.index(view)] * 255).astype(np.uint8)))
    return paths


def picture(view: str, pixel_mm: float | None = None) -> Picture:
    """A picture of the heart."""
    heart = example()
    return Picture(view, Path(f"{view}.png"), heart.planes[heart.views.index(view)], pixel_mm)


def ball_heart(radius: float = 10.0, pixel_mm: float | None = None) -> Heart:
    """A ball for a heart; its cube has an edge of 64 mm if no picture says another."""
    shown = [picture("A4C", pixel_mm), picture("A2C")]
    return reconstruct(Ball(radius), shown, target="walls", usual_cube_mm=64.0, threshold=0.5)
