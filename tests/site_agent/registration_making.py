"""A home of a federation of registration, with the phantom's clips taken in."""

from __future__ import annotations

from pathlib import Path
from shutil import copytree

from federated.enrolment import Kit
from federated.vocabulary import builtin_vocabulary
from site_agent.home import SiteHome
from site_agent.intake.ingest import ingest
from site_agent.network_settings import RegistrationSettings

SETTINGS = RegistrationSettings(side=32, width=2, epochs=2, batch=8)
SIZE = {"patients": 8, "frames": 6, "size": 96}
BATCH = "b0001"


def registration_home(folder: Path, kit: Kit, root: Path, settings: RegistrationSettings = SETTINGS) -> SiteHome:
    """A home that has taken in a folder: a copy of the first one that did."""
    first = root.with_name(f"{root.name}-registration")
    if not first.exists():
        told = kit.model_copy(update={"task": "registration", "vocabulary": builtin_vocabulary("heart")})
        made = SiteHome.create(first, told)
        ingest(made.archive, made.image_vocabulary, made.label_map, root)
    copytree(first, folder)
    home = SiteHome(folder)
    home.config = home.config.model_copy(update={"registration": settings})
    return home
