"""Where the ultrasound sector lies in working images, as it was found when they were taken in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from site_agent.catalogue import Catalogue

if TYPE_CHECKING:
    from site_agent.catalogue import Case
    from site_agent.home import SiteHome


def sectors_of(home: SiteHome, cases: Sequence[Case], side: int) -> NDArray[np.bool_]:
    """(n, side, side) whether a pixel lies in the sector; nowhere in an image in which none was found."""
    from shared_models.scaling import resized_labels
    from shared_models.sector import Sector

    held = dict(Catalogue(home.catalogue_path).rows("SELECT id, sector FROM clips WHERE sector != ''"))
    found = np.zeros((len(cases), side, side), dtype=np.bool_)
    for mask, case in zip(found, cases, strict=True):
        if said := held.get(case.id):
            mask[:] = resized_labels(Sector.from_json(json.loads(said)).mask().astype(np.uint8), (side, side))
    return found
