from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import check_grad
from sklearn.linear_model import LogisticRegression

from shared_models.linear_head import PENALTIES, _loss, head_state, linear_head, predict_head, train_head, tune_head

Array = NDArray[np.float64]
CENTRES = np.random.default_rng(7).normal(size=(4, 12))


def blobs(classes: list[int], images: int = 40, seed: int = 0) -> tuple[Array, NDArray[np.int64], Array]:
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.array(classes), images)
    features = CENTRES[labels] + 0.7 * generator.normal(size=(labels.size, 12))
    return features, labels, np.ones(labels.size)


def accuracy(head: tuple[Array, Array], classes: list[int]) -> float:
    features, labels, _ = blobs(classes, seed=99)
    return float((predict_head(features, *head).argmax(axis=1) == labels).mean())


def test_equals_scikit_learns_regression() -> None:
    features, labels, _ = blobs([0, 1, 2, 3])
    weights = np.random.default_rng(1).uniform(0.5, 2, labels.size)
    ours = train_head(features, labels, weights, 4, seed=0, penalty=1e-2)
    # there the loss is a weighted sum and C = 1 / penalty
    peer = LogisticRegression(C=1 / (1e-2 * weights.sum()), tol=1e-8, max_iter=2000).fit(features, labels, weights)
    assert np.allclose(predict_head(features, *ours), peer.predict_proba(features), atol=2e-3)


def test_the_gradient_is_that_of_the_loss() -> None:
    features, labels, weights = blobs([0, 1, 2], images=5)
    share = weights / weights.sum()

    def value(flat: Array) -> float:
        return _loss(flat[:36].reshape(12, 3), flat[36:], features, labels, share, 0.1)[0]

    def gradient(flat: Array) -> Array:
        return _loss(flat[:36].reshape(12, 3), flat[36:], features, labels, share, 0.1)[1]

    assert check_grad(value, gradient, np.random.default_rng(0).normal(size=39)) < 1e-5


def test_two_runs_give_the_same_bits() -> None:
    data = blobs([0, 1, 2, 3])
    one, other = (train_head(*data, 4, seed=5) for _ in range(2))
    assert np.array_equal(one[0], other[0])
    assert np.array_equal(one[1], other[1])


def test_where_it_begins_does_not_matter_in_the_end() -> None:
    data = blobs([0, 1, 2, 3])
    one, other = (train_head(*data, 4, seed=seed, penalty=0.1) for seed in (0, 1))
    assert np.allclose(one[0], other[0], atol=1e-3)


def test_only_proportions_of_sample_weights_count() -> None:
    features, labels, weights = blobs([0, 1])
    one, other = (train_head(features, labels, scale * weights, 2, seed=0, penalty=0.1) for scale in (1.0, 1000.0))
    assert np.allclose(one[0], other[0], atol=1e-3)


def test_an_image_of_weight_two_counts_as_two_images() -> None:
    features, labels, _ = blobs([0, 1], images=10)
    doubled = np.concatenate([features, features[:5]]), np.concatenate([labels, labels[:5]]), np.ones(25)
    weights = np.ones(20)
    weights[:5] = 2.0
    one, other = (
        train_head(*doubled, 2, seed=0, penalty=0.1),
        train_head(features, labels, weights, 2, seed=0, penalty=0.1),
    )
    assert np.allclose(one[0], other[0], atol=1e-3)


def test_fine_tuning_learns_new_classes_and_forgets_old_ones() -> None:
    before = train_head(*blobs([0, 1]), 2, seed=0)
    after = train_head(*blobs([2, 3]), 4, seed=0, start=before)
    pooled = train_head(*blobs([0, 1, 2, 3]), 4, seed=0)
    assert accuracy(before, [0, 1]) > 0.95
    assert accuracy(after, [2, 3]) > 0.95
    assert accuracy(after, [0, 1]) < 0.5
    assert accuracy(pooled, [0, 1, 2, 3]) > 0.95


def test_a_site_of_one_class_answers_that_class() -> None:
    head = train_head(*blobs([1]), 2, seed=0)
    assert (predict_head(CENTRES, *head).argmax(axis=1) == 1).all()


def test_probabilities_add_up_to_one() -> None:
    features, labels, weights = blobs([0, 1, 2])
    probabilities = predict_head(features, *train_head(features, labels, weights, 3, seed=0))
    assert np.allclose(probabilities.sum(axis=1), 1.0)


def test_the_network_gives_the_same_scores() -> None:
    import torch

    features, labels, weights = blobs([0, 1, 2])
    head = train_head(features, labels, weights, 3, seed=0)
    network = linear_head(12, 3)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in head_state(*head).items()})
    with torch.inference_mode():
        scores = network(torch.from_numpy(features.astype(np.float32))).numpy()
    assert np.allclose(scores, features @ head[0] + head[1], atol=1e-4)


def test_two_thousand_images_of_five_hundred_features_take_under_a_second() -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 10, 2000)
    features = generator.normal(size=(2000, 500)) + 0.2 * np.eye(10, 500)[labels]
    begun = time.perf_counter()
    train_head(features, labels, np.ones(2000), 10, seed=0)
    assert time.perf_counter() - begun < 1.0


@pytest.mark.parametrize(
    ("labels", "weights", "start"),
    [
        (np.array([0, 2]), np.ones(2), None),
        (np.array([0, -1]), np.ones(2), None),
        (np.array([0, 1]), np.ones(3), None),
        (np.array([0, 1]), np.ones(2), (np.ones((12, 3)), np.ones(3))),
        (np.array([0, 1]), np.ones(2), (np.ones((11, 2)), np.ones(2))),
    ],
)
def test_what_does_not_fit_is_told(
    labels: NDArray[np.int64], weights: Array, start: tuple[Array, Array] | None
) -> None:
    with pytest.raises(ValueError, match=r"do not fit|labels lie in|cannot go on"):
        train_head(CENTRES[:2], labels, weights, 2, seed=0, start=start)


def test_the_penalty_is_the_one_of_the_path_that_other_patients_like_best():
    rng = np.random.default_rng(4)
    centers = rng.normal(size=(3, 40))

    def draw(images):
        labels = rng.integers(0, 3, images)
        return centers[labels] + 4 * rng.normal(size=(images, 40)), labels, np.ones(images)

    train, other = draw(60), draw(400)

    def loss(head):
        return -np.log(predict_head(other[0], *head)[np.arange(400), other[1]]).mean()

    tuned = tune_head(*train, 3, validation=other, seed=0)
    losses = [loss(train_head(*train, 3, seed=0, penalty=penalty)) for penalty in PENALTIES]
    assert loss(tuned) == pytest.approx(min(losses), rel=0.01)
    assert min(losses) < losses[-1] - 0.1  # noise calls for a penalty


def test_without_other_patients_the_usual_penalty_is_taken():
    features, labels = np.eye(4), np.array([0, 1, 0, 1])
    nobody = (np.zeros((0, 4)), np.zeros(0, dtype=np.int64), np.zeros(0))
    tuned = tune_head(features, labels, np.ones(4), 2, validation=nobody, seed=0)
    plain = train_head(features, labels, np.ones(4), 2, seed=0)
    assert np.array_equal(tuned[0], plain[0])
