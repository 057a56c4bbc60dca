"""The network that learns says what the fusion that answers says, and has the paper's counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from federated.fusion.experts import Consulted
from federated.fusion.gated import GatedModel, GatedShape
from shared_models.consultation import Reads
from shared_models.gate_network import form_of, fused_scores, gate_network, gate_weights, seen

LABELS = (("a", "b", "c"), ("b", "d"), ("e",))
NAMES = ("amber", "beryl", "coral")
PAPER = tuple(tuple(f"{site}-{label}" for label in range(size)) for site, size in enumerate((8, 2, 11, 4)))


def _consulted(*, discrepancy: bool = False, asked: bool = True, images: int = 9) -> Consulted:
    rng = np.random.default_rng(3)
    flags = rng.random((images, 3)) < 0.5
    flags[:, 1] = True
    return Consulted(
        NAMES,
        LABELS,
        rng.standard_normal((images, 3, 4)).astype(np.float32),
        tuple(3 * rng.standard_normal((images, len(held))).astype(np.float32) for held in LABELS),
        rng.standard_normal((images, 3, 5)).astype(np.float32) if discrepancy else None,
        None if asked else flags,
    )


def _learnt(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("reads", "learnt"), [("none", 38_475), ("features", 170_719), ("discrepancy", 1_039_071)])
def test_the_papers_counts(reads: Reads, learnt: int) -> None:
    logits = tuple(np.zeros((1, len(held))) for held in PAPER)
    consulted = Consulted(("w", "c", "m", "s"), PAPER, np.zeros((1, 4, 512)), logits, np.zeros((1, 4, 3904)))
    assert _learnt(gate_network(form_of(consulted, reads), 0)) == learnt


@pytest.mark.parametrize("reads", ["none", "features", "discrepancy"])
@pytest.mark.parametrize("asked", [True, False])
def test_it_says_what_the_fusion_that_answers_says(reads: Reads, asked: bool) -> None:
    consulted = _consulted(discrepancy=reads == "discrepancy", asked=asked)
    form = form_of(consulted, reads)
    network = gate_network(form, 5)
    with torch.no_grad():
        batch = seen(consulted, reads, np.arange(9), torch.device("cpu"))
        scores, weights = fused_scores(network, form, batch).numpy(), gate_weights(network, batch).numpy()
    shape = GatedShape(NAMES, LABELS, reads, features=4, means=5 if reads == "discrepancy" else 0)
    state = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    pooled = GatedModel.from_tensors(shape, state).answer(consulted)
    assert scores == pytest.approx(pooled.scores, abs=1e-5)
    assert weights == pytest.approx(pooled.weights, abs=1e-6)


def test_own_heads_are_no_part_of_what_learns() -> None:
    consulted = _consulted()
    form = form_of(consulted, "features")
    state = gate_network(form, 0).state_dict()
    assert {name: tuple(tensor.shape) for name, tensor in state.items() if name.startswith("heads")} == {
        "heads.0.weight": (3, 4),
        "heads.0.bias": (3,),
        "heads.1.weight": (4, 4),
        "heads.1.bias": (4,),
        "heads.2.weight": (5, 4),
        "heads.2.bias": (5,),
    }


def test_first_weights_come_from_the_seed_alone() -> None:
    form = form_of(_consulted(), "features")
    before = torch.random.get_rng_state()
    one, other, third = (gate_network(form, seed).state_dict()["gate.0.weight"] for seed in (1, 1, 2))
    assert torch.equal(one, other)
    assert not torch.equal(one, third)
    assert torch.equal(before, torch.random.get_rng_state())
    assert float(one.abs().max()) <= 1 / np.sqrt(form.inputs)


def test_an_unasked_expert_moves_nothing() -> None:
    consulted = _consulted(asked=False)
    form = form_of(consulted, "features")
    network = gate_network(form, 0)
    rows = np.flatnonzero(~consulted.present[:, 0])
    assert rows.size
    batch = seen(consulted, "features", rows, torch.device("cpu"))
    fused_scores(network, form, batch).sum().backward()
    moved = {
        name: parameter.grad is not None and bool(parameter.grad.any())
        for name, parameter in network.named_parameters()
    }
    assert not moved["heads.0.weight"]
    assert moved["heads.1.weight"]


def test_discrepancies_that_are_not_there_are_asked_for_in_one_line() -> None:
    with pytest.raises(ValueError, match="neural mean discrepancies"):
        form_of(_consulted(), "discrepancy")
