"""What several hospitals' experts see in an image, fused by how in-distribution it is for each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.segmentation_data import STRUCTURES, Picture, Pixels, masked
from federated.fusion.probability_maps import ExpertMap, FusedMap, fuse_maps
from federated.in_distribution import acting_weights, histogram, p_values
from shared_models.image_reference import Reference, reference
from shared_models.segmentation import Segmented, enlarged, segmented

if TYPE_CHECKING:
    import torch

Array = NDArray[np.float64]

ALPHA = 0.05
TEMPERATURE = 0.5  # of the softmax of scores


@dataclass(frozen=True)
class Expert:
    """A hospital's network, what its images look like to it, and the structures that it labels (None: all)."""

    network: torch.nn.Module
    known: Reference
    labelled: tuple[int, ...] | None

    @property
    def structures(self) -> tuple[str, ...]:
        """Names of the structures that it labels."""
        return tuple(name for name, value in STRUCTURES.items() if self.labelled is None or value in self.labelled)


def expert(
    network: torch.nn.Module,
    train: Sequence[Picture],
    calibration: Sequence[Picture],
    side: int,
    labelled: tuple[int, ...] | None,
) -> Expert:
    """A network with its reference: images that it learnt from, and one each of patients that it did not."""
    seen = [segmented(network, masked(part, side, None).images).features for part in (train, calibration)]
    return Expert(network, reference(seen[0], seen[1], histogram), labelled)


@dataclass(frozen=True)
class Qualities:
    """Of n images for K experts.

    Attributes:
        scores: (n, K), larger is more alike to the expert's own images, in deviations of its calibration images.
        p: (n, K) conformal p-values.
        calibrated: (K,) patients behind each p-value.
    """

    scores: Array
    p: Array
    calibrated: Array


def qualities(experts: Sequence[Expert], said: Sequence[Segmented]) -> Qualities:
    """From what every expert says of the same images."""
    scores = np.stack([one.known.scores(its.features) for one, its in zip(experts, said, strict=True)], axis=1)
    p = np.stack([p_values(scores[:, place], one.known.counts) for place, one in enumerate(experts)], axis=1)
    return Qualities(scores, p, np.array([float(one.known.patients) for one in experts]))


def uniform(seen: Qualities) -> Array:
    """(n, K): every expert alike."""
    return np.ones_like(seen.scores)


def acting(seen: Qualities) -> Array:
    """(n, K): every expert alike for which the image is not foreign at 5 %, less of those for which it nearly is."""
    return acting_weights(seen.p, seen.calibrated, ALPHA)


def p_value(seen: Qualities) -> Array:
    """(n, K): the share of an expert's own patients whose images are stranger to it."""
    return seen.p


def softmax(seen: Qualities) -> Array:
    """(n, K): by standardised distances."""
    raised = np.exp((seen.scores - seen.scores.max(axis=1, keepdims=True)) / TEMPERATURE)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


WEIGHTINGS: Mapping[str, Callable[[Qualities], Array]] = {
    "uniform": uniform,
    "conformal acting weights": acting,
    "conformal p-values": p_value,
    "softmax of standardised distances": softmax,
}


CHOSEN = "conformal p-values"  # on other seeds than those that are reported


def fused(experts: Mapping[str, Expert], said: Mapping[str, Segmented], weights: Array) -> list[FusedMap]:
    """Of every image, by (n, K) weights in the experts' order."""
    maps = []
    for row, its in enumerate(weights):
        given = {
            site: ExpertMap(one.structures, spoken(said[site].probabilities[row], one.labelled))
            for site, one in experts.items()
        }
        maps.append(fuse_maps(given, dict(zip(experts, its.tolist(), strict=True))))
    return maps


def spoken(probabilities: NDArray[np.float32], labelled: tuple[int, ...] | None) -> NDArray[np.float32]:
    """(1 + structures, S, S) of what is labelled; the probability of what is not is background's."""
    if labelled is None:
        return probabilities
    others = [value for value in range(len(probabilities)) if value not in labelled]
    return np.concatenate([probabilities[others].sum(axis=0, keepdims=True), probabilities[list(labelled)]])


def label_maps(
    probabilities: Sequence[NDArray[np.float32]], shown: Sequence[Picture], labelled: tuple[int, ...] | None
) -> list[Pixels]:
    """On the pictures' own pixels, of (1 + structures, S, S) probabilities of what is labelled."""
    values = np.array([0, *(STRUCTURES.values() if labelled is None else labelled)], dtype=np.uint8)
    return [
        values[enlarged(its, (picture.mask.shape[0], picture.mask.shape[1])).argmax(axis=0)]
        for its, picture in zip(probabilities, shown, strict=True)
    ]
