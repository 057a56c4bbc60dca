"""How much each weight matters to what a network says: the diagonal of the Fisher information.

F = E_x E_{c ~ p(c|x)} (d log p(c|x) / d theta)^2, the inner mean by one label an image, drawn from what the network
itself says (Kirkpatrick et al., PNAS 2017; with the true label it would fade where the network fits them).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

IMAGES = 256  # that are enough for a mean


def fisher_diagonal(
    network: torch.nn.Module, shown: torch.Tensor, columns: Sequence[int], generator: torch.Generator
) -> dict[str, torch.Tensor]:
    """F by the names of the parameters that learn.

    Args:
        network: in evaluation mode, so that an image is answered alone.
        shown: (n, 1, S, S) pictures as the network sees them, of which the first `IMAGES` are used.
        columns: of the logits, over which p adds up to one.
        generator: draws the labels, on the CPU.
    """
    import torch

    learnt = {name: weights for name, weights in network.named_parameters() if weights.requires_grad}
    sums = {name: torch.zeros_like(weights) for name, weights in learnt.items()}
    chosen = shown[:IMAGES]
    for picture in chosen:
        said = network(picture[None])[0, list(columns)].log_softmax(0)
        drawn = int(torch.multinomial(said.detach().exp().cpu(), 1, generator=generator))
        slopes = torch.autograd.grad(said[drawn], list(learnt.values()))
        for name, slope in zip(learnt, slopes, strict=True):
            sums[name] += slope.square()
    return {name: total / len(chosen) for name, total in sums.items()}
