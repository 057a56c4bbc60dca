"""Each score against its formula worked out another way, and on images that are plainly inside or outside."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm
from sklearn.covariance import EmpiricalCovariance
from sklearn.neighbors import NearestNeighbors

from federated.in_distribution import standard_of, subspace
from federated.in_distribution_scores import (
    IN_USE,
    NEIGHBOUR,
    SCORES,
    Known,
    Look,
    boundary,
    class_distance,
    energy,
    fisher_weights,
    generalised_entropy,
    largest_elsewhere,
    largest_own,
    mahalanobis,
    max_softmax,
    nearest_neighbour,
    neural_mean_discrepancy,
    on_normalised,
    quadratic,
    relative,
    standardised,
    whitened_discrepancy,
)
from federated.metrics import auroc
from federated.statistics import from_features

CLASSES, FEATURES = 3, 6


def _look(count: int, *, seed: int, shift: float = 0.0) -> Look:
    """Classes of equal covariance around unit vectors times three; logits say which is near."""
    rng = np.random.default_rng(seed)
    middle = 3 * np.eye(FEATURES)[np.arange(count) % CLASSES]
    features = middle + shift + rng.normal(size=(count, FEATURES))
    return Look(features, features[:, : CLASSES + 1])


def _classes(count: int) -> np.ndarray:
    return np.arange(count) % CLASSES


def _space(look: Look):
    names = [str(one) for one in _classes(len(look.features))]
    return subspace([from_features(look.features, names, np.ones(len(names)), ("0", "1", "2"))])


@pytest.fixture(scope="module")
def known() -> Known:
    look = _look(600, seed=0)
    return Known(look, _classes(600), _space(look))


@pytest.mark.parametrize("name", SCORES)
def test_every_score_says_that_its_own_images_are_more_inside_than_strange_ones(known, name):
    rng = np.random.default_rng(5)
    strange = rng.normal(size=(200, FEATURES)) * 0.8 - 2.0
    score = SCORES[name](known)
    inside, outside = score(_look(200, seed=1)), score(Look(strange, strange[:, : CLASSES + 1]))
    assert inside.shape == (200,)
    assert auroc(inside, outside) > 0.8


@pytest.mark.parametrize("name", SCORES)
def test_an_image_is_scored_the_same_whoever_stands_beside_it(known, name):
    look, score = _look(9, seed=2), SCORES[name](known)
    alone = [score(Look(look.features[[row]], look.logits[[row]]))[0] for row in range(9)]
    assert np.allclose(score(look), alone)


def test_the_mean_discrepancy_of_own_images_is_zero_on_average_and_its_norm_is_the_score(known):
    mean = known.look.features.mean(axis=0)
    look = _look(5, seed=3)
    assert np.allclose(neural_mean_discrepancy(known)(look), [-np.linalg.norm(row - mean) for row in look.features])
    assert neural_mean_discrepancy(known)(Look(mean[None], np.zeros((1, 4))))[0] == 0.0


def test_whitened_discrepancies_do_not_see_units_nor_features_that_never_vary(known):
    look, units = _look(5, seed=3), np.array([1.0, 10.0, 0.1, 5.0, 1.0, 2.0])
    scaled = Known(Look(known.look.features * units, known.look.logits), known.classes, known.space)
    plain = whitened_discrepancy(known)(look)
    assert np.allclose(plain, whitened_discrepancy(scaled)(Look(look.features * units, look.logits)))
    constant = np.append(known.look.features, np.ones((600, 1)), axis=1)
    wider = Known(Look(constant, known.look.logits), known.classes, known.space)
    assert np.allclose(
        plain, whitened_discrepancy(wider)(Look(np.append(look.features, np.full((5, 1), 7.0), 1), plain))
    )


def test_mahalanobis_is_that_of_scikit_learn_in_the_subspace(known):
    look, space = _look(7, seed=4), known.space
    distance = EmpiricalCovariance()
    distance.precision_ = np.linalg.inv(space.within)
    expected = np.full(7, np.inf)
    for mean in known.means:
        distance.location_ = mean
        expected = np.minimum(expected, distance.mahalanobis(space.project(look.features)))
    assert np.allclose(mahalanobis(known)(look), -expected)
    background = (space.project(look.features) ** 2 / space.total).sum(axis=1)
    assert np.allclose(relative(known)(look), background - expected)


def test_quadratic_scores_are_log_densities(known):
    look, space = _look(7, seed=4), known.space
    coordinates = space.project(look.features)
    own = np.stack(
        [
            multivariate_normal(mean, covariance).logpdf(coordinates)
            for mean, covariance in zip(known.means, known.covariances, strict=True)
        ]
    ).max(axis=0)
    all_images = multivariate_normal(np.zeros(space.size), np.diag(space.total)).logpdf(coordinates)
    assert np.allclose(quadratic(known)(look), 2 * (own - all_images))
    assert np.allclose(class_distance(known)(look), 2 * own + space.size * np.log(2 * np.pi))


def test_the_tenth_nearest_neighbour_is_that_of_scikit_learn(known):
    look = _look(11, seed=6)
    units = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (known.look.features, look.features)]
    distances, _ = NearestNeighbors(n_neighbors=NEIGHBOUR).fit(units[0]).kneighbors(units[1])
    assert np.allclose(nearest_neighbour(known)(look), -distances[:, -1])
    few = Known(Look(known.look.features[:4], known.look.logits[:4]), known.classes[:4], known.space)
    assert np.isfinite(nearest_neighbour(few)(look)).all()


def test_scores_of_logits_by_hand(known):
    even, sure = np.zeros((1, 4)), np.array([[50.0, 0.0, 0.0, 0.0]])
    look = Look(np.zeros((2, FEATURES)), np.concatenate([even, sure]))
    assert np.allclose(energy(known)(look), [np.log(4), 50.0])
    assert np.allclose(max_softmax(known)(look), [0.25, 1.0])
    entropy = generalised_entropy(known)(look)
    assert entropy[0] == pytest.approx(-4 * (0.25 * 0.75) ** 0.1)
    p = np.exp(-50.0)
    assert entropy[1] == pytest.approx(-3 * p**0.1, abs=0.04)  # and a last term of 1 - p


def test_own_and_other_columns_are_kept_apart(known):
    look = Look(np.zeros((1, FEATURES)), np.array([[1.0, 4.0, 2.0, 9.0]]))
    assert largest_own(known)(look)[0] == 4.0
    assert largest_elsewhere(known)(look)[0] == 9.0
    everywhere = Look(np.zeros((1, FEATURES)), np.array([[1.0, 4.0, 2.0]]))
    assert np.isneginf(largest_elsewhere(known)(everywhere)[0])


def test_normalised_features_do_not_see_brightness(known):
    space = _space(known.look.normalised())
    look = _look(9, seed=8)
    score = on_normalised(relative, space)(known)
    assert np.allclose(score(look), score(Look(3.0 * look.features, look.logits)))
    assert not np.allclose(relative(known)(look), relative(known)(Look(3.0 * look.features, look.logits)))


def test_the_score_in_use_is_a_sum_of_what_is_one_on_average_apart(known):
    scores = [SCORES[name](known) for name in IN_USE]
    checked = _look(90, seed=9)
    standard = standard_of(np.stack([score(checked) for score in scores], axis=1))
    z = standardised(scores, standard)(checked)
    assert np.allclose(z.mean(axis=0), 0)
    assert np.allclose(z.std(axis=0), 1)


def test_fishers_weights_are_the_best_among_those_that_turn_no_score_around():
    rng = np.random.default_rng(0)
    apart = np.array([2.0, 1.0, 0.0])
    known, unknown = rng.normal(size=(20_000, 3)) + apart, rng.normal(size=(20_000, 3))
    weights = fisher_weights(known, unknown)
    assert np.allclose(weights, [2 / 3, 1 / 3, 0], atol=0.01)
    assert auroc(known @ weights, unknown @ weights) == pytest.approx(norm.cdf(np.sqrt(5) / np.sqrt(2)), abs=0.01)
    assert np.allclose(fisher_weights(unknown - 1, unknown), 1 / 3)
    twice = np.stack([known[:, 0], known[:, 0], -known[:, 0]], axis=1)
    nothing = np.stack([unknown[:, 0], unknown[:, 0], -unknown[:, 0]], axis=1)
    assert fisher_weights(twice, nothing)[2] == 0.0


def test_the_boundary_is_as_many_deviations_from_either_mean():
    one, other = np.array([9.0, 11.0]), np.array([0.0, 6.0])
    assert boundary(one, other) == boundary(other, one) == pytest.approx(10 - 7 / 4)
    assert boundary(one, one) == pytest.approx(10.0)


GOLDEN = {
    "neural mean discrepancy": [-2.73265, -3.07872],
    "neural mean discrepancy, whitened": [-1.651222, -2.039041],
    "Mahalanobis": [-2.493843, -3.332264],
    "relative Mahalanobis": [1.249328, 1.451016],
    "nearest neighbour": [-0.458352, -0.349143],
    "energy": [2.187344, 3.95002],
    "max-softmax": [0.747753, 0.912029],
    "GEN": [-3.141042, -2.854049],
    "quadratic ratio": [4.080221, 4.780221],
    "class distance": [-2.465602, -2.805711],
    "largest own score": [1.896662, 3.857937],
}


@pytest.mark.parametrize("name", SCORES)
def test_golden_numbers(known, name):
    assert np.allclose(SCORES[name](known)(_look(2, seed=10)), GOLDEN[name], rtol=0, atol=5e-6)
