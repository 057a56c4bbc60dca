"""A descent finds the bottom of a bowl, keeps what was best, and ends where nothing is gained."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch

from shared_models.registration.descent import Effort, descend


def bowl(at: torch.Tensor) -> torch.Tensor:
    return ((at - torch.tensor([3.0, -1.0])) ** 2).sum()


def test_it_finds_the_bottom() -> None:
    at = torch.zeros(2, requires_grad=True)
    least = descend([at], lambda: bowl(at), 0.3, Effort(steps=200, patience=200))
    assert at.tolist() == pytest.approx([3, -1], abs=1e-3)
    assert least == pytest.approx(bowl(at).item())


def test_where_it_began_is_kept_if_nothing_is_better() -> None:
    at = torch.tensor([3.0, -1.0], requires_grad=True)
    steep = descend([at], lambda: bowl(at) + at.sum() - at.sum().detach(), 50.0, Effort(steps=5, patience=5))
    assert at.tolist() == [3, -1]
    assert steep == 0


def test_it_ends_where_nothing_is_gained() -> None:
    at = torch.zeros(2, requires_grad=True)
    told: list[tuple[int, float]] = []
    descend([at], lambda: 0 * bowl(at) + 1, 0.1, Effort(steps=50, patience=4), lambda *each: told.append(each))
    assert told == [(step, 1.0) for step in range(1, 6)]


def test_the_rate_falls_as_half_a_cosine() -> None:
    at = torch.zeros(1, requires_grad=True)
    seen: list[float] = []

    def slope() -> torch.Tensor:
        seen.append(at.item())
        return at.sum()

    descend([at], slope, 1.0, Effort(steps=4, patience=4))
    steps = [before - after for before, after in pairwise(seen)]
    assert steps == pytest.approx([(1 + math.cos(math.pi * k / 4)) / 2 for k in range(3)], rel=1e-3)


def test_it_descends_where_gradients_are_off() -> None:
    at = torch.zeros(2, requires_grad=True)
    with torch.no_grad():
        assert descend([at], lambda: bowl(at), 0.3, Effort(steps=20)) < 10


def test_what_is_no_descent() -> None:
    at = torch.zeros(1, requires_grad=True)
    with pytest.raises(ValueError, match="astray at step 1: the loss is nan"):
        descend([at], lambda: at.sum() * float("nan"), 0.1, Effort())
    with pytest.raises(ValueError, match="0 steps: 1 or more"):
        Effort(steps=0)
    with pytest.raises(ValueError, match="0 patience: 1 or more"):
        Effort(patience=0)
