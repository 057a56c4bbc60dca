"""Answers come back from their file as they were."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np

from benchmarks.incremental.answers import read_answers, write_answers
from benchmarks.incremental.cell import Cell, play
from benchmarks.incremental.contestant import Start
from benchmarks.incremental.frequent import MostFrequent
from benchmarks.incremental.suite import Suite


def test_nothing_is_lost(suite: Suite, start: Start, tmp_path: Path) -> None:
    answers = play(Cell("clouds", "cpu", 3, 0, "frequent"), suite, MostFrequent(start))
    write_answers(tmp_path / "cell.npz", answers)
    read = read_answers(tmp_path / "cell.npz")
    for field in fields(answers):
        one, other = getattr(read, field.name), getattr(answers, field.name)
        if isinstance(other, np.ndarray):
            assert np.array_equal(one, other, equal_nan=other.dtype.kind == "f"), field.name
    assert read.about == answers.about
    assert (read.labels, read.order, read.external, read.taught) == (
        answers.labels,
        answers.order,
        answers.external,
        answers.taught,
    )
    assert read.sent["first"].tolist() == answers.sent["first"].tolist()


def test_only_a_small_p_value_refuses(suite: Suite, start: Start) -> None:
    answers = play(Cell("clouds", "cpu", 3, 0, "frequent"), suite, MostFrequent(start))
    assert not answers.refused.any()
    answers.p[:] = 0.01
    assert answers.refused.all()
    answers.p[:] = 0.5
    assert not answers.refused.any()
