"""A home with the phantom's export taken in, as tests of what experts drew read it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from federated.enrolment import Kit
from federated.vocabulary import Vocabulary, builtin_vocabulary
from site_agent.archive import Archive
from site_agent.home import SiteHome
from site_agent.intake.ingest import ingest
from site_agent.intake.reports import IngestReport


def heart_home(folder: Path, kit: Kit, vocabulary: Vocabulary | None = None) -> SiteHome:
    """A home of a federation that speaks of views of the heart, or of something else."""
    told = kit.model_copy(update={"vocabulary": vocabulary or builtin_vocabulary("heart")})
    return SiteHome.create(folder, told)


def take_in(home: SiteHome, root: Path) -> IngestReport:
    """What a folder holds becomes a batch."""
    return ingest(home.archive, home.vocabulary, home.label_map, root)


def redrawn(archive: Archive, name: str, change: dict[int, NDArray[np.uint8] | None], key: str) -> None:
    """Rewrites a clip's set of masks: frame -> its new mask, or None to take it away."""
    tensors = {each: archive.cache.read(key, each) for each in archive.cache.names(key)}
    numbers = tensors[f"mask.{name}.at"].tolist()
    masks = dict(zip(numbers, tensors[f"mask.{name}"], strict=True)) | change
    kept = {number: mask for number, mask in masks.items() if mask is not None}
    tensors[f"mask.{name}"], tensors[f"mask.{name}.at"] = np.stack(list(kept.values())), np.array(list(kept))
    archive.cache.stage(key, tensors)
    archive.cache.settle(key)
