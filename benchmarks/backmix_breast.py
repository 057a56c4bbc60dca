"""Breast ultrasound of two real sites: learnt at one, asked at both; words and calipers are burnt in at both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.backmix_images import Pictures
from benchmarks.real_data import BREAST
from deploy.phantom.seeds import share_of
from shared_models.scaling import resized, resized_labels
from shared_models.sector import find_sector
from site_agent.sources.images import decode_still, luma
from site_agent.sources.index import Row, parse_columns, read_index

LABELS = ("benign", "malignant")
TAUGHT, STRANGE = "busi_cairo", "busbra_rio"
COLUMNS = "patient=split_group"
SURE = 0.8  # quality from which on intake believes a sector
FOLDS = (("train", 0.7), ("validation", 0.8), ("test", 1.0))


@dataclass(frozen=True)
class Site:
    """All images of a site that show a tumour.

    Attributes:
        pictures: sectors are nowhere where none was found.
        patients: (n,) groups of images that look alike.
        found: how many sectors were found.
        sure: of them, how many intake would believe.
        outside: mean share of an image outside its sector, over those that were found.
    """

    pictures: Pictures
    patients: tuple[str, ...]
    found: int
    sure: int
    outside: float

    def rows(self, chosen: NDArray[np.bool_]) -> Pictures:
        """Some of the images."""
        held = self.pictures
        return Pictures(held.images[chosen], held.labels[chosen], held.sectors[chosen], held.patients[chosen])

    def fold(self, name: str, seed: int) -> Pictures:
        """Images of the patients of a fold, another division for every seed."""
        return self.rows(np.array([_fold(seed, patient) == name for patient in self.patients]))


def _fold(seed: int, patient: str) -> str:
    share = share_of(seed, "backmix", "breast", patient)
    return next(name for name, end in FOLDS if share < end)


def sites(side: int) -> dict[str, Site]:
    """Both sites, images squeezed to a side.

    Raises:
        DataError: the data are not there.
    """
    rows = [row for row in read_index(BREAST, parse_columns(COLUMNS)) if row.label in LABELS]
    return {name: _site([row for row in rows if row.site == name], side) for name in (TAUGHT, STRANGE)}


def _site(rows: list[Row], side: int) -> Site:
    images = [luma(decode_still(row.path)) for row in rows]
    sectors = [find_sector(image) for image in images]
    shape = (side, side)
    masks = [
        np.zeros(shape, np.uint8) if sector is None else resized_labels(sector.mask().astype(np.uint8), shape)
        for sector in sectors
    ]
    patients = tuple(row.patient for row in rows)
    pictures = Pictures(
        np.stack([resized(image, side) for image in images]),
        np.array([LABELS.index(row.label) for row in rows], dtype=np.int64),
        np.stack(masks) == 1,
        np.unique(patients, return_inverse=True)[1].astype(np.int64),
    )
    held = [sector for sector in sectors if sector is not None]
    outside = float(np.mean([1 - sector.mask().mean() for sector in held])) if held else 0.0
    return Site(pictures, patients, len(held), sum(sector.quality >= SURE for sector in held), outside)
