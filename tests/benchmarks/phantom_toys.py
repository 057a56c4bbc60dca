"""Fans with a dark spot whose place says the family: what an echocardiogram is to a test."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.phantom_gallery import FAMILIES
from shared_models.phantom.views import VIEWS

HEIGHT, WIDTH, APEX = 120, 160, (10.0, 80.0)  # rows and columns
SPOTS = dict(zip(FAMILIES, [(45, 80), (65, 60), (65, 100), (90, 80), (95, 50), (95, 110), (75, 80)], strict=True))


def fan(spot: tuple[int, int], seed: int) -> NDArray[np.uint8]:
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    depth, angle = np.hypot(y - APEX[0], x - APEX[1]), np.arctan2(x - APEX[1], y - APEX[0])
    grey = random.uniform(80, 200, (HEIGHT, WIDTH))
    grey[np.hypot(y - spot[0], x - spot[1]) < 13] = 2
    return np.where((depth < 100) & (np.abs(angle) < 0.7), grey, 0).astype(np.uint8)


def toy(view: str, seed: int) -> NDArray[np.uint8]:
    """What `phantom_squares` takes as a way to draw."""
    return fan(SPOTS[VIEWS[view].family], seed)


def with_interface(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """In a larger colour picture, with text, a trace under the fan, a scale beside it and a colour bar."""
    out = np.zeros((HEIGHT + 80, WIDTH + 80, 3), np.uint8)
    out[40 : 40 + HEIGHT, 40 : 40 + WIDTH] = image[..., None]
    out[5:9, 5:30:2] = 220
    out[-10, 10:-10] = (60, 255, 60)
    out[30:170:10, -8:-4] = 200
    out[50:90, -20:-14] = (255, 120, 0)
    return out


def write_gallery(folder: Path, views: list[str], family_of: dict[str, str]) -> Path:
    """A gallery of fans with an interface; views without a family get a picture too."""
    rows = []
    for number, view in enumerate(views):
        path = f"{number:02d}_{view}.png"
        Image.fromarray(with_interface(fan(SPOTS[family_of.get(view, "psax")], 900 + number))).save(folder / path)
        rows.append({"path": path, "view": view, "family": "whatever"})
    with (folder / "index.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["path", "view", "family"])
        writer.writeheader()
        writer.writerows(rows)
    return folder
