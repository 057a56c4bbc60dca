"""Probability maps of several sites' experts, fused image by image by how in-distribution it is for each of them.

Of structure c, s_c = sum_k a_kc m_kc over the sites that label it, with weights that add up to one over them; a site
says nothing of structures that it does not label, whose pixels it was taught to call background. What is left,
max(0, 1 - sum_c s_c), is background, and a pixel's values are divided by their sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from federated.errors import ContractError
from federated.statistics import Array

Map = NDArray[np.float32]
TOLERANCE = 1e-4


@dataclass(frozen=True)
class ExpertMap:
    """What one site's expert says of an image.

    Attributes:
        structures: C names, without the background.
        probabilities: (1 + C, H, W), the background first; a pixel's add up to one.
    """

    structures: tuple[str, ...]
    probabilities: Map


@dataclass(frozen=True)
class FusedMap:
    """What all of them say together.

    Attributes:
        structures: C names.
        probabilities: (1 + C, H, W), the background first.
        shares: structure -> site -> share of the structure's probability that comes from the site; they add up to one,
            and a structure that nobody sees anywhere has none.
    """

    structures: tuple[str, ...]
    probabilities: Map
    shares: Mapping[str, Mapping[str, float]]

    @property
    def labels(self) -> NDArray[np.uint8]:
        """(H, W) numbers of the most likely structures, 0 for the background."""
        return np.asarray(self.probabilities.argmax(axis=0), dtype=np.uint8)


def fuse_maps(said: Mapping[str, ExpertMap], weights: Mapping[str, float]) -> FusedMap:
    """Of one image, by site.

    Args:
        said: each site's map, all of one size.
        weights: of each site for this image, 0 (foreign) to 1; where all that label a structure are foreign, all count.

    Raises:
        ContractError: there is no expert, sizes differ, or a map's probabilities do not add up.
    """
    size = _checked(said)
    structures = tuple(dict.fromkeys(name for each in said.values() for name in each.structures))
    scores: list[Array] = []
    shares: dict[str, Mapping[str, float]] = {}
    for structure in structures:
        own = {site: each for site, each in said.items() if structure in each.structures}
        acting = shares_of({site: weights[site] for site in own})
        parts = {site: acting[site] * _of(each, structure) for site, each in own.items()}
        scores.append(np.sum(list(parts.values()), axis=0))
        total = float(scores[-1].sum())
        shares[structure] = {site: float(part.sum()) / total for site, part in parts.items()} if total else {}
    seen = np.stack(scores) if scores else np.zeros((0, *size))
    found = np.concatenate([np.maximum(0.0, 1 - seen.sum(axis=0))[None], seen])
    return FusedMap(structures, (found / found.sum(axis=0)).astype(np.float32), shares)


def shares_of(weights: Mapping[str, float]) -> dict[str, float]:
    """Weights as shares that add up to one; where all are 0, all count alike."""
    total = sum(weights.values())
    return {site: weight / total if total else 1 / len(weights) for site, weight in weights.items()}


def _of(said: ExpertMap, structure: str) -> Array:
    return np.asarray(said.probabilities[1 + said.structures.index(structure)], dtype=np.float64)


def _checked(said: Mapping[str, ExpertMap]) -> Sequence[int]:
    if not said:
        raise ContractError("no expert has said anything", where="probability maps")
    sizes = {each.probabilities.shape[1:] for each in said.values()}
    if len(sizes) > 1:
        raise ContractError(f"maps are of {len(sizes)} sizes", where=", ".join(said))
    for site, each in said.items():
        if each.probabilities.shape[0] != 1 + len(each.structures):
            raise ContractError(f"{each.probabilities.shape[0]} maps of {len(each.structures)} structures", where=site)
        if np.abs(each.probabilities.sum(axis=0) - 1).max() > TOLERANCE:
            raise ContractError("a pixel's probabilities do not add up to one", where=site)
    return next(iter(sizes))
