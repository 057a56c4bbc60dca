"""Sectors as they were found at intake, at the side at which a network sees them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from shared_models.sector_geometry import Parallelogram, Sector
from site_agent.catalogue import Catalogue
from site_agent.sectors import sectors_of

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation


def test_the_sector_of_each_image_and_nothing_where_none_was_found(federation: Federation) -> None:
    """Upper half of a working image twice as wide as high, which is squeezed to a square."""
    home = federation.hospital("ada", {"dark": 2, "light": 2}, "statistics")
    catalogue = Catalogue(home.catalogue_path)
    cases = catalogue.cases()
    upper = Sector("linear", Parallelogram(-0.5, 9.5, -0.5, 39.5), (20, 40), 0.9)
    with catalogue.transaction() as connection:
        connection.execute("UPDATE clips SET sector = ''")
        connection.execute("UPDATE clips SET sector = ? WHERE id = ?", (json.dumps(upper.to_json()), cases[2].id))
    masks = sectors_of(home, cases, 8)
    for case, mask in zip(cases, masks, strict=True):
        known = case.id == cases[2].id
        assert mask[:4].all() == known
        assert not mask[4:].any()
    assert masks.any(axis=(1, 2)).sum() == 1
