"""What of a site's own images looks like a given one: by encoders of retrieval, or by the federation's front end.

Several encoders count as much as the image is in-distribution for each. Nothing of this leaves the site.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError
from federated.manifest import Frozen, pack_tensors
from site_agent.asked_experts import Experts, asked, experts_here, panel
from site_agent.features import features_of, require_front_end, vectors_of
from site_agent.tasks.retrieval import ARCHITECTURES, TASK

if TYPE_CHECKING:
    from site_agent.catalogue import Case
    from site_agent.home import SiteHome

Floats = NDArray[np.float64]
Gray = NDArray[np.uint8]


class Similar(Frozen):
    """One clip or still of the site, by its frame that is most alike.

    Attributes:
        similarity: a cosine, 1 at most.
        name: as the hospital has it.
        patient: pseudonym.
        label: code, or "".
        frame: number in the clip.
    """

    similarity: float
    name: str
    patient: str
    label: str
    frame: int
    batch: str
    fold: str


@dataclass(frozen=True)
class Hit:
    """A case, and how alike it is."""

    case: Case
    similarity: float


@dataclass(frozen=True)
class CodeCard:
    """By what an encoder's codes are told from others."""

    digest: str
    features: int


class Encoders(Experts):
    """All encoders that are here."""

    def codes(self, name: str, frames: Sequence[Gray]) -> Floats:
        """(n, d) of frames of any sizes, by one encoder."""
        from shared_models.retrieval_training import codes
        from shared_models.scaling import resized

        side = int(self.experts[name].config["side"])
        return codes(self.network(name), np.stack([resized(frame, side) for frame in frames])[:, None])

    def of_cases(self, home: SiteHome, name: str, cases: Sequence[Case]) -> Floats:
        """(n, d) of a site's cases, by one encoder; kept."""
        from shared_models.image_reference import reference_in

        expert = self.experts[name]
        card = CodeCard(pack_tensors(expert.state)[2], len(reference_in(expert.state).mean))
        return vectors_of(home, cases, card, lambda: lambda image: self.codes(name, [image])[0], "reading images")

    def weights(self, said: Mapping[str, Floats], names: Collection[str] = ()) -> Floats:
        """(n, K) shares of the experts, for images of which they say codes (n, d) each; 0 for who is not asked."""
        chosen = asked(self.experts, names)
        weights = self.weighed(said).weights * [name in chosen for name in said]
        return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float64)

    def told(self, frames: Sequence[Gray], names: Collection[str] = ()) -> dict[str, dict[str, float]]:
        """Expert -> how in-distribution frames are for it and its share, on average; without those not asked."""
        said = {name: self.codes(name, frames) for name in self.experts}
        p, shares = self.weighed(said).p.mean(axis=0), self.weights(said, names).mean(axis=0)
        rows, chosen = dict(zip(self.experts, zip(p, shares, strict=True), strict=True)), asked(self.experts, names)
        return {name: {"p": float(rows[name][0]), "share": float(rows[name][1])} for name in chosen}


def encoders_of(home: SiteHome, names: Collection[str] = ()) -> Encoders:
    """All encoders that are here, or those named.

    Raises:
        ConsiliumError: there is none, or none of a name.
    """
    experts = panel(home, TASK, *ARCHITECTURES)
    return Encoders(asked(experts, names) if names else experts)


def has_encoder(home: SiteHome) -> bool:
    """Whether any is here: of this site, of another, or of rounds of averaging."""
    return bool(experts_here(home, TASK, *ARCHITECTURES))


def similar(home: SiteHome, frames: Sequence[Gray], count: int, names: Collection[str] = ()) -> list[Hit]:
    """The clips and stills most like an image, or like any frame of a clip, by their best frame; the most alike first.

    Args:
        home: the site's.
        frames: (H, W) working images of what is asked for.
        count: clips and stills at most.
        names: of the encoders that are asked; where none is named all sites', or else the front end.

    Raises:
        DataError: the site has no images.
        ConsiliumError: an encoder or the front end cannot be used here.
    """
    cases = home_cases(home)
    alike = similarities(home, frames, cases, names).max(axis=0)
    best: dict[int, int] = {}
    for row, case in enumerate(cases):
        if case.id not in best or alike[row] > alike[best[case.id]]:
            best[case.id] = row
    order = sorted(best.values(), key=lambda row: -alike[row])[:count]
    return [Hit(cases[row], float(alike[row])) for row in order]


def home_cases(home: SiteHome) -> list[Case]:
    """All images of the site, labelled or not.

    Raises:
        DataError: there are none.
    """
    from site_agent.catalogue import Catalogue

    cases = Catalogue(home.catalogue_path).cases(labelled=False)
    if not cases:
        raise DataError("has no images yet", where=str(home.path), cure="consilium site ingest FOLDER")
    return cases


def similarities(home: SiteHome, frames: Sequence[Gray], cases: Sequence[Case], names: Collection[str] = ()) -> Floats:
    """(n, m) cosines of n frames with m cases."""
    if not names and not has_encoder(home):
        return _by_front_end(home, frames, cases)
    encoders = Encoders(asked(encoders_of(home).experts, names))
    said = {name: encoders.codes(name, frames) for name in encoders.experts}
    weights = encoders.weights(said, names)
    parts = [cosines(said[name], encoders.of_cases(home, name, cases)) for name in encoders.experts]
    return np.asarray(np.einsum("nk,knm->nm", weights, np.stack(parts)))


def _by_front_end(home: SiteHome, frames: Sequence[Gray], cases: Sequence[Case]) -> Floats:
    """By features less their mean over the site's images, since all images have much in common."""
    weights = home.config.backbone_weights
    reader = require_front_end(home.config.front_end, Path(weights) if weights else None)
    known = features_of(home, cases)
    middle = known.mean(axis=0)
    return cosines(np.stack([reader(frame) for frame in frames]) - middle, known - middle)


def cosines(first: Floats, second: Floats) -> Floats:
    """(n, m) of (n, d) and (m, d); 0 where a vector is nought."""
    one, other = (
        each / np.maximum(np.linalg.norm(each, axis=1, keepdims=True), np.finfo(np.float64).tiny)
        for each in (first, second)
    )
    return np.asarray(one @ other.T)


def told(home: SiteHome, hits: Sequence[Hit]) -> list[Similar]:
    """Hits for a person of the hospital, who may know their names."""
    sealed: dict[str, bytes] = dict(home.archive.catalogue.rows("SELECT key, sealed FROM items"))
    return [
        Similar(
            similarity=round(hit.similarity, 4),
            name=_name(home, sealed[hit.case.key]),
            patient=hit.case.patient,
            label=hit.case.label,
            frame=hit.case.frame,
            batch=hit.case.batch,
            fold=hit.case.fold,
        )
        for hit in hits
    ]


def _name(home: SiteHome, sealed: bytes) -> str:
    said: dict[str, str] = json.loads(home.archive.name(sealed))
    return said["name"]


def images_of(home: SiteHome, hits: Sequence[Hit]) -> list[Gray]:
    """Working images of hits.

    Raises:
        ConsiliumError: one is gone.
    """
    return [home.archive.cache.frames(hit.case.key, [hit.case.place])[0] for hit in hits]
