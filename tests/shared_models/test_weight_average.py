from __future__ import annotations

import pytest
import torch

from shared_models.weight_average import WeightAverage, wearing
from tests.shared_models.training_toys import same


def network(weight: float) -> torch.nn.BatchNorm1d:
    made = torch.nn.BatchNorm1d(1)
    torch.nn.init.constant_(made.weight, weight)
    return made


def state(made: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in made.state_dict().items()}


def test_it_is_the_recursion_with_its_ramp() -> None:
    made = network(4.0)
    average = WeightAverage(made, 0.25)
    expected = 4.0
    for step, (weight, share) in enumerate([(2.0, 2 / 11), (8.0, 0.25), (-1.0, 0.25)], start=1):
        torch.nn.init.constant_(made.weight, weight)
        average.update(made, step)
        expected = share * expected + (1 - share) * weight
        assert float(average.state["weight"]) == pytest.approx(expected, rel=1e-6)


def test_running_means_are_averaged_and_counters_taken_as_they_are() -> None:
    made = network(1.0)
    average = WeightAverage(made, 0.5)
    made.running_mean = torch.tensor([3.0])
    made.num_batches_tracked = torch.tensor(7)
    average.update(made, 100)
    assert float(average.state["running_mean"]) == pytest.approx(1.5)
    assert int(average.state["num_batches_tracked"]) == 7


def test_what_does_not_move_does_not_drift() -> None:
    made = network(0.1)
    average = WeightAverage(made, 0.9)
    for step in range(1, 200):
        average.update(made, step)
    assert same(average.state, state(made))


def test_a_network_gets_its_own_state_back() -> None:
    made = network(0.1)
    before = state(made)
    with pytest.raises(AssertionError, match="it does wear it"), wearing(made, state(network(5.0))):
        assert float(made.state_dict()["weight"]) != 5.0, "it does wear it"
    assert same(state(made), before)
