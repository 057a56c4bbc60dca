"""The statistics that a contribution holds, or that its features give: the same for a coordinator and an auditor."""

from __future__ import annotations

import numpy as np

from federated.errors import ContractError
from federated.fusion.targets import coarse_labels
from federated.manifest import FeaturesManifest, Fold, StatisticsManifest, Tensors, own_gram_name
from federated.statistics import Statistics, from_features, unpack_symmetric
from federated.vocabulary import Vocabulary


def statistics_in(
    manifest: StatisticsManifest | FeaturesManifest, tensors: Tensors, fold: Fold, vocabulary: Vocabulary
) -> Statistics:
    """Statistics of one fold; features are turned into what the site would have sent, coarse labels apart.

    Raises:
        ContractError: a row has a label that the contribution does not name.
    """
    if isinstance(manifest, FeaturesManifest):
        return _from_rows(manifest, tensors, fold, vocabulary)
    packed = tensors.get(f"{fold}.gram")
    gram = None if packed is None else unpack_symmetric(packed, manifest.features)
    own_grams = {
        label: unpack_symmetric(tensors[own_gram_name(fold, index)], manifest.features)
        for index, label in enumerate(manifest.coarse)
    }
    return Statistics(manifest.labels, gram, tensors[f"{fold}.class_sums"], tensors[f"{fold}.weights"], own_grams)


def _from_rows(manifest: FeaturesManifest, tensors: Tensors, fold: Fold, vocabulary: Vocabulary) -> Statistics:
    rows = tensors[f"{fold}.label"]
    if not np.isin(rows, range(len(manifest.labels))).all():
        raise ContractError("a row has a label that its contribution does not name")
    labels = [manifest.labels[index] for index in rows]
    own = coarse_labels(vocabulary, (label for label in manifest.labels if label in vocabulary.codes))
    return from_features(tensors[f"{fold}.features"], labels, tensors[f"{fold}.weight"], manifest.labels, own)
