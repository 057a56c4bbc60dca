"""Every rule on the shared front end learns two clouds and answers by its own lights."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.incremental.answers import Answers
from benchmarks.incremental.cell import Cell, play
from benchmarks.incremental.contestant import Start
from benchmarks.incremental.contestants import (
    CLOSED_FORM,
    CONTESTANTS,
    GATED,
    IN_ANY_ORDER,
    JOINT,
    MOST_FREQUENT,
    OF_FEATURES,
)
from benchmarks.incremental.figures import last_seen, over_pairs
from benchmarks.incremental.suite import Suite

BLIND = ("most frequent", "site alone", "fine-tune", "of site heads", "gate")


def _played(name: str, suite: Suite, start: Start) -> Answers:
    return play(Cell("clouds", "cpu", 3, 0, name), suite, CONTESTANTS[name](start))


@pytest.mark.parametrize("name", OF_FEATURES)
def test_scores_bytes_and_probabilities_are_whole(name: str, suite: Suite, start: Start) -> None:
    answers = _played(name, suite, start)
    given = answers.answered[-1] >= 0
    assert ((answers.probability[-1][given] > 0) & (answers.probability[-1][given] <= 1 + 1e-9)).all()
    assert not answers.right[-1][~answers.known[-1]].any()  # nobody can know what nobody taught
    assert all((np.diff(counts) >= 0).all() for counts in answers.sent.values())
    assert set(answers.sent) == set(answers.received) == {"first", "second"}


@pytest.mark.parametrize("name", [name for name in OF_FEATURES if not any(word in name for word in BLIND)])
def test_rules_that_fuse_learn_what_was_taught(name: str, suite: Suite, start: Start) -> None:
    answers = _played(name, suite, start)
    assert over_pairs(answers, last_seen(answers)) > 0.9


def test_the_names_that_others_read_are_there() -> None:
    assert {CLOSED_FORM, GATED, JOINT, MOST_FREQUENT} <= set(OF_FEATURES) <= set(IN_ANY_ORDER) <= set(CONTESTANTS)
