"""The real ultrasound images on which the sector is looked for: a gallery of hearts, lungs, and one scanner's screens.

Every image of a gallery with an odd number was kept unseen while the search was tuned; of the rest all were looked at.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.phantom_gallery import read_image
from benchmarks.phantom_realism import read_metaimage

GALLERY, LUNG, SCREENS = "heart gallery", "lung clips", "screens of one scanner"
STILLS, VIDEOS = {".png", ".jpg", ".jpeg"}, {".mp4", ".avi", ".mpeg", ".mov"}
COLOURED = 0.005  # share of coloured pixels that an index says, from which on an image shows colour Doppler
SWEEPS = {"doppler": "spectral", "mmode": "m"}
FRAMES = 24  # of a video that are read


@dataclass(frozen=True)
class RealImage:
    """An image or clip.

    Attributes:
        source: one of the three above.
        name: its file's name without ending.
        unseen: whether it was kept unseen while the search was tuned.
        mode: what the index says it shows: b, colour, m or spectral; nothing where there is no index.
        frames: (H, W), (H, W, 3) or (T, H, W, 3).
    """

    source: str
    name: str
    unseen: bool
    mode: str
    frames: NDArray[np.uint8]


def real_images(gallery: Path, lung: Path, screens: Path) -> Iterator[RealImage]:
    """All images of three folders, one after another; a folder that is not there has none."""
    yield from gallery_images(gallery)
    for path in sorted((lung / "originals").glob("*")):
        if path.suffix in STILLS:
            yield RealImage(LUNG, path.stem, False, "", read_image(path))
        elif path.suffix in VIDEOS:
            yield RealImage(LUNG, path.stem, False, "", read_video(path))
    for path in sorted(screens.glob("*_layer0.mhd")):
        yield RealImage(SCREENS, path.stem, False, "", read_metaimage(path))


def gallery_images(folder: Path) -> Iterator[RealImage]:
    """Images of a gallery with an index of path, view_id, family and colour_fraction."""
    index = folder / "index.csv"
    if not index.is_file():
        return
    with index.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            unseen = int(row["view_id"]) % 2 == 1
            yield RealImage(GALLERY, Path(row["path"]).stem, unseen, said_mode(row), read_image(folder / row["path"]))


def said_mode(row: dict[str, str]) -> str:
    """The mode that a row of the index says."""
    return SWEEPS.get(row["family"]) or ("colour" if float(row["colour_fraction"]) > COLOURED else "b")


def read_video(path: Path) -> NDArray[np.uint8]:
    """(T, H, W, 3), evenly spaced over a video."""
    import av

    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    some = np.unique(np.linspace(0, len(frames) - 1, FRAMES).round().astype(int))
    return np.stack([frames[number] for number in some])
