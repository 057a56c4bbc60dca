"""A home of a federation of segmentation, with the phantom's patients taken in."""

from __future__ import annotations

from pathlib import Path

from federated.enrolment import Kit
from federated.vocabulary import Concept, Vocabulary
from site_agent.home import SiteHome
from site_agent.intake.ingest import ingest
from site_agent.network_settings import NetworkSettings
from site_agent.truth import LA, LV, MYOCARDIUM

STRUCTURES = {LV: "left ventricle", MYOCARDIUM: "myocardium", LA: "left atrium"}
SETTINGS = NetworkSettings(side=32, width=4, levels=3, epochs=2, batch=8)


def segmentation_kit(kit: Kit) -> Kit:
    """A kit whose labels are structures."""
    concepts = tuple(Concept(code=code, scheme="SCT", meaning=meaning) for code, meaning in STRUCTURES.items())
    return kit.model_copy(update={"task": "segmentation", "vocabulary": Vocabulary(name="chambers", concepts=concepts)})


def segmentation_home(folder: Path, kit: Kit, root: Path, settings: NetworkSettings = SETTINGS) -> SiteHome:
    """A home that has taken in a folder."""
    home = SiteHome.create(folder, segmentation_kit(kit))
    home.config = home.config.model_copy(update={"segmentation": settings})
    ingest(home.archive, home.image_vocabulary, home.label_map, root)
    return home
