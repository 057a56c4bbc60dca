from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from shared_models.recipe import Optimiser
from shared_models.training_state import MOMENTUM, TrainingState, laid_as, new_optimiser
from tests.shared_models.training_toys import RECIPE, Toy, same


def stepped(state: TrainingState) -> TrainingState:
    """After one step of its optimiser and its average."""
    for number, parameter in enumerate(state.network.parameters()):
        parameter.grad = torch.full_like(parameter, 0.1 * number)
    state.optimiser.step()
    if state.average:
        state.average.update(state.network, 1)
    return state


@pytest.mark.parametrize("optimiser", ["adam", "adamw", "sgd"])
def test_its_tensors_are_all_of_it(optimiser: Optimiser) -> None:
    recipe = replace(RECIPE, optimiser=optimiser)
    state, again = stepped(TrainingState(Toy().network, recipe)), TrainingState(Toy(seed=1).network, recipe)
    state.keep()
    again.load(state.tensors())
    assert same(again.tensors(), state.tensors())
    assert same(stepped(again).tensors(), stepped(state).tensors())
    assert {name.partition(".")[0] for name in state.tensors()} == {"network", "optimiser", "average", "best"}


@pytest.mark.parametrize(
    ("optimiser", "kind", "expected"),
    [
        ("adam", torch.optim.Adam, {"betas": (0.9, 0.999)}),
        ("adamw", torch.optim.AdamW, {"betas": (0.9, 0.999)}),
        ("sgd", torch.optim.SGD, {"momentum": MOMENTUM, "nesterov": False}),
    ],
)
def test_the_optimiser_is_the_one_asked_for(
    optimiser: Optimiser, kind: type[torch.optim.Optimizer], expected: dict[str, object]
) -> None:
    made = new_optimiser([torch.nn.Parameter(torch.zeros(1))], replace(RECIPE, optimiser=optimiser))
    assert type(made) is kind
    found = made.param_groups[0]
    assert expected | {"lr": 0.01, "weight_decay": 0.01} == {
        name: found[name] for name in [*expected, "lr", "weight_decay"]
    }


def test_only_what_is_learnt_is_given_to_the_optimiser() -> None:
    task = Toy()
    task.network[0].weight.requires_grad_(False)
    names = [
        name for name in stepped(TrainingState(task.network, RECIPE)).tensors() if name.startswith("optimiser.exp")
    ]
    assert "optimiser.exp_avg.0.bias" in names
    assert "optimiser.exp_avg.0.weight" not in names
    task.network.requires_grad_(False)
    with pytest.raises(ValueError, match="nothing to learn: all its weights are frozen"):
        TrainingState(task.network, RECIPE)


def test_what_is_asked_is_the_average_and_the_weights_stay() -> None:
    task = Toy()
    state = stepped(TrainingState(task.network, RECIPE))
    assert state.average
    before = {name: tensor.clone() for name, tensor in task.network.state_dict().items()}
    asked: dict[str, torch.Tensor] = {}

    def validate() -> dict[str, float]:
        assert not torch.is_grad_enabled()
        asked.update({name: tensor.clone() for name, tensor in task.network.state_dict().items()})
        return {"right": 1}

    assert state.validated(validate) == {"right": 1.0}
    assert same(asked, state.average.state)
    assert not same(asked, before)
    assert same(task.network.state_dict(), before)


@pytest.mark.parametrize("name", ["loss", "epoch"])
def test_names_of_the_loop_are_its_own(name: str) -> None:
    state = TrainingState(Toy().network, RECIPE)
    with pytest.raises(ValueError, match=f"must not call what it finds '{name}'"):
        state.validated(lambda: {name: 1.0})


def test_tensors_are_laid_as_the_network_has_them() -> None:
    pattern = torch.zeros(2, 3, 4, 5).to(memory_format=torch.channels_last)
    tensor = torch.rand(2, 3, 4, 5)
    laid = laid_as(pattern, tensor)
    assert torch.equal(laid, tensor)
    assert laid.stride() == pattern.stride()
    count = torch.tensor(3)
    copied = laid_as(pattern, count)
    assert torch.equal(copied, count)
    assert copied.data_ptr() != count.data_ptr()  # two states must not count on one counter
