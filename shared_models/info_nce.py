"""Symmetric InfoNCE: of two views of each item, each is to know the other among those of all items (muscle views, c.2).

Negatives are the other items' opposite views only, as the authors have it: not the 2N - 2 of NT-Xent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

TEMPERATURE = 0.1


def info_nce(first: Tensor, second: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """The mean over both directions and all n items, a scalar.

    Args:
        first: (n, d) of one view of each item, of any length.
        second: (n, d) of the other.
        temperature: over which cosines are taken.

    Raises:
        ValueError: fewer than two items, of which none could be told from another.
    """
    import torch
    from torch.nn import functional

    if len(first) < 2:
        raise ValueError("one item alone cannot be told from others")
    cosines = functional.normalize(first) @ functional.normalize(second).T / temperature
    own = torch.arange(len(first), device=first.device)
    return (functional.cross_entropy(cosines, own) + functional.cross_entropy(cosines.T, own)) / 2
