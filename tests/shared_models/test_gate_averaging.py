"""Averages by hand; a federation of one is a training; rounds of averaging learn what no site alone could."""

from __future__ import annotations

import numpy as np
import pytest

from federated.fusion.experts import Consulted
from federated.fusion.gated import GatedModel, GatedShape
from shared_models.consultation import Lesson
from shared_models.gate import train_gate
from shared_models.gate_averaging import average_states, train_by_averaging
from shared_models.training import Recipe

NAMES = ("amber", "beryl")
LABELS = (("a", "b"), ("c", "d"))
CENTRES = 2 * np.random.default_rng(2).standard_normal((4, 5))
RECIPE = Recipe(epochs=2, batch=16, rate=5e-3, seed=1, optimiser="adam")


def _consulted(labels: list[int], images: int, seed: int) -> tuple[Consulted, np.ndarray]:
    """Images of some of four labels; each expert tells its own two apart."""
    rng = np.random.default_rng(seed)
    answers = rng.choice(labels, images)
    features = CENTRES[answers] + 0.3 * rng.standard_normal((images, 5))
    scores = features @ CENTRES.T - (CENTRES**2).sum(axis=1) / 2
    return Consulted(NAMES, LABELS, np.stack([features] * 2, axis=1), (scores[:, :2], scores[:, 2:])), answers


def _lesson(labels: list[int], images: int, seed: int) -> Lesson:
    return Lesson(*_consulted(labels, images, seed), np.ones(images))


def test_the_average_is_weighted_by_images() -> None:
    averaged = average_states([{"w": np.array([1.0, 2.0])}, {"w": np.array([4.0, -1.0])}], [1, 2])
    assert averaged["w"].dtype == np.float32
    assert averaged["w"] == pytest.approx([3.0, 0.0])


def test_what_cannot_be_averaged_is_refused() -> None:
    one, other = {"w": np.zeros(2)}, {"w": np.zeros(3)}
    with pytest.raises(ValueError, match="cannot be averaged"):
        average_states([one, other], [1, 1])
    for images in ([0, 0], [1], [2, -1]):
        with pytest.raises(ValueError, match="give no average"):
            average_states([one, one], images)


def test_a_federation_of_one_is_a_training() -> None:
    lesson = _lesson([0, 1, 2, 3], 60, 0)
    alone = train_gate(lesson, None, "features", RECIPE, device="cpu")
    averaged = train_by_averaging([lesson], "features", RECIPE, 1, device="cpu")
    assert all(np.array_equal(alone[name], averaged[name]) for name in alone)


def test_rounds_of_averaging_learn_what_no_site_alone_could() -> None:
    sites = [_lesson([0, 1, 2], 80, 0), _lesson([2, 3], 60, 1)]
    test, answers = _consulted([0, 1, 2, 3], 300, 2)
    shape = GatedShape(NAMES, LABELS, "features", features=5)

    def accuracy(state: dict[str, np.ndarray]) -> float:
        return float((GatedModel.from_tensors(shape, state).answer(test).best == answers).mean())

    alone = [train_by_averaging([site], "features", RECIPE, 12, device="cpu") for site in sites]
    together = train_by_averaging(sites, "features", RECIPE, 12, device="cpu")
    assert accuracy(together) > max(map(accuracy, alone)) + 0.05
    assert accuracy(together) > 0.9
