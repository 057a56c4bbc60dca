"""Readers of the exports that share nothing with their writers."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw

Gray = np.ndarray


def rows_of(path: Path) -> list[dict[str, str]]:
    """A table with a header."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def video(path: Path) -> Gray:
    """(T, H, W) grey levels."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="gray") for frame in container.decode(video=0)])


def filled(points: Iterable[tuple[float, float]], shape: tuple[int, int]) -> np.ndarray:
    """The mask inside a polygon, drawn by Pillow."""
    image = Image.new("L", (shape[1], shape[0]))
    ImageDraw.Draw(image).polygon([(float(x), float(y)) for x, y in points], fill=1, outline=1)
    return np.asarray(image, bool)


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Overlap of two masks, 0 to 1."""
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))


def meta_image(path: Path) -> tuple[Gray, tuple[float, ...]]:
    """(T, H, W) bytes and the spacing along x, y, z."""
    import zlib

    said = dict(line.split(" = ", 1) for line in path.read_text(encoding="ascii").splitlines())
    data = (path.parent / said["ElementDataFile"]).read_bytes()
    raw = zlib.decompress(data) if said["CompressedData"] == "True" else data
    size = tuple(map(int, said["DimSize"].split()))
    return np.frombuffer(raw, np.uint8).reshape(size[::-1]), tuple(map(float, said["ElementSpacing"].split()))
