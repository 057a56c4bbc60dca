"""BackMix as it learns: which items have a mask, whose background they are given, and what each counts in the loss.

Only a share f of the training items need have a mask: every int(1/f)-th in the order of their names. These are mixed
every time they are seen, with a background drawn from one of them; all others are learnt from as they are. wBackMix
counts a mixed item 1 + lambda (1 - f) times and another 1 - lambda f times, one on average.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Generator, Tensor

Rows = NDArray[np.int64]


def masked_items(names: Sequence[str], share: float) -> NDArray[np.bool_]:
    """(n,) which items have a mask where a share in (0, 1] of them has.

    Raises:
        ValueError: the share is not in (0, 1].
    """
    if not 0 < share <= 1:
        raise ValueError(f"{share:g} is no share of items, over 0 and at most 1")
    chosen = np.zeros(len(names), dtype=np.bool_)
    chosen[np.argsort(np.array(names), kind="stable")[:: int(1 / share)]] = True
    return chosen


def donors(masked: NDArray[np.bool_], count: int, random: Generator) -> Rows:
    """(count,) numbers of items with a mask, each as likely, an item's own among them.

    Raises:
        ValueError: no item has a mask.
    """
    import torch

    choices = np.flatnonzero(masked)
    if not choices.size:
        raise ValueError("no item has a mask, so that there is no background to give")
    return choices[torch.randint(len(choices), (count,), generator=random).numpy()]


def loss_weights(mixed: Tensor, strength: float, share: float) -> Tensor:
    """(b,) what each of a batch counts; lambda is the strength, f the share of items that are mixed.

    Raises:
        ValueError: so strong that an item which is not mixed would count less than nothing.
    """
    if strength * share >= 1:
        raise ValueError(f"a strength of {strength:g} with a share of {share:g} is too much; less than {1 / share:g}")
    return mixed.float() * strength + 1 - strength * share
