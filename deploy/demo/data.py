"""The images of the demonstration: scikit-learn's digits made into three sites, or a folder with its own index."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError
from site_agent.index import Row, parse_columns, read_index

INDEX = "index.csv"
SIDE = 32
SEED = 1993
UNTAUGHT_IMAGES = 12
DIGITS = "0123456789"


@dataclass(frozen=True)
class MadeUpSite:
    """A site made of digits: which it labels, and how its 'scanner' sees (blur in pixels, noise in grey levels)."""

    labels: str
    contrast: float
    blur: float
    noise: float


DIGIT_SITES: Mapping[str, MadeUpSite] = {
    "digits-a": MadeUpSite("01234", contrast=1.0, blur=0.0, noise=4.0),
    "digits-b": MadeUpSite("034567", contrast=0.6, blur=1.0, noise=10.0),
    "digits-c": MadeUpSite("1245678", contrast=1.4, blur=1.6, noise=16.0),
}
ABOUT_DIGITS = (
    "scikit-learn's handwritten digits as three made-up sites with overlapping labels and different made-up scanners: "
    "no hospital, no patient, every image stands for one patient. Digits that a site does not label are among its "
    "held-back images, and nobody labels the digit 9."
)


@dataclass(frozen=True)
class Material:
    """Where the images lie and whose they are.

    Attributes:
        index: the index file.
        columns: names of its columns, as given to ``--columns``.
        sites: federation name -> the index's own word for the site.
        labels: the index's own word -> code.
        taught: site -> codes of its images that may train.
        front_end: name of the front end for these images.
        about: what they are.
    """

    index: Path
    columns: str
    sites: Mapping[str, str]
    labels: Mapping[str, str]
    taught: Mapping[str, tuple[str, ...]]
    front_end: str
    about: str

    @property
    def codes(self) -> tuple[str, ...]:
        """All codes, sorted."""
        return tuple(sorted(set(self.labels.values())))


def folder_material(folder: Path, columns: str) -> Material:
    """The images of a folder with an index, or of the index itself.

    Raises:
        DataError: no index, no site column, or fewer than two sites.
    """
    rows = read_index(folder, parse_columns(columns))
    index = folder if folder.is_file() else folder / INDEX
    if not all(row.site for row in rows):
        raise DataError(
            "does not say the site of every image",
            where=str(index),
            cure="name the column: --columns site=NAME",
        )
    return _material(index, columns, rows, f"{len(rows)} lines of {index}")


def digits_material(folder: Path) -> Material:
    """The made-up sites, whose images `write_digits` puts into the folder."""
    return Material(
        index=folder / INDEX,
        columns="",
        sites={name: name for name in DIGIT_SITES},
        labels={digit: digit for digit in DIGITS},
        taught={name: tuple(site.labels) for name, site in DIGIT_SITES.items()},
        front_end="pixels",
        about=ABOUT_DIGITS,
    )


def _material(index: Path, columns: str, rows: Sequence[Row], about: str) -> Material:
    sites = {plain_name(word): word for word in dict.fromkeys(row.site for row in rows)}
    labels = {word: plain_code(word) for word in dict.fromkeys(row.label for row in rows)}
    if len(sites) < len({row.site for row in rows}) or len(set(labels.values())) < len(labels):
        raise DataError("two sites or labels differ in case or punctuation only", where=str(index), cure="rename one")
    if len(sites) < 2:
        raise DataError("names one site only", where=str(index), cure="a federation needs two: --columns site=NAME")
    taught = {
        name: tuple(sorted({labels[row.label] for row in rows if row.site == word and row.fold != "test"}))
        for name, word in sites.items()
    }
    return Material(index, columns, sites, labels, taught, "texture", about)


def plain_name(word: str) -> str:
    """A word as a federation name: small letters, digits, ``_ . -``."""
    return re.sub(r"[^a-z0-9_.-]+", "-", word.lower()).strip("_.-")[:63] or "site"


def plain_code(word: str) -> str:
    """A word as a label code: letters, digits, ``_ . + -``."""
    return re.sub(r"[^A-Za-z0-9_.+-]+", "-", word).strip("_.+-")[:64] or "label"


def arrival_order(material: Material, order: str) -> tuple[str, ...]:
    """Sites as asked for, or those with the fewest labels first.

    Raises:
        DataError: the order does not name every site once.
    """
    asked = [plain_name(name) for name in order.split(",") if name.strip()]
    if not asked:
        return tuple(sorted(material.sites, key=lambda name: (len(material.taught[name]), name)))
    if sorted(asked) != sorted(material.sites):
        raise DataError(
            f"'{order}' does not name every site once",
            where="--order",
            cure=f"sites: {','.join(sorted(material.sites))}",
        )
    return tuple(asked)


def write_digits(folder: Path) -> None:
    """PNG files and an index of the made-up sites; the same bytes every time."""
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    generator = np.random.default_rng(SEED)
    lines = [("path", "label", "patient", "site", "split")]
    for number, (name, share) in enumerate(zip(DIGIT_SITES, _shares(len(digits.target), generator), strict=True)):
        site, left = DIGIT_SITES[name], dict.fromkeys(DIGITS, UNTAUGHT_IMAGES)
        (folder / name).mkdir(parents=True, exist_ok=True)
        for row in share:
            label = str(digits.target[row])
            left[label] -= 1
            if label in site.labels or left[label] >= 0:
                path = f"{name}/{row:04d}.png"
                Image.fromarray(seen_by(site, digits.images[row], np.random.default_rng([SEED, number, row]))).save(
                    folder / path
                )
                lines.append((path, label, f"image-{row:04d}", name, "" if label in site.labels else "test"))
    with (folder / INDEX).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(lines)


def _shares(count: int, generator: np.random.Generator) -> list[list[int]]:
    """Every image goes to one site."""
    shuffled = generator.permutation(count)
    return [sorted(int(row) for row in part) for part in np.array_split(shuffled, len(DIGIT_SITES))]


def seen_by(site: MadeUpSite, image: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.uint8]:
    """An 8x8 digit in 0..16 as a made-up scanner shows it, (SIDE, SIDE) grey levels."""
    from scipy.ndimage import gaussian_filter, zoom

    large = zoom(image / 16.0, SIDE / 8, order=1, mode="nearest", grid_mode=True)
    blurred = gaussian_filter(large, site.blur) if site.blur else large
    grey = 127.5 + 255.0 * site.contrast * (blurred - 0.5) + generator.normal(0.0, site.noise, blurred.shape)
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)
