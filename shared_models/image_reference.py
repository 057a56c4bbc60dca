"""What the images of a site look like to its expert, so that others can tell how in-distribution an image is for it.

An expert's network carries, as buffers of its state, mean and deviation of its deepest features over the images that it
learnt from, and of other patients' images how far they lie from these: their mean and deviation, and a histogram of
the standardised distances, one image a patient. An image's own standardised distance is held against that histogram.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

Features = NDArray[np.floating[Any]]
Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
BINS = 320  # of the histogram
MEAN, DEVIATION, STANDARD, COUNTS = "reference_mean", "reference_deviation", "reference_standard", "reference_counts"
LEAST = 1e-6  # a feature that does not vary says nothing, and must not be divided by


def with_reference(network: torch.nn.Module, features: int) -> torch.nn.Module:
    """The network with room for the reference of so many features, empty: it says nothing of any image."""
    import torch

    network.register_buffer(MEAN, torch.zeros(features))
    network.register_buffer(DEVIATION, torch.ones(features))
    network.register_buffer(STANDARD, torch.tensor([0.0, 1.0]))
    network.register_buffer(COUNTS, torch.zeros(BINS, dtype=torch.int64))
    return network


@dataclass(frozen=True)
class Reference:
    """Of one expert.

    Attributes:
        mean, deviation: (D,) of the features of the images that it learnt from.
        standard: (2,) mean and deviation of the distances of calibration images.
        counts: (BINS,) histogram of their scores.
    """

    mean: Floats
    deviation: Floats
    standard: Floats
    counts: Counts

    @property
    def patients(self) -> int:
        """How many calibrated it, one image each; 0 where nobody did."""
        return int(self.counts.sum())

    def distances(self, features: Features) -> Floats:
        """(n,) mean squared distances of (n, D) features, in deviations."""
        return np.asarray((((features - self.mean) / self.deviation) ** 2).mean(axis=1), dtype=np.float64)

    def scores(self, features: Features) -> Floats:
        """(n,) how much nearer an image lies than calibration images, in their deviations: larger is more alike."""
        return np.asarray((self.standard[0] - self.distances(features)) / self.standard[1], dtype=np.float64)


def reference(train: Features, calibration: Features, histogram: Callable[[Floats], Counts]) -> Reference:
    """From (n, D) features of the images learnt from and (p, D) of other patients', one image each.

    Args:
        train: at least one.
        calibration: none leaves it without counts, so that no image is called foreign.
        histogram: (p,) scores -> (BINS,) counts.
    """
    mean = np.asarray(train.mean(axis=0), dtype=np.float64)
    deviation = np.maximum(np.asarray(train.std(axis=0), dtype=np.float64), LEAST)
    plain = Reference(mean, deviation, np.array([0.0, 1.0]), np.zeros(BINS, dtype=np.int64))
    if not len(calibration):
        return plain
    apart = plain.distances(calibration)
    standard = np.array([apart.mean(), max(float(apart.std()), LEAST)])
    known = Reference(mean, deviation, standard, plain.counts)
    return Reference(mean, deviation, standard, histogram(known.scores(calibration)))


def put_reference(network: torch.nn.Module, known: Reference) -> None:
    """Into the network's buffers.

    Raises:
        ValueError: it is of another number of features.
    """
    import torch

    values = {MEAN: known.mean, DEVIATION: known.deviation, STANDARD: known.standard, COUNTS: known.counts}
    for name, value in values.items():
        buffer = network.get_buffer(name)
        if buffer.shape != value.shape:
            raise ValueError(f"{name} is {value.shape}, the network has {tuple(buffer.shape)}")
        buffer.copy_(torch.from_numpy(np.asarray(value)))


def reference_in(state: Mapping[str, NDArray[Any]], prefix: str = "") -> Reference:
    """The one that a state carries, under names that begin with a prefix.

    Raises:
        KeyError: it carries none.
    """
    mean, deviation, standard, counts = (state[prefix + name] for name in (MEAN, DEVIATION, STANDARD, COUNTS))
    plain = [np.asarray(part, dtype=np.float64) for part in (mean, deviation, standard)]
    return Reference(plain[0], np.maximum(plain[1], LEAST), np.array([plain[2][0], max(plain[2][1], LEAST)]), counts)
