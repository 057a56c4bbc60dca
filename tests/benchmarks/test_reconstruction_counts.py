"""What is counted is what the source's networks take, and what can be told beforehand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from torch import nn

from benchmarks.reconstruction_counts import _kept, idle_merger, kept_for_gradients, multiply_adds
from benchmarks.reconstruction_methods import COMPLETION, FUSED, UNFUSED
from benchmarks.reconstruction_settings import PRESETS, QUICK

PUBLISHED, GIB = PRESETS["paper"], 2**30


def test_without_fusing_each_view_costs_a_decoder_and_a_merger() -> None:
    fused = [multiply_adds(QUICK, FUSED, views) for views in (1, 2)]
    apart = [multiply_adds(QUICK, UNFUSED, views) for views in (1, 2)]
    assert apart[1] - apart[0] > 2 * (fused[1] - fused[0])
    assert idle_merger(QUICK)[0] == 32**3 * 27 * (4 * 81 + 36 * 9 + 9)


def test_a_completion_costs_the_same_for_any_views() -> None:
    assert multiply_adds(QUICK, COMPLETION, 1) == multiply_adds(QUICK, COMPLETION, 9)


def test_a_convolution_keeps_what_it_has_seen_and_no_weights() -> None:
    layers = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.Conv2d(5, 2, 3, padding=1)).to("meta")
    assert _kept(layers, (4, 3, 10, 12)) == 4 * 4 * (3 + 5) * 10 * 12


def test_a_tensor_that_two_layers_see_is_kept_once() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.other = nn.Conv2d(3, 5, 1), nn.Conv2d(3, 5, 1)

        def forward(self, seen):
            return self.one(seen) + self.other(seen)

    assert _kept(Twice().to("meta"), (4, 3, 10, 12)) == 4 * 4 * 3 * 10 * 12


def test_twice_the_hearts_keep_twice_as_much() -> None:
    one, two = (kept_for_gradients(replace(QUICK, batch=batch), FUSED, 2) for batch in (1, 2))
    assert two == pytest.approx(2 * one, rel=1e-3)


@pytest.mark.parametrize(("views", "unfused", "fused"), [(2, 3.63, 2.65), (9, 13.97, 6.12)])
def test_the_published_network_keeps_what_it_was_measured_to(views: int, unfused: float, fused: float) -> None:
    assert kept_for_gradients(PUBLISHED, UNFUSED, views) / GIB == pytest.approx(unfused, abs=0.01)
    idle = idle_merger(PUBLISHED)[1]  # which was kept there
    assert (kept_for_gradients(PUBLISHED, FUSED, views) + idle) / GIB == pytest.approx(fused, abs=0.05)
