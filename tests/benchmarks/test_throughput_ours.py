"""What is timed is what it says: weights change by learning, and loading does not touch the network."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from benchmarks.throughput_ours import Ours, plain_network
from benchmarks.throughput_subjects import Subject
from tests.benchmarks.throughput_toys import NAMES, TOYS


def _weights(network: Any) -> torch.Tensor:
    return torch.cat([weights.detach().flatten() for weights in network.parameters()])


@pytest.mark.parametrize("subject", TOYS, ids=NAMES)
def test_learning_changes_weights_and_loading_and_asking_do_not(subject: Subject) -> None:
    ours, reached = Ours(subject), []
    before = _weights(ours.task.network)
    first = next(layer for layer in ours.task.network.modules() if isinstance(layer, torch.nn.Conv2d))
    hook = first.register_forward_hook(lambda *_: reached.append(1))
    ours.load()
    assert not reached
    hook.remove()
    ours.ask()
    ours.forward("bfloat16")
    assert torch.equal(_weights(ours.task.network), before)
    ours.learn()
    assert not torch.equal(_weights(ours.task.network), before)


@pytest.mark.parametrize("subject", TOYS, ids=NAMES)
def test_the_network_of_a_peer_is_the_same_with_other_norms_and_formats(subject: Subject) -> None:
    ours = {name: weights.shape for name, weights in Ours(subject).task.network.named_parameters()}
    assert {name: weights.shape for name, weights in plain_network(subject).named_parameters()} == ours


@pytest.mark.parametrize("subject", TOYS[2:], ids=NAMES[2:])
def test_a_step_leaves_slopes_in_both_precisions(subject: Subject) -> None:
    ours = Ours(subject)
    slopes = []
    for precision in ("float32", "bfloat16"):
        ours.task.network.zero_grad()
        ours.step(precision)
        grown = [weights.grad for weights in ours.task.network.parameters()]
        slopes.append(torch.cat([slope.flatten() for slope in grown if slope is not None]))
    alike = torch.nn.functional.cosine_similarity(slopes[0], slopes[1], dim=0)
    assert 0.95 < alike < 1 - 1e-7
