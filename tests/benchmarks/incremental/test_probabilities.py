"""Scores become probabilities at the temperature that validation patients like best."""

from __future__ import annotations

import numpy as np

from benchmarks.incremental.contestant import Fold, Site
from benchmarks.incremental.probabilities import answered, best_temperature
from federated.local_fold import LocalFold
from federated.vocabulary import Concept, Vocabulary, plain_vocabulary

TWO = plain_vocabulary("two", ["a", "b"])


def _site(labels: tuple[str, ...]) -> Site:
    count = len(labels)
    names = tuple(map(str, range(count)))
    local = LocalFold(np.zeros((count, 1)), labels, names, names, np.ones(count))
    return Site("s", {"validation": Fold(np.zeros((count, 0, 0), np.uint8), local)})


def test_the_temperature_makes_three_in_four_a_probability_of_three_quarters() -> None:
    site = _site(("a", "a", "a", "b") * 5)
    scores = np.tile([5.0, 0.0], (20, 1))
    temperature = best_temperature(TWO, ("a", "b"), [site], lambda *_: scores)
    found = answered(TWO, ("a", "b"), scores, temperature)
    assert abs(found.probabilities[0, 0] - 0.75) < 0.03


def test_nothing_to_ask_leaves_scores_as_they_are() -> None:
    assert best_temperature(TWO, ("a",), [_site(("b",))], lambda *_: np.zeros((1, 1))) == 1.0


def test_a_label_that_cannot_be_answered_has_no_probability() -> None:
    found = answered(TWO, ("a", "b"), np.array([[1.0, -np.inf]]), 0.5)
    assert found.probabilities.tolist() == [[1.0, 0.0]]
    site = _site(("a", "b"))
    assert np.isfinite(best_temperature(TWO, ("a", "b"), [site], lambda *_: np.array([[1.0, -np.inf]] * 2)))


def _nested() -> Vocabulary:
    said = (("top", ()), ("fine", ("top",)), ("other", ()))
    concepts = tuple(Concept(code=code, scheme="x", meaning=code, parents=parents) for code, parents in said)
    return Vocabulary(name="v", concepts=concepts)


def test_answers_go_down_to_the_finest_label() -> None:
    found = answered(_nested(), ("top", "fine", "other"), np.array([[2.0, 0.1, 1.0]]), 1.0)
    assert found.best is not None
    assert found.best.tolist() == [1]


def test_a_label_that_excluded_the_finer_one_in_training_counts_as_that_one() -> None:
    scores, labels = np.array([[-4.0, 2.0, 1.0]]), ("top", "fine", "other")
    found = answered(_nested(), labels, scores, 1.0)
    fitted = answered(_nested(), labels, scores, 1.0, exclusive=False)
    assert found.best is not None
    assert fitted.best is not None
    assert (found.best.tolist(), fitted.best.tolist()) == ([1], [2])
    assert found.scores.tolist() == [[2.0, 2.0, 1.0]]
    assert np.allclose(found.probabilities, [[1 / (1 + np.exp(-1))] * 2 + [1 / (1 + np.e)]])
    site = _site(("fine",) * 9 + ("other",))
    sure = np.tile(scores, (10, 1))
    assert best_temperature(_nested(), labels, [site], lambda *_: sure) < 1
    assert best_temperature(_nested(), labels, [site], lambda *_: sure, exclusive=False) > 1
