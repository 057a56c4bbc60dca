"""Weights that are held back near where they were: what elastic weight consolidation and FedProx add to the loss.

strength / 2 times the sum over anchors and weights of F (theta - theta*)^2. In elastic weight consolidation
(Kirkpatrick et al., PNAS 2017) every earlier site leaves an anchor theta* with the diagonal of its Fisher information F
(`fisher.fisher_diagonal`); in FedProx (Li et al., MLSys 2020) the round's start is the only one, with F = 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

CONSOLIDATIONS = (10.0, 100.0, 1000.0)  # strengths of elastic weight consolidation to choose from
PROXIMITIES = (0.001, 0.01, 0.1)  # those of FedProx; the 1 of its paper leaves Adam nowhere to go


@dataclass(frozen=True)
class Anchor:
    """Where weights were.

    Attributes:
        weights: theta*, by the names of the network's parameters.
        importance: F by the same names; None where every weight is worth 1.
    """

    weights: Mapping[str, torch.Tensor]
    importance: Mapping[str, torch.Tensor] | None = None


@dataclass(frozen=True)
class Anchoring:
    """What is added to the loss; of weights that have grown since, the rows that an anchor knows are held."""

    anchors: tuple[Anchor, ...]
    strength: float

    def __call__(self, network: torch.nn.Module, shown: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        """The sum above; pictures and logits are not read, the device is that of the logits."""
        total = logits.new_zeros(())
        for name, weights in network.named_parameters():
            for anchor in self.anchors:
                if name in anchor.weights:
                    total = total + _pull(weights, anchor, name)
        return self.strength / 2 * total


def anchor_of(network: torch.nn.Module, importance: Mapping[str, torch.Tensor] | None = None) -> Anchor:
    """The network's weights as they are now."""
    return Anchor({name: weights.detach().clone() for name, weights in network.named_parameters()}, importance)


def _pull(weights: torch.Tensor, anchor: Anchor, name: str) -> torch.Tensor:
    there = anchor.weights[name].to(weights.device)
    squares = (weights[: len(there)] - there).square()
    if anchor.importance is not None:
        squares = squares * anchor.importance[name].to(weights.device)
    return squares.sum()
