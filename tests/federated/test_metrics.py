"""Metrics of learning that grows, against figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from federated.metrics import incremental, pair_is_seen


def test_incremental_metrics_by_hand():
    accuracy = np.array([[0.9, 0.0, 0.0], [0.7, 0.8, 0.0], [0.8, 0.6, 1.0]])
    summary = incremental(accuracy)
    assert summary.average == pytest.approx((0.9 + 0.75 + 0.8) / 3)
    assert summary.last == pytest.approx(0.8)
    assert summary.forgetting == pytest.approx(((0.9 - 0.8) + (0.8 - 0.6)) / 2)
    assert summary.backward_transfer == pytest.approx(((0.8 - 0.9) + (0.6 - 0.8)) / 2)


def test_one_arrival_forgets_nothing():
    assert incremental(np.array([[0.5]])).forgetting == 0.0


def test_pairs():
    held = {"ada": ["a4c"]}
    assert pair_is_seen(held, "ada", "a4c")
    assert not pair_is_seen(held, "ada", "sub")
    assert not pair_is_seen(held, "ben", "a4c")
