from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from federated.in_distribution import BINS as EDGES
from federated.in_distribution import histogram, p_values
from shared_models.image_reference import (
    BINS,
    COUNTS,
    Reference,
    put_reference,
    reference,
    reference_in,
    with_reference,
)

FEATURES = 5


def _images(count: int, seed: int, shift: float = 0.0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(shift, 1.0, (count, FEATURES))


def _known(calibration: int = 200) -> Reference:
    return reference(_images(500, 0), _images(calibration, 1), histogram)


def test_the_histogram_is_that_of_the_conformal_bins() -> None:
    assert len(EDGES) - 1 == BINS
    assert _known().counts.shape == (BINS,)
    assert _known().patients == 200


def test_at_the_mean_the_distance_is_nought_and_one_deviation_away_it_is_one() -> None:
    known = _known()
    assert known.distances(known.mean[None])[0] == 0
    assert known.distances((known.mean + known.deviation)[None])[0] == pytest.approx(1.0)


def test_calibration_images_have_scores_of_mean_nought_and_deviation_one() -> None:
    scores = _known().scores(_images(200, 1))
    assert scores.mean() == pytest.approx(0, abs=1e-9)
    assert scores.std() == pytest.approx(1)


def test_images_of_the_site_are_seldom_called_foreign_and_others_are() -> None:
    known = _known()
    own, other = (p_values(known.scores(_images(2000, 2, shift)), known.counts) for shift in (0.0, 4.0))
    assert (own <= 0.05).mean() == pytest.approx(0.05, abs=0.03)
    assert (other <= 0.05).all()


def test_without_calibration_nothing_is_foreign() -> None:
    known = reference(_images(10, 0), np.zeros((0, FEATURES)), histogram)
    assert known.patients == 0
    assert (p_values(known.scores(_images(3, 2, 50.0)), known.counts) == 1).all()


def test_a_feature_that_does_not_vary_is_not_divided_by() -> None:
    train = _images(10, 0)
    train[:, 0] = 1
    assert np.isfinite(reference(train, train, histogram).scores(_images(3, 1))).all()


def test_it_travels_in_the_state_of_a_network() -> None:
    network, known = with_reference(torch.nn.Linear(2, 2), FEATURES), _known()
    put_reference(network, known)
    state: dict[str, NDArray[Any]] = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    found = reference_in(state)
    assert np.array_equal(found.counts, known.counts)
    assert np.allclose(found.scores(_images(9, 3)), known.scores(_images(9, 3)), atol=1e-3)
    wrapped = {f"trunk.{name}": value for name, value in state.items()}
    assert reference_in(wrapped, "trunk.").patients == known.patients


def test_a_reference_of_other_features_is_refused() -> None:
    with pytest.raises(ValueError, match=r"reference_mean is \(5,\), the network has \(4,\)"):
        put_reference(with_reference(torch.nn.Linear(2, 2), 4), _known())


def test_an_empty_one_is_there_from_the_beginning() -> None:
    assert int(with_reference(torch.nn.Linear(2, 2), 4).get_buffer(COUNTS).sum()) == 0
