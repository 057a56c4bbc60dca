"""A site's own images as features, and what it computes of them for a report; nothing here leaves by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from federated.clips import clip_means
from federated.descent import MARGINS, Counts, count_steps, resolves
from federated.fused_model import FusedModel
from federated.in_distribution import QUADRATIC, class_covariance, one_item_a_patient, shrunk_covariance
from federated.statistics import Array, pack_symmetric


@dataclass(frozen=True)
class LocalFold:
    """A site's own images of one fold: features as the model reads them, n labels, patients, clips and weights."""

    features: Array
    labels: tuple[str, ...]
    patients: tuple[str, ...]
    clips: tuple[str, ...]
    weights: Array

    def rows(self, chosen: Sequence[int]) -> LocalFold:
        """Some of the images."""
        index = np.array(chosen, dtype=np.int64)
        labels, patients, clips = (
            tuple(part[row] for row in chosen) for part in (self.labels, self.patients, self.clips)
        )
        return LocalFold(self.features[index], labels, patients, clips, self.weights[index])

    def in_unit(self, unit: str) -> LocalFold:
        """One row an image or one a clip."""
        return self if unit == "image" else self.by_clip()

    def by_clip(self) -> LocalFold:
        """One row a clip: mean features, the clip's label and patient, weight one."""
        first = {clip: index for index, clip in reversed(list(enumerate(self.clips)))}
        names = list(dict.fromkeys(self.clips))
        rows = [first[name] for name in names]
        features = clip_means(self.features, self.clips) if names else self.features
        labels, patients = (tuple(values[row] for row in rows) for values in (self.labels, self.patients))
        return LocalFold(features, labels, patients, tuple(names), np.ones(len(names)))


@dataclass(frozen=True)
class ClassCovariances:
    """Class covariances of a site in a candidate's leading q directions.

    Attributes:
        shrunk: (C_k, q, q), of all its labels, as the release will shrink them.
        labels: those with patients enough to be sent.
        packed: (len(labels), q(q+1)/2), unshrunk.
    """

    shrunk: Array
    labels: tuple[str, ...]
    packed: Array


def class_covariances(model: FusedModel, site: str, train: LocalFold, minimum: int) -> ClassCovariances:
    """Covariances of a site's training images; a label with fewer than `minimum` patients has none of its own."""
    card = next(card for card in model.manifest.sites if card.name == site)
    patients = Counter(label for label, _ in set(zip(train.labels, train.patients, strict=True)))
    size = min(QUADRATIC, model.space.size)
    shrunk, labels, packed = [], [], []
    for row, label in enumerate(card.labels):
        chosen = np.array([name == label for name in train.labels], dtype=bool)
        own = None
        if patients[label] >= max(minimum, 1):
            features, weights = model.front(train.features[chosen]), train.weights[chosen]
            own = class_covariance(model.space, features, model.means[site][row], weights)
            labels.append(label)
            packed.append(pack_symmetric(own))
        shrunk.append(shrunk_covariance(model.space, own, card.patients.get(label, 0)))
    rows = np.stack(packed) if packed else np.zeros((0, size * (size + 1) // 2))
    return ClassCovariances(np.stack(shrunk), tuple(labels), rows)


def raw_scores(model: FusedModel, site: str, covariances: Array, fold: LocalFold) -> Array:
    """(patients, 3) in-distribution scores for a site, one item a patient."""
    if not fold.patients:
        return np.zeros((0, 3))
    features = fold.features[one_item_a_patient(fold.patients, fold.clips)]
    return model.raw_scores(site, features, covariances, model.closed_scores(features))


def telling(model: FusedModel, fold: LocalFold, concept: str) -> list[int]:
    """Rows whose label says which step down from a concept is right."""
    vocabulary = model.manifest.vocabulary
    told = {
        label: label in vocabulary.codes and resolves(vocabulary, model.tree, label, concept)
        for label in set(fold.labels)
    }
    return [row for row, label in enumerate(fold.labels) if told[label]]


def all_steps(model: FusedModel, fold: LocalFold, concepts: Sequence[str]) -> Counts:
    """(concepts, 1 + bins) how steps down from each of them go."""
    rows = [_steps_down(model, fold, concept) for concept in concepts]
    return np.stack(rows) if rows else np.zeros((0, len(MARGINS)), dtype=np.int64)


def _steps_down(model: FusedModel, fold: LocalFold, concept: str) -> Counts:
    """One item a patient whose label tells."""
    chosen = fold.rows(telling(model, fold, concept))
    chosen = chosen.rows(one_item_a_patient(chosen.patients, chosen.clips))
    scores = model.full_scores(chosen.features)
    return count_steps(model.manifest.vocabulary, model.tree, scores, chosen.labels, concept)
