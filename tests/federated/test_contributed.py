"""What a contribution holds is read alike by whoever reads it; features give the sums that the site would have sent."""

from __future__ import annotations

import numpy as np
import pytest

from federated.contributed import statistics_in
from federated.errors import ContractError
from federated.fusion.targets import coarse_labels
from federated.manifest import own_gram_name
from federated.statistics import from_features, pack_symmetric


def _part(nested, make_sample, kind, tensors, **changes):
    labels = nested.held["cem"]
    counts = dict.fromkeys(labels, 1)
    fields = {"labels": labels, "patients": counts, "images": counts, "features": 24, "folds": ("train",)}
    manifest, _ = make_sample(kind, tensors, site="cem", **fields, **changes)
    return manifest


def test_features_give_the_sums_with_coarse_labels_apart(nested, make_sample):
    fold, labels = nested.folds["cem"]["train"], nested.held["cem"]
    rows = {
        "train.features": fold.features,
        "train.label": np.array([labels.index(label) for label in fold.labels]),
        "train.weight": fold.weights,
        "train.patient": np.arange(len(fold.labels)),
    }
    expected = from_features(fold.features, fold.labels, fold.weights, labels, ("psax",))
    sums = {"train.class_sums": expected.class_sums, "train.weights": expected.weights}
    sums |= {"train.gram": pack_symmetric(expected.gram)}
    sums |= {own_gram_name("train", 0): pack_symmetric(expected.own_grams["psax"])}
    for kind, tensors, changes in (("features", rows, {}), ("statistics", sums, {"coarse": ("psax",)})):
        found = statistics_in(_part(nested, make_sample, kind, tensors, **changes), tensors, "train", nested.vocabulary)
        assert set(found.own_grams) == {"psax"} == set(coarse_labels(nested.vocabulary, labels))
        np.testing.assert_allclose(found.gram, expected.gram, rtol=1e-12)
        np.testing.assert_allclose(found.own_grams["psax"], expected.own_grams["psax"], rtol=1e-12)
    strange = rows | {"train.label": rows["train.label"] + 1}
    with pytest.raises(ContractError, match="a label that its contribution does not name"):
        statistics_in(_part(nested, make_sample, "features", strange), strange, "train", nested.vocabulary)
