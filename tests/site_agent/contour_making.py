"""A home of a federation of contours, with the phantom's patients taken in."""

from __future__ import annotations

from pathlib import Path

from federated.enrolment import Kit
from federated.vocabulary import builtin_vocabulary
from site_agent.home import SiteHome
from site_agent.intake.ingest import ingest
from site_agent.network_settings import NetworkSettings

SETTINGS = NetworkSettings(side=32, width=4, levels=3, epochs=2, batch=8)
SIZE = {"patients": 8, "frames": 8, "size": 96}
BATCH = "b0001"


def contour_home(folder: Path, kit: Kit, root: Path, settings: NetworkSettings = SETTINGS) -> SiteHome:
    """A home that has taken in a folder."""
    told = kit.model_copy(update={"task": "contour", "vocabulary": builtin_vocabulary("heart")})
    home = SiteHome.create(folder, told)
    home.config = home.config.model_copy(update={"contour": settings})
    ingest(home.archive, home.image_vocabulary, home.label_map, root)
    return home
