"""Operations and bytes of computations that can be counted by hand."""

from __future__ import annotations

import pytest
import torch

from benchmarks.compute_limit import Machine, asked, better, measured

SLOW = Machine(operations=1e6, bytes=1e30)
NARROW = Machine(operations=1e30, bytes=1e6)


def test_a_product_of_matrices() -> None:
    one, other = torch.ones(4, 8), torch.ones(8, 16)
    found = asked(lambda: one @ other, SLOW)
    assert found.operations == 2 * 4 * 8 * 16
    assert found.bytes == 4 * (4 * 8 + 8 * 16 + 4 * 16)
    assert found.seconds == pytest.approx(found.operations / 1e6)
    assert asked(lambda: one @ other, NARROW).seconds == pytest.approx(found.bytes / 1e6)


def test_a_view_moves_nothing_and_what_is_changed_in_place_does() -> None:
    given = torch.ones(10, 10)
    assert asked(lambda: given.view(100).unsqueeze(0), NARROW).bytes == 0
    assert asked(lambda: given.mul_(2), NARROW).bytes > 0


def test_a_backward_pass_of_a_convolution_costs_twice_the_forward_pass() -> None:
    weights = torch.ones(4, 2, 3, 3, requires_grad=True)
    images = torch.ones(1, 2, 8, 8, requires_grad=True)

    def forward() -> torch.Tensor:
        return torch.nn.functional.conv2d(images, weights, padding=1)

    once = 2 * 4 * 2 * 9 * 64
    assert asked(forward, SLOW).operations == once
    assert asked(lambda: forward().sum().backward(), SLOW).operations == 3 * once


def test_a_machine_multiplies_and_copies() -> None:
    found = measured(torch.float32, size=32, many=2**12)
    assert found.operations > 1e6
    assert found.bytes > 1e6


def test_of_two_measurements_the_better_counts_for_each_thing() -> None:
    assert better(Machine(3.0, 5.0), Machine(4.0, 2.0)) == Machine(4.0, 5.0)
