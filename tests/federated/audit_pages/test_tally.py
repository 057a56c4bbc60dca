"""Sums over summaries: the same whatever the order, means where there were answers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.audit_pages.tally import Tally, means, packed, unpacked
from tests.decision_making import LABELS, SITES, sums


def _manifest(**fields: Any) -> Any:
    return SimpleNamespace(**({"decisions": 20, "patients": 18, "suppressed": ("answered.a4c",)} | fields))


def test_two_summaries_are_added() -> None:
    tally = Tally(LABELS, SITES)
    tally.add(_manifest(), sums((9, 3), abstained=2))
    tally.add(_manifest(decisions=5), sums((1, 0), abstained=4))
    assert tally.answered.tolist() == [10, 3]
    assert tally.abstained.tolist() == [6, 0]
    assert (tally.summaries, tally.decisions, tally.patients, tally.suppressed) == (2, 25, 36, 2)
    assert tally.told == 19
    assert tally.shares() == pytest.approx([0.5, 0.5])


def test_without_an_answer_there_is_no_mean_and_no_share() -> None:
    tally = Tally(LABELS, SITES)
    assert tally.shares().tolist() == [0, 0]
    assert means(np.array([3.0, 0.0]), np.array([2.0, 0.0])) == [1.5, None]


@given(st.lists(st.floats(allow_nan=False), max_size=20))
def test_an_array_is_kept_as_it_is(values: list[float]) -> None:
    assert unpacked(packed(values)).tolist() == values


def test_counts_are_kept_as_numbers() -> None:
    assert unpacked(packed(np.array([1, 2], np.int64))).tolist() == [1.0, 2.0]
