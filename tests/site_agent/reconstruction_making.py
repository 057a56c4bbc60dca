"""Homes with hearts in three dimensions, tiny networks, and hearts that need no phantom."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated.enrolment import Kit
from federated.keys import public_hex
from federated.vocabulary import builtin_vocabulary
from site_agent.home import SiteHome
from site_agent.intake.ingest import ingest
from site_agent.network_settings import ReconstructionSettings
from tests.small_front_end import CARD

BATCH = "b0001"
VIEWS = ("A4C", "A2C")
TINY = ReconstructionSettings(trunk="test_resnet", shrink=32, bottleneck=8, epochs=1, batch=2)
EDGE = 32


def ball(radius: float, edge: int = EDGE) -> np.ndarray:
    """(E, E, E) a solid ball about the middle."""
    away = np.arange(edge) - (edge - 1) / 2
    return away[:, None, None] ** 2 + away[:, None] ** 2 + away**2 <= radius**2


def picture(radius: float, shade: int) -> np.ndarray:
    """(224, 224) a disc as large as the ball is in its cube, some noise about it so that no two look the same."""
    away = (np.arange(224) - 111.5) / 224 * EDGE
    disc = away[:, None] ** 2 + away**2 <= radius**2
    noise = np.random.default_rng(round(1000 * radius) + shade).integers(0, 30, (224, 224))
    return np.asarray(np.where(disc, shade, 0) + noise, dtype=np.uint8)


def heart_arrays(patient: str, radius: float, views: Sequence[str] = VIEWS, **changes: Any) -> dict[str, Any]:
    """What a file of a heart holds."""
    said = {"patient": patient, "moment": "ED", "views": list(views)}
    arrays = {
        "said": np.frombuffer(json.dumps(said).encode(), np.uint8),
        "planes": np.stack([picture(radius, 200 - 20 * place) for place, _ in enumerate(views)]),
        "target": np.packbits(ball(radius)),
        "edge": np.int64(EDGE),
        "spacing_mm": np.float64(3.0),
    }
    return arrays | changes


def write_hearts(folder: Path, patients: int, first: int = 0, views: Sequence[str] = VIEWS) -> Path:
    """A folder of balls of several sizes, a patient each."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + patients):
        radius = 6 + 8 * ((number * 0.618) % 1)
        np.savez_compressed(folder / f"{number:03d}.npz", **heart_arrays(f"patient {number}", radius, views))
    return folder


def reconstruction_kit() -> Kit:
    """A kit of a federation whose labels are views."""
    return Kit(
        federation="test",
        coordinator="hub",
        coordinator_public=public_hex(Ed25519PrivateKey.from_private_bytes(b"c" * 32)),
        site="ada",
        invitation="ab" * 16,
        superlink="127.0.0.1:18000",
        ca_certificate="",
        task="reconstruction",
        front_end=CARD,
        vocabulary=builtin_vocabulary("heart"),
    )


def reconstruction_home(folder: Path, root: Path, settings: ReconstructionSettings = TINY) -> SiteHome:
    """A home that has taken in a folder."""
    home = SiteHome.create(folder, reconstruction_kit())
    (home.keys_path / "secret").write_bytes(b"ada".ljust(32, b"."))  # the same folds in every run
    home.config = home.config.model_copy(update={"reconstruction": settings})
    ingest(home.archive, home.image_vocabulary, home.label_map, root)
    return home
