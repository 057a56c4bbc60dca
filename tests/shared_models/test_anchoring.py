"""What is added is a quadratic about where the weights were."""

from __future__ import annotations

import pytest
import torch

from shared_models.anchoring import Anchor, Anchoring, anchor_of

NOTHING = torch.zeros(1)


def network(*rows: list[float]) -> torch.nn.Linear:
    made = torch.nn.Linear(2, len(rows), bias=False)
    made.weight = torch.nn.Parameter(torch.tensor(rows))
    return made


def test_at_the_anchor_there_is_no_pull() -> None:
    one = network([1.0, 2.0], [3.0, 4.0])
    assert Anchoring((anchor_of(one),), 5.0)(one, NOTHING, NOTHING).item() == 0.0


def test_without_importance_it_is_half_the_squared_distance() -> None:
    anchor = anchor_of(network([1.0, 2.0], [3.0, 4.0]))
    moved = network([1.0, 4.0], [2.0, 4.0])
    found = Anchoring((anchor,), 0.6)(moved, NOTHING, NOTHING)
    assert float(found.detach()) == pytest.approx(0.3 * (4 + 1))
    found.backward()
    assert moved.weight.grad is not None
    assert torch.allclose(moved.weight.grad, torch.tensor([[0.0, 1.2], [-0.6, 0.0]]))


def test_importance_says_how_hard_each_weight_is_held_and_anchors_add_up() -> None:
    there = {"weight": torch.zeros(1, 2)}
    anchors = (
        Anchor(there, {"weight": torch.tensor([[2.0, 0.0]])}),
        Anchor(there, {"weight": torch.tensor([[1.0, 5.0]])}),
    )
    found = Anchoring(anchors, 1.0)(network([3.0, 1.0]), NOTHING, NOTHING).detach()
    assert float(found) == pytest.approx((2 * 9 + 9 + 5) / 2)


def test_rows_that_came_later_are_free() -> None:
    anchor = anchor_of(network([1.0, 2.0]))
    found = Anchoring((anchor,), 1.0)(network([1.0, 2.0], [70.0, 80.0]), NOTHING, NOTHING).detach()
    assert float(found) == 0.0


def test_an_anchor_does_not_move_with_the_network() -> None:
    one = network([1.0, 2.0])
    anchor = anchor_of(one)
    with torch.no_grad():
        one.weight += 1.0
    assert anchor.weights["weight"].tolist() == [[1.0, 2.0]]
