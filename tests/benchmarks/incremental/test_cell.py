"""A cell: what is asked after every arrival, by clip, and how much an arrival moves what it should not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from benchmarks.incremental.cell import Cell, by_clip, others_of, play
from benchmarks.incremental.contestant import Answered, Fold, Site
from benchmarks.incremental.probabilities import answered
from benchmarks.incremental.suite import Suite
from federated.local_fold import LocalFold
from federated.vocabulary import Concept, Vocabulary, plain_vocabulary


class Telling:
    """Answers as the first feature says, and counts what it was shown."""

    def __init__(self) -> None:
        self.shown: list[Site] = []

    def arrive(self, site: Site) -> float:
        self.shown.append(site)
        return 100.0

    def answer(self, fold: Fold, site: str) -> Answered:  # noqa: ARG002
        scores = fold.local.features[:, :2].copy()
        scores[:, 1] += len(self.shown)
        rows = np.arange(len(scores))
        return Answered(("a", "b"), scores, np.full(scores.shape, 0.5), p=(rows % 2).astype(float))

    def sent(self) -> Mapping[str, int]:
        return {site.name: 10 * len(self.shown) for site in self.shown}

    def received(self) -> Mapping[str, int]:
        return {site.name: 1 for site in self.shown}


def test_every_arrival_asks_about_everybody(suite: Suite) -> None:
    answers = play(Cell("clouds", "cpu", 3, 1, "telling"), suite, Telling())
    clips = sum(len(set(site.folds["test"].local.clips)) for site in suite.everyone)
    assert answers.answered.shape == (2, clips)
    assert answers.order == ("second", "first")
    assert answers.external == ("outside",)
    assert answers.taught == {"first": ("a", "b"), "second": ("b", "c")}
    assert (answers.p == 0.5).all()  # the mean of a clip's two frames
    assert (answers.seconds >= 100).all()
    assert answers.sent["first"].tolist() == [0, 20]
    assert answers.sent["second"].tolist() == [10, 20]
    assert answers.received["second"].tolist() == [1, 1]


def test_test_folds_are_not_shown(suite: Suite) -> None:
    contestant = Telling()
    play(Cell("clouds", "cpu", 3, 0, "telling"), suite, contestant)
    assert all("test" not in site.folds for site in contestant.shown)


def test_all_frames_of_a_clip_have_a_say_in_its_answer() -> None:
    local = LocalFold(np.zeros((4, 1)), ("a",) * 4, ("p",) * 4, ("one", "one", "one", "two"), np.ones(4))
    site = Site("s", {"test": Fold(np.zeros((4, 0, 0), np.uint8), local)})
    two = plain_vocabulary("two", ["a", "b"])
    scores = np.array([[0.0, 1.0], [3.0, 0.0], [3.0, 0.0], [0.0, 1.0]])
    parts = np.stack([scores - 1, np.ones_like(scores)], axis=1)
    found = by_clip(answered(two, ("a", "b"), scores, 1.0, weights=scores, contributions=parts), site, two)
    assert found.answered.tolist() == [0, 1]
    assert found.scores.tolist() == [[2.0, 1 / 3], [0.0, 1.0]]
    assert found.weights.tolist() == found.scores.tolist()
    assert found.contributions.tolist() == [[1.0, 1.0], [0.0, 1.0]]  # to the clip's answer, and they add up to it


def test_drift_is_of_labels_that_the_newcomer_does_not_teach(suite: Suite) -> None:
    first, second = (play(Cell("clouds", "cpu", 3, order, "telling"), suite, Telling()) for order in (0, 1))
    assert first.drift[1] == 0.0  # the second site teaches b, and a did not move
    assert second.drift[1] == 0.0  # the first teaches both
    assert np.isnan(first.drift[0])


def test_a_coarse_label_is_taught_with_those_below_it(suite: Suite) -> None:
    said = [Concept(code=code, scheme="x", meaning=code, parents=("d",) if code == "a" else ()) for code in "abcd"]
    vocabulary = Vocabulary(name="nested", concepts=tuple(said))
    assert [vocabulary.codes[column] for column in others_of(vocabulary, suite.sites[0])] == ["c"]


@pytest.mark.parametrize("contestant", ["closed form (refit)", "a/b"])
def test_a_cell_has_a_plain_file_name(contestant: str) -> None:
    assert set(Cell("s", "cpu", 3, 0, contestant).file) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
