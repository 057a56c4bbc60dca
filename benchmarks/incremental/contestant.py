"""What stands in the contest: it is shown one site after another, and answers images of any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from federated.local_fold import LocalFold
from federated.manifest import FrontEndCard
from federated.statistics import Array
from federated.vocabulary import Vocabulary

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Fold:
    """Images of one fold of one site.

    Attributes:
        images: (n, S, S) grey levels; (n, 0, 0) where a suite's cases are rows of a table.
        local: the same n as features of the suite's fixed front end, with label, patient, clip and weight of each.
    """

    images: Images
    local: LocalFold


@dataclass(frozen=True)
class Site:
    """A site: ``train``, ``validation``, ``calibration`` and ``test``, split by patient."""

    name: str
    folds: Mapping[str, Fold]

    @property
    def labels(self) -> tuple[str, ...]:
        """What it labels in training, in name order."""
        return tuple(sorted(set(self.folds["train"].local.labels)))


@dataclass(frozen=True)
class Setting:
    """How large the networks of a preset are, and how long they learn.

    Attributes:
        side: of an image in pixels.
        width: of the first stage of the small-image ResNet-18; 64 is the paper's.
        expert_epochs, fusion_epochs: over a site's images, and over everybody's features.
        fusion_samples: that one epoch of the fusion sees at most; the paper's 666 batches of 64 are 42,624.
        batch: images a step.
        copies: augmented ones of every training image, whose features the fusion learns from.
        processes: that may work at once.
    """

    side: int
    width: int
    expert_epochs: int
    fusion_epochs: int
    fusion_samples: int
    batch: int
    copies: int
    processes: int = 1


@dataclass(frozen=True)
class Start:
    """What a contestant knows before the first site arrives.

    Attributes:
        vocabulary: every label of the suite, some of which nobody may ever teach.
        front_end: what made the features.
        setting: of its networks.
        seed: of all randomness.
        folder: shared by the cells of the same suite, preset and seed: for what several contestants need, such as an
            expert network, which the first of them computes; files in it are written whole or not at all.
    """

    vocabulary: Vocabulary
    front_end: FrontEndCard
    setting: Setting
    seed: int
    folder: Path


@dataclass(frozen=True)
class Answered:
    """Answers to n images.

    Attributes:
        labels: of the columns.
        scores: (n, C), -inf where a label cannot be answered; the label of an image has the largest.
        probabilities: (n, C); a row adds up to one where no label lies within another, and is NaN where nothing can
            be answered.
        p: (n,) the largest p-value of a site; None for a rule that never refuses.
        weights, contributions: (n, T) and (n, T, C) by site in order of arrival, of rules that display them.
        best: (n,) columns of the answers, of rules that go down from label to label rather than take the largest score.
        seconds: that went into what was found ready in the folder.
    """

    labels: tuple[str, ...]
    scores: Array
    probabilities: Array
    p: Array | None = None
    weights: Array | None = None
    contributions: Array | None = None
    best: NDArray[np.int64] | None = None
    seconds: float = 0.0


class Contestant(Protocol):
    """A rule that learns."""

    def arrive(self, site: Site) -> float:
        """Learns from a site, of which it may keep only what the rule says; nobody is shown a test fold.

        Returns:
            Seconds that went into what was found ready in the folder; they are added to those of this call.
        """
        ...

    def answer(self, fold: Fold, site: str) -> Answered:
        """Answers images; the site's name is for rules that are told it, and no other may read it.

        A rule that answers a clip as one gives all its images the same answer.
        """
        ...

    def sent(self) -> Mapping[str, int]:
        """Bytes that each site has shared so far."""
        ...

    def received(self) -> Mapping[str, int]:
        """Bytes that have travelled to each site so far, releases left out, which every rule sends alike."""
        ...
