"""A small folder of images that a demonstration can run on in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

HELD = {"Alder": "dots lines", "Birch": "lines rings", "Cedar": "dots lines rings"}
PATIENTS, SIDE = 8, 48


def draw(pattern: str, seed: int) -> np.ndarray:
    """A noisy picture of dots, lines or rings."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    shapes = {
        "dots": np.sin(25 * x) * np.sin(25 * y),
        "lines": np.sin(40 * y + 3 * x),
        "rings": np.sin(50 * np.hypot(x - 0.5, y - 0.5)),
    }
    grey = 128 + 60 * shapes[pattern] + 25 * rng.normal(size=(SIDE, SIDE))
    return np.clip(grey, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sites with overlapping labels, two frames of one clip for each patient."""
    folder = tmp_path_factory.mktemp("pictures")
    lines = ["path,label,patient,hospital,clip"]
    for number, (site, labels) in enumerate(HELD.items()):
        for label in labels.split():
            for patient in range(PATIENTS):
                clip = f"{site}-{label}-{patient}"
                for frame in range(2):
                    name = f"{clip}-{frame}.png"
                    Image.fromarray(draw(label, hash_of(number, patient, frame, label))).save(folder / name)
                    lines.append(f"{name},{label},{clip},{site},{clip}")
    (folder / "index.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def hash_of(number: int, patient: int, frame: int, label: str) -> int:
    """A seed of its own for every picture."""
    return ((number * 100 + patient) * 10 + frame) * 10 + sorted(["dots", "lines", "rings"]).index(label)
