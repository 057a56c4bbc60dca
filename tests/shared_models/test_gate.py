"""The gate learns whom to trust: where pooling follows an expert that is always sure, it does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from federated.fusion.experts import Consulted
from federated.fusion.gated import GatedModel, GatedShape
from federated.fusion.pooling import confidence_routing, max_logit, max_softmax
from shared_models.consultation import Lesson, Reads
from shared_models.cross_heads import closed_form_heads
from shared_models.gate import CrossHeads, GateTask, paper_recipe, train_gate
from shared_models.gate_network import form_of, gate_network
from shared_models.training import Progress, Recipe, batches

NAMES = ("many", "two")
LABELS = (("a", "b", "c", "d"), ("b", "e"))
CENTRES = 2 * np.random.default_rng(4).standard_normal((5, 6))
QUICK = Recipe(epochs=12, batch=32, rate=1e-2, seed=3, optimiser="adam", metric="accuracy")


def _overconfident(images: int, seed: int) -> tuple[Consulted, np.ndarray]:
    """Five labels in six dimensions. The first expert knows its four well; the second, of two labels, is sure of
    whatever it sees: its logits are how much nearer one of its two centres is, fifty times as large as they should be.
    """
    rng = np.random.default_rng(seed)
    answers = np.r_[np.arange(5), rng.integers(0, 5, images - 5)]
    features = CENTRES[answers] + 0.5 * rng.standard_normal((images, 6))
    scores = features @ CENTRES.T - (CENTRES**2).sum(axis=1) / 2
    logits = (scores[:, :4], 25 * np.stack([scores[:, 1] - scores[:, 4], scores[:, 4] - scores[:, 1]], axis=1))
    doubled = np.stack([features, features], axis=1)
    return Consulted(NAMES, LABELS, doubled, logits, doubled - CENTRES[[0, 4]]), answers


def _lesson(images: int, seed: int) -> Lesson:
    consulted, answers = _overconfident(images, seed)
    return Lesson(consulted, answers, np.ones(images))


def _shape(reads: Reads) -> GatedShape:
    return GatedShape(NAMES, LABELS, reads, features=6, means=6 if reads == "discrepancy" else 0)


def _accuracy(best: np.ndarray, answers: np.ndarray) -> float:
    return float((best == answers).mean())


def test_pooling_follows_the_expert_that_is_always_sure() -> None:
    consulted, answers = _overconfident(400, 2)
    for rule in (max_softmax, confidence_routing, max_logit):
        assert _accuracy(rule(consulted).best, answers) < 0.5


@pytest.mark.parametrize("reads", ["features", "discrepancy"])
@pytest.mark.parametrize("cross_heads", ["trained", "closed form"])
def test_the_gate_does_not(reads: Reads, cross_heads: CrossHeads) -> None:
    state = train_gate(_lesson(400, 0), _lesson(200, 1), reads, QUICK, cross_heads=cross_heads, device="cpu")
    consulted, answers = _overconfident(400, 2)
    pooled = GatedModel.from_tensors(_shape(reads), state).answer(consulted)
    assert _accuracy(pooled.best, answers) > 0.95
    foreign = np.isin(answers, [0, 2, 3])
    assert pooled.weights[foreign, 1].mean() < 0.1


def test_an_expert_of_one_label_is_always_certain_and_the_gate_knows_better() -> None:
    """Its only logit is the same for every image."""

    def with_one_label(images: int, seed: int) -> tuple[Consulted, np.ndarray]:
        both, answers = _overconfident(images, seed)
        return Consulted(
            NAMES, (LABELS[0], ("e",)), both.features, (both.logits[0], np.full((images, 1), 30.0))
        ), answers

    lesson = Lesson(*with_one_label(400, 0), np.ones(400))
    consulted, answers = with_one_label(400, 2)
    assert set(max_softmax(consulted).best) == set(confidence_routing(consulted).best) == {4}
    state = train_gate(lesson, None, "features", QUICK, device="cpu")
    shape = GatedShape(NAMES, consulted.labels, "features", features=6)
    assert _accuracy(GatedModel.from_tensors(shape, state).answer(consulted).best, answers) > 0.95


def test_a_training_that_was_done_is_not_done_again(tmp_path: Path) -> None:
    steps: list[Progress] = []
    states = [
        train_gate(_lesson(60, 0), None, "features", QUICK, folder=tmp_path, device="cpu", watch=steps.append)
        for _ in range(2)
    ]
    assert len({progress.epoch for progress in steps}) == 12
    assert len(steps) == 12 * (60 // 32 + 1 + 1)
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])


def test_the_papers_recipe_cuts_an_epoch_after_666_batches() -> None:
    recipe = paper_recipe(10)
    steps = batches(0, 5 * 42_700, recipe)
    assert len(steps) == 666
    assert sum(map(len, steps)) == 42_624
    assert (recipe.optimiser, recipe.rate, recipe.epochs, recipe.schedule) == ("adam", 1e-3, 50, "constant")


def test_every_increment_has_its_fusion() -> None:
    consulted, answers = _overconfident(60, 0)
    rows = np.flatnonzero(answers < 4)
    first = Consulted(NAMES[:1], LABELS[:1], consulted.features[rows, :1], (consulted.logits[0][rows],))
    alone = train_gate(Lesson(first, answers[rows], np.ones(rows.size)), None, "features", QUICK, device="cpu")
    pooled = GatedModel.from_tensors(GatedShape(NAMES[:1], LABELS[:1], "features", 6), alone).answer(first)
    assert np.array_equal(pooled.scores, first.logits[0])
    still = replace(QUICK, epochs=1, rate=1e-12)
    both = train_gate(_lesson(60, 0), None, "features", still, start=alone, device="cpu")
    assert both["gate.0.weight"][:, :6] == pytest.approx(alone["gate.0.weight"], abs=1e-9)
    assert both["gate.2.bias"][:1] == pytest.approx(alone["gate.2.bias"], abs=1e-9)
    GatedModel.from_tensors(_shape("features"), both)


def test_a_start_keeps_older_cross_heads_and_draws_the_new_ones() -> None:
    lesson, still = _lesson(60, 0), replace(QUICK, epochs=1, rate=1e-12)
    earlier = train_gate(lesson, None, "features", replace(QUICK, epochs=2), device="cpu")
    three = Consulted(
        (*NAMES, "late"),
        (*LABELS, ("f",)),
        np.repeat(lesson.consulted.features[:, :1], 3, axis=1),
        (*lesson.consulted.logits, np.zeros((60, 1))),
    )
    later = Lesson(three, lesson.answers, lesson.weights)
    grown = train_gate(later, None, "features", still, start=earlier, device="cpu")
    fresh = train_gate(later, None, "features", still, device="cpu")
    assert grown["heads.0.weight"][:2] == pytest.approx(earlier["heads.0.weight"], abs=1e-9)
    assert grown["heads.0.weight"][2:] == pytest.approx(fresh["heads.0.weight"][2:], abs=1e-9)
    assert grown["heads.2.weight"] == pytest.approx(fresh["heads.2.weight"], abs=1e-9)
    assert grown["gate.0.weight"][:, :12] == pytest.approx(earlier["gate.0.weight"], abs=1e-9)
    assert grown["gate.2.weight"][:2] == pytest.approx(earlier["gate.2.weight"], abs=1e-9)


@pytest.mark.parametrize(
    ("name", "shape"), [("heads.0.weight", (1, 6)), ("gate.0.weight", (64, 13)), ("gate.3.bias", (2,))]
)
def test_a_start_that_does_not_fit_is_refused(name: str, shape: tuple[int, ...]) -> None:
    network = gate_network(form_of(_lesson(9, 0).consulted, "features"), 0)
    start = {key: tensor.numpy() for key, tensor in network.state_dict().items()} | {name: np.zeros(shape)}
    with pytest.raises(ValueError, match=f"a start whose {name}"):
        train_gate(_lesson(9, 0), None, "features", QUICK, start=start, device="cpu")


def test_closed_form_cross_heads_stay_as_they_are() -> None:
    lesson = _lesson(80, 0)
    for reads in ("none", "features"):
        state = train_gate(lesson, None, reads, QUICK, cross_heads="closed form", device="cpu")
        for name, values in closed_form_heads(lesson, None).items():
            assert np.array_equal(state[name], values.astype(np.float32))


def test_images_that_lack_an_expert_are_learnt_from_too() -> None:
    consulted, answers = _overconfident(200, 0)
    flags = np.ones((200, 2), dtype=np.bool_)
    flags[100:, 1] = False
    some = Consulted(NAMES, LABELS, consulted.features, consulted.logits, asked=flags)
    state = train_gate(Lesson(some, answers, np.ones(200)), None, "features", QUICK, device="cpu")
    test, right = _overconfident(300, 2)
    alone = Consulted(NAMES, LABELS, test.features, test.logits, asked=np.tile([True, False], (300, 1)))
    pooled = GatedModel.from_tensors(_shape("features"), state).answer(alone)
    assert _accuracy(pooled.best, right) > 0.9
    assert (right == 4).any()


def test_the_loss_is_the_weighted_cross_entropy() -> None:
    lesson = replace(_lesson(20, 0), weights=np.r_[np.zeros(10), np.full(10, 3.0)])
    network = gate_network(form_of(lesson.consulted, "features"), 0)
    task = GateTask(network, lesson, lesson, "features")
    loss = task.loss(np.arange(20), torch.Generator(), torch.device("cpu"))
    state = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    scores = GatedModel(_shape("features"), state).answer(_overconfident(20, 0)[0]).scores[10:]
    right = log_softmax(scores, axis=1)[np.arange(10), lesson.answers[10:]]
    assert float(loss.detach()) == pytest.approx(-right.mean(), rel=1e-5)
    assert task.validate()["accuracy"] == pytest.approx(_accuracy(scores.argmax(axis=1), lesson.answers[10:]))


def test_golden_numbers() -> None:
    state = train_gate(_lesson(40, 0), _lesson(40, 1), "discrepancy", replace(QUICK, epochs=3), device="cpu")
    pooled = GatedModel(_shape("discrepancy"), state).answer(_overconfident(6, 5)[0])
    assert pooled.weights[:2] == pytest.approx(np.array([[0.979849, 0.020151], [0.997983, 0.002017]]), abs=1e-4)
    assert pooled.scores[0] == pytest.approx(np.array([14.57544, 5.41041, -16.82611, -11.07124, -5.88347]), abs=1e-3)
