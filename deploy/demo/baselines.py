"""What the fused experts are compared with: rows that need no federation, and rows that no hospital would allow.

Every linear head is the same model trained the same way on the same frozen features and sample weights; the rows differ
only in which images it sees, and when.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.demo.evaluation import Answers, HeldBack
from federated.clips import clip_means
from federated.local_fold import LocalFold

Array = NDArray[np.float64]
MOST_FREQUENT = "most frequent"
SITE_ALONE = "site alone"
SEQUENTIAL = "sequential"
JOINT = "joint (pooled)"
MAX_SOFTMAX = "max-softmax of site heads"


@dataclass(frozen=True)
class SiteFolds:
    """One site's images as features, by fold: train, validation, calibration, test.

    `test_images` are names of the test fold's images, for those who show answers.
    """

    name: str
    folds: Mapping[str, LocalFold]
    test_images: tuple[str, ...] = ()

    @property
    def train(self) -> LocalFold:
        """The fold that experts are trained on."""
        return self.folds["train"]

    @property
    def test(self) -> LocalFold:
        """The fold that nothing but these figures sees."""
        return self.folds["test"]


@dataclass(frozen=True)
class Head:
    """A linear softmax head: columns of the weights and the bias are the labels."""

    labels: tuple[str, ...]
    weights: Array
    bias: Array

    def probabilities(self, features: Array) -> Array:
        """(n, M) features to (n, C) probabilities."""
        from shared_models.linear_head import predict_head

        return predict_head(features, self.weights, self.bias)


def clip_order(fold: LocalFold) -> tuple[str, ...]:
    """Clips of a fold in order of first appearance."""
    return tuple(dict.fromkeys(fold.clips))


def held_back(sites: Sequence[SiteFolds]) -> HeldBack:
    """The clips of every site's test fold, site after site."""
    found = [
        (site.name, patient, clip, label) for site in sites for clip, (patient, label) in _clip_facts(site.test).items()
    ]
    return HeldBack(*(tuple(row[column] for row in found) for column in range(4)))


def _clip_facts(fold: LocalFold) -> dict[str, tuple[str, str]]:
    """Patient and label of every clip, in the order of `clip_order`."""
    return dict(zip(fold.clips, zip(fold.patients, fold.labels, strict=True), strict=True))


def train(sites: Sequence[SiteFolds], *, seed: int = 0, start: Head | None = None) -> Head:
    """A head over the labels of these sites' training images; fine-tuned from `start`, whose labels it keeps."""
    from shared_models.linear_head import tune_head

    seen = [label for site in sites for label in site.train.labels]
    labels = tuple(dict.fromkeys([*(start.labels if start else ()), *sorted(set(seen))]))
    features = np.concatenate([site.train.features for site in sites])
    weights = np.concatenate([site.train.weights for site in sites])
    index = np.array([labels.index(label) for label in seen], dtype=np.int64)
    begin = _widened(start, len(labels)) if start else None
    checks = _validation(sites, labels)
    return Head(labels, *tune_head(features, index, weights, len(labels), validation=checks, seed=seed, start=begin))


def _validation(sites: Sequence[SiteFolds], labels: Sequence[str]) -> tuple[Array, NDArray[np.int64], Array]:
    """Features, label numbers and weights of the sites' validation images whose labels a head knows."""
    folds = [site.folds["validation"] for site in sites]
    features = np.concatenate([fold.features for fold in folds])
    weights = np.concatenate([fold.weights for fold in folds])
    names = [label for fold in folds for label in fold.labels]
    rows = [row for row, label in enumerate(names) if label in labels]
    index = np.array([labels.index(names[row]) for row in rows], dtype=np.int64)
    return features[rows], index, weights[rows]


def _widened(head: Head, classes: int) -> tuple[Array, Array]:
    """The head's weights and bias with zero columns for labels to come."""
    missing = classes - len(head.labels)
    return np.pad(head.weights, ((0, 0), (0, missing))), np.pad(head.bias, (0, missing))


def most_frequent(arrived: Sequence[SiteFolds], everyone: Sequence[SiteFolds]) -> Answers:
    """Each arrived site's most frequent label among its training clips, without looking at the image."""
    answers: dict[str, str] = {}
    for site in arrived:
        counts = Counter(label for _, label in _clip_facts(site.train).values())
        answers[site.name] = min(counts, key=lambda label: (-counts[label], label))
    chosen = tuple(answers.get(site.name) for site in everyone for _ in clip_order(site.test))
    return Answers(MOST_FREQUENT, chosen, (False,) * len(chosen))


def site_alone(heads: Mapping[str, Head], everyone: Sequence[SiteFolds]) -> Answers:
    """Each site answered by the head it trained alone; a site that has not arrived has none."""
    chosen: list[str | None] = []
    for site in everyone:
        head = heads.get(site.name)
        chosen += _answers(head, site) if head else [None] * len(clip_order(site.test))
    return Answers(SITE_ALONE, tuple(chosen), (False,) * len(chosen))


def one_head(method: str, head: Head, everyone: Sequence[SiteFolds]) -> Answers:
    """Every site answered by the same head."""
    chosen = tuple(label for site in everyone for label in _answers(head, site))
    return Answers(method, chosen, (False,) * len(chosen))


def max_softmax(heads: Sequence[Head], everyone: Sequence[SiteFolds]) -> Answers:
    """Every clip answered by the head that is surest of it."""
    chosen: list[str] = []
    for site in everyone:
        means = [clip_means(head.probabilities(site.test.features), site.test.clips) for head in heads]
        surest = np.argmax([mean.max(axis=1) for mean in means], axis=0)
        chosen += [heads[k].labels[int(means[k][row].argmax())] for row, k in enumerate(surest)]
    return Answers(MAX_SOFTMAX, tuple(chosen), (False,) * len(chosen))


def _answers(head: Head, site: SiteFolds) -> list[str]:
    if not site.test.clips:
        return []
    means = clip_means(head.probabilities(site.test.features), site.test.clips)
    return [head.labels[int(column)] for column in means.argmax(axis=1)]
