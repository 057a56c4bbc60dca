"""Losses in closed form, least at the truth."""

from __future__ import annotations

import math

import pytest
import torch

from shared_models.reconstruction.reconstruction_losses import LOSSES

HALF = torch.zeros(2, 2, 2, 2)
HALF[:, 0] = 1  # four of eight voxels


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cross-entropy", math.log(2)),
        ("soft IoU", 1 - 2 / (4 + 4 - 2)),
        ("focal", 0.5 * 0.25 * math.log(2)),
        ("Tversky", 1 - 2 / (2 + 0.3 * 2 + 0.7 * 2)),
        ("focal Tversky", 0.5**0.75),
    ],
)
def test_of_a_half_everywhere(name: str, value: float) -> None:
    assert LOSSES[name](torch.full_like(HALF, 0.5), HALF).item() == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_the_truth_costs_nothing_and_its_opposite_most(name: str) -> None:
    right, wrong = (LOSSES[name](found, HALF).item() for found in (HALF, 1 - HALF))
    assert right == pytest.approx(0, abs=1e-4)
    assert wrong > 0.9


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_finite_and_lead_to_the_truth(name: str) -> None:
    torch.manual_seed(0)
    logits = torch.randn(HALF.shape, requires_grad=True)
    LOSSES[name](logits.sigmoid(), HALF).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert ((logits.grad < 0) == (HALF == 1)).all()


@pytest.mark.parametrize("name", LOSSES)
def test_where_there_is_nothing_no_loss_breaks(name: str) -> None:
    nothing = torch.zeros(1, 2, 2, 2)
    found = nothing.clone().requires_grad_()
    LOSSES[name](found, nothing).backward()
    assert found.grad is not None
    assert found.grad.isfinite().all()


def test_a_missing_voxel_costs_more_than_one_too_many() -> None:
    few, many = HALF.clone(), HALF.clone()
    few[:, 0, 0, 0], many[:, 1, 0, 0] = 0, 1
    assert LOSSES["Tversky"](few, HALF) > LOSSES["Tversky"](many, HALF)
