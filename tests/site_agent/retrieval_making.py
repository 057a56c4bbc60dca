"""A home of a federation of retrieval, with sweeps along the phantom's thighs taken in."""

from __future__ import annotations

from pathlib import Path
from shutil import copytree

from federated.enrolment import Kit
from federated.manifest import FrontEndCard
from federated.vocabulary import builtin_vocabulary
from shared_models.front_ends import create_front_end
from site_agent.home import SiteHome
from site_agent.intake.ingest import ingest
from site_agent.network_settings import EncoderSettings

SETTINGS = EncoderSettings(side=32, width=4, cells=4, epochs=2, batch=4, beside=2, rate=1e-3)
SIZE = {"patients": 6, "frames": 12, "size": 64}


def retrieval_kit(kit: Kit) -> Kit:
    """A kit whose labels are what clips of a thigh show."""
    front_end = create_front_end("pixels")
    card = FrontEndCard(
        name=front_end.name, config=dict(front_end.config), digest=front_end.digest, features=front_end.features
    )
    return kit.model_copy(update={"task": "retrieval", "front_end": card, "vocabulary": builtin_vocabulary("muscle")})


def retrieval_home(folder: Path, kit: Kit, root: Path) -> SiteHome:
    """A home that has taken in a folder: a copy of the first one that did."""
    first = root.with_name(f"{root.name}-taken-in")
    if not first.exists():
        made = SiteHome.create(first, retrieval_kit(kit))
        ingest(made.archive, made.image_vocabulary, made.label_map, root)
    copytree(first, folder)
    home = SiteHome(folder)
    home.config = home.config.model_copy(update={"retrieval": SETTINGS})
    return home
