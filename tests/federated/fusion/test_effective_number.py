"""Labels that count by what one more patient adds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.fusion.closed_form import fit
from federated.fusion.effective_number import counted, effective_number
from federated.manifest import Hyperparameters
from federated.statistics import Statistics, from_features

LABELS = ("plax", "a4c", "a2c", "psax", "sub")


def test_it_is_the_geometric_sum_of_the_paper():
    """(1 - beta^n) / (1 - beta) = 1 + beta + ... + beta^(n - 1), with beta = 1 - 1/N."""
    sums = [sum(0.9**step for step in range(count)) for count in (1, 2, 7, 40)]
    assert effective_number(np.array([1.0, 2.0, 7.0, 40.0]), 10.0) == pytest.approx(sums)


@given(st.floats(1e-3, 1e6), st.floats(1.5, 1e4))
def test_more_patients_count_more_and_never_more_than_the_volume(patients, volume):
    one, more = effective_number(np.array([patients, 2 * patients]), volume)
    assert 0 < one <= more <= volume
    assert more <= 2 * one * (1 + 1e-9)


def test_without_a_volume_nothing_changes(federation):
    blocks = federation.blocks()
    assert counted(blocks, None) == blocks


def test_means_stay_and_labels_of_many_patients_count_alike(federation):
    blocks = {name: block.spread(LABELS) for name, block in federation.blocks().items()}
    for name, found in counted(blocks, 10.0).items():
        block = blocks[name]
        held = block.weights > 0
        assert np.allclose(
            found.class_sums[:, held] / found.weights[held], block.class_sums[:, held] / block.weights[held]
        )
        assert (found.weights[~held] == 0).all()
        assert (found.class_sums[:, ~held] == 0).all()
        assert found.weights[held] == pytest.approx(effective_number(block.weights[held], 10.0))


def test_the_scatter_within_labels_weighs_as_the_images_that_count(federation):
    for name, found in counted(federation.blocks(), 10.0).items():
        block = federation.blocks()[name]
        before = (block.gram - block.means_gram()) / block.weights.sum()
        assert np.abs((found.gram - found.means_gram()) / found.weights.sum() - before).max() < 1e-12


def test_with_a_huge_volume_it_is_the_count(federation):
    for name, found in counted(federation.blocks(), 1e9).items():
        assert np.abs(found.gram - federation.blocks()[name].gram).max() < 1e-5


def test_labels_with_a_gram_matrix_of_their_own(nested):
    """Both parts, theirs and the others', are still sums of squares about their means."""
    block = counted(nested.blocks(), 10.0)["cem"]
    assert set(block.own_grams) == set(nested.blocks()["cem"].own_grams) == {"psax"}
    left = block.gram_without(("psax",))
    assert np.linalg.eigvalsh(left).min() > -1e-9
    held = block.known(("psax",))
    assert np.linalg.eigvalsh(block.own_grams["psax"] - held.means_gram()).min() > -1e-9


def test_class_sums_without_a_gram_matrix(federation):
    block = federation.blocks()["ada"]
    alone, whole = (counted({"ada": each}, 10.0)["ada"] for each in (block.without_gram(), block))
    assert alone.gram is None
    assert np.array_equal(alone.class_sums, whole.class_sums)


def test_a_site_of_two_labels_does_not_outweigh_one_of_four():
    """By patients, its direction would decide between labels that it shares with the other."""
    random = np.random.default_rng(3)

    def block(labels: tuple[str, ...], each: int) -> Statistics:
        drawn = [label for label in labels for _ in range(each)]
        features = np.hstack([random.normal(size=(len(drawn), 3)), np.ones((len(drawn), 1))])
        return from_features(features, drawn, np.ones(len(drawn)), labels).spread(LABELS)

    blocks = {"few": block(LABELS[:2], 60), "many": block(LABELS[:4], 30)}
    weights = {name: found.weights[:2] for name, found in counted(blocks, 10.0).items()}
    assert weights["few"] == pytest.approx(weights["many"], rel=0.05)
    settings = Hyperparameters(ridge=0.1, scatter=0.0, outside=0.1, volume=10.0)
    assert np.abs(fit(counted(blocks, 10.0), LABELS[:4], settings) - fit(blocks, LABELS[:4], settings)).max() > 1e-3
