"""What is added is the divergence between the two networks' softened answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax

from shared_models.distillation import Distillation


class Says(torch.nn.Module):
    """A network that says the same of every picture."""

    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.logits = torch.tensor(logits)

    def forward(self, shown: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(shown), -1)


SHOWN = torch.zeros(2, 1, 8, 8)
OLD = Says([1.0, -2.0, 0.5])


def added(logits: list[list[float]], **options: float) -> torch.Tensor:
    given = torch.tensor(logits, requires_grad=True)
    return Distillation(OLD, **{"strength": 1.0, **options})(OLD, SHOWN, given).detach()


@pytest.mark.parametrize("temperature", [1.0, 2.0, 7.0])
def test_it_is_the_divergence_of_softened_answers_times_the_squared_temperature(temperature: float) -> None:
    logits = [[0.0, 1.0, 3.0], [2.0, 2.0, -1.0]]
    old = OLD.logits.numpy() / temperature
    apart = [softmax(old) @ (log_softmax(old) - log_softmax(np.array(row) / temperature)) for row in logits]
    found = added(logits, strength=0.7, temperature=temperature)
    assert float(found) == pytest.approx(0.7 * temperature**2 * np.mean(apart), rel=1e-5)


def test_a_network_that_says_the_same_up_to_a_constant_is_left_alone() -> None:
    same = added([[1.0, -2.0, 0.5], [4.0, 1.0, 3.5]])
    assert float(same) == pytest.approx(0.0, abs=1e-6)


def test_a_high_temperature_compares_the_logits_themselves() -> None:
    logits = np.array([[0.0, 1.0, 3.0], [2.0, 2.0, -1.0]])
    apart = logits - OLD.logits.numpy()
    centred = apart - apart.mean(axis=1, keepdims=True)
    assert float(added(logits.tolist(), temperature=300.0)) == pytest.approx((centred**2).sum() / 12, rel=0.02)


def test_labels_that_the_old_network_did_not_know_are_free() -> None:
    first, second = added([[0.0, 1.0, 3.0, 9.0]] * 2), added([[0.0, 1.0, 3.0, -9.0]] * 2)
    assert float(first) == float(second) > 0.1


def test_the_old_network_keeps_no_gradients() -> None:
    old = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))
    logits = torch.randn(2, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    Distillation(old, 1.0)(old, torch.ones(2, 1, 8, 8), logits).backward()
    assert all(weights.grad is None for weights in old.parameters())
    assert logits.grad is not None
