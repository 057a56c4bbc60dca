"""What a heart costs is measured, and counted right."""

from __future__ import annotations

import pytest

from benchmarks.reconstruction_cost import cost
from benchmarks.reconstruction_counts import multiply_adds
from benchmarks.reconstruction_methods import DISCS, FUSED, SHAPES
from benchmarks.reconstruction_settings import QUICK


def test_of_a_network_everything_is_told() -> None:
    found = cost(QUICK, FUSED, 2, 2)
    assert len(found.seconds) == 2
    assert found.training_bytes is not None
    assert found.parameters
    assert found.multiply_adds == multiply_adds(QUICK, FUSED, 2)


@pytest.mark.parametrize("method", [SHAPES, DISCS])
def test_of_what_is_no_network_time_is_told(method: str) -> None:
    found = cost(QUICK, method, 2, 1)
    assert found.median > 0
    assert found.multiply_adds is found.training_bytes is None
