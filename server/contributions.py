"""Contributions as the algebra takes them: statistics of each fold, summed for each site in digest order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from federated.contributed import statistics_in
from federated.errors import ContractError
from federated.manifest import (
    ExpertCard,
    FeaturesManifest,
    Fold,
    StatisticsManifest,
    Tensors,
    parse_manifest,
    unpack_tensors,
)
from federated.release import SiteInput
from federated.statistics import Statistics, merge
from federated.vocabulary import Vocabulary
from server.artefacts import Artefacts

Blocks = dict[Fold, Statistics]


@dataclass(frozen=True)
class Stored:
    """A manifest and its tensors, read back from the artefacts."""

    digest: str
    manifest: Any
    tensors: Tensors


def load_manifest(artefacts: Artefacts, digest: str) -> Any:
    """A manifest by its digest, as the class of its kind."""
    return parse_manifest(artefacts.get(digest))


def load(artefacts: Artefacts, digest: str) -> Stored:
    """A manifest with its tensors by its digest."""
    manifest = load_manifest(artefacts, digest)
    return Stored(digest, manifest, unpack_tensors(artefacts.get(manifest.tensors_digest), manifest))


def blocks_of(manifest: StatisticsManifest | FeaturesManifest, tensors: Tensors, vocabulary: Vocabulary) -> Blocks:
    """Statistics of each fold; features are turned into the statistics that the site would have sent."""
    return {fold: statistics_in(manifest, tensors, fold, vocabulary) for fold in manifest.folds}


def site_inputs(contributions: Sequence[Stored], vocabulary: Vocabulary) -> list[SiteInput]:
    """One input a site, in name order, from statistics and features; sites without a training fold are left out."""
    chosen = sorted(contributions, key=lambda item: item.digest)
    names = sorted({item.manifest.site for item in chosen})
    inputs = [_site_input(name, [item for item in chosen if item.manifest.site == name], vocabulary) for name in names]
    return [each for each in inputs if each is not None]


def _site_input(name: str, contributions: Sequence[Stored], vocabulary: Vocabulary) -> SiteInput | None:
    blocks = [blocks_of(item.manifest, item.tensors, vocabulary) for item in contributions]
    train = [block["train"] for block in blocks if "train" in block]
    validation = [block["validation"] for block in blocks if "validation" in block]
    if not train:
        return None
    patients: dict[str, int] = {}
    for item in contributions:
        for label, count in item.manifest.patients.items():
            patients[label] = patients.get(label, 0) + count
    return SiteInput(
        name=name,
        contributions=tuple(item.digest for item in contributions),
        train=merge(train),
        validation=merge(validation) if validation else None,
        patients=patients,
        gram_to_sites=all(_gram_may_go_on(item) for item in contributions),
        versions=tuple(sorted({item.manifest.expert for item in contributions})),
    )


def _gram_may_go_on(item: Stored) -> bool:
    """Whether other sites may get the Gram matrix; features were allowed to the coordinator only."""
    return isinstance(item.manifest, StatisticsManifest) and item.manifest.level_to_sites == 2


def expert_cards(contributions: Sequence[Stored]) -> tuple[ExpertCard, ...]:
    """The networks that a release names, in digest order."""
    return tuple(
        ExpertCard(
            site=item.manifest.site,
            contribution=item.digest,
            architecture=item.manifest.architecture,
            labels=item.manifest.labels,
        )
        for item in sorted(contributions, key=lambda item: item.digest)
    )


def reproduces(one: Blocks, other: Blocks, tolerance: float = 1e-6) -> bool:
    """Whether two accounts of the same batch agree, relative to the size of what they sum."""
    if set(one) != set(other):
        return False
    try:
        return all(_close(one[fold], other[fold], tolerance) for fold in one)
    except ContractError:
        return False


def _close(one: Statistics, other: Statistics, tolerance: float) -> bool:
    other = other.spread(one.labels)
    pairs = [(one.class_sums, other.class_sums), (one.weights, other.weights)]
    if one.gram is not None and other.gram is not None:
        pairs.append((one.gram, other.gram))
        shared = [label for label in one.own_grams if label in other.own_grams]
        pairs += [(one.own_grams[label], other.own_grams[label]) for label in shared]
    return all(bool(np.abs(a - b).max() <= tolerance * max(np.abs(a).max(), np.abs(b).max())) for a, b in pairs)
