"""What a heart costs is measured, and counted right."""

from __future__ import annotations

import pytest

from benchmarks.reconstruction_cost import cost, idle_merger, multiply_adds
from benchmarks.reconstruction_methods import COMPLETION, DISCS, FUSED, SHAPES, UNFUSED
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


def test_without_fusing_each_view_costs_a_decoder_and_a_merger() -> None:
    fused = [multiply_adds(QUICK, FUSED, views) for views in (1, 2)]
    apart = [multiply_adds(QUICK, UNFUSED, views) for views in (1, 2)]
    assert apart[1] - apart[0] > 2 * (fused[1] - fused[0])
    assert idle_merger(QUICK) == 32**3 * 27 * (4 * 81 + 36 * 9 + 9)


def test_a_completion_costs_the_same_for_any_views() -> None:
    assert multiply_adds(QUICK, COMPLETION, 1) == multiply_adds(QUICK, COMPLETION, 9)
