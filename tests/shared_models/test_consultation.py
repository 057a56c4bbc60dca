"""Lessons whose parts do not fit are refused."""

from __future__ import annotations

import numpy as np
import pytest

from federated.fusion.experts import Consulted
from shared_models.consultation import Lesson, read_by


def _consulted() -> Consulted:
    return Consulted(("amber",), (("a", "b"),), np.zeros((3, 1, 2)), (np.zeros((3, 2)),), np.ones((3, 1, 4)))


def test_a_gate_reads_what_it_is_told() -> None:
    consulted = _consulted()
    assert read_by(consulted, "none") is None
    assert read_by(consulted, "features") is consulted.features
    assert read_by(consulted, "discrepancy") is consulted.discrepancy


def test_answers_and_weights_go_with_the_images() -> None:
    Lesson(_consulted(), np.array([0, 1, 1]), np.ones(3))
    with pytest.raises(ValueError, match="do not fit"):
        Lesson(_consulted(), np.array([0, 1]), np.ones(3))
    with pytest.raises(ValueError, match="none of the 2 merged labels"):
        Lesson(_consulted(), np.array([0, 1, 2]), np.ones(3))
    with pytest.raises(ValueError, match="none of the 2 merged labels"):
        Lesson(_consulted(), np.array([0, 1, -1]), np.ones(3))
