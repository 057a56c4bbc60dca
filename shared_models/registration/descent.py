"""Adam on one loss until it no longer falls; what was best is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

WORTH = 1e-3  # of what the loss fell by so far: less is no progress


@dataclass(frozen=True)
class Effort:
    """How long is sought.

    Attributes:
        steps: at most.
        patience: steps without progress after which it ends.

    Raises:
        ValueError: fewer than one.
    """

    steps: int = 100
    patience: int = 20

    def __post_init__(self) -> None:
        for name in ("steps", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{getattr(self, name)} {name}: 1 or more")


def descend(
    parameters: Sequence[Tensor],
    loss: Callable[[], Tensor],
    rate: float,
    effort: Effort,
    told: Callable[[int, float], None] = lambda _step, _loss: None,
) -> float:
    """Brings parameters to where the loss was least, and says how much that is.

    Where they begin counts as well: the loss never ends above where it began.

    Args:
        parameters: changed in place.
        loss: of the parameters as they are, a scalar.
        rate: of Adam at the beginning; it falls as half a cosine over all steps there may be.
        effort: how long.
        told: the number of each step, from 1, and the loss before it.

    Raises:
        ValueError: the loss is no number.
    """
    optimiser = torch.optim.Adam(parameters, lr=rate)
    kept: list[Tensor] = []
    first = least = mark = math.inf
    waited = 0
    for step in range(effort.steps):
        with torch.enable_grad():
            value = loss()
        now = value.item()
        if not math.isfinite(now):
            raise ValueError(f"the descent went astray at step {step + 1}: the loss is {now}")
        told(step + 1, now)
        first = first if step else now
        if now < least:
            least, kept = now, [each.detach().clone() for each in parameters]
        mark, waited = (now, 0) if now < mark - WORTH * (first - least) else (mark, waited + 1)
        if waited == effort.patience:
            break
        optimiser.param_groups[0]["lr"] = rate * (1 + math.cos(math.pi * step / effort.steps)) / 2
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    with torch.no_grad():
        for each, best in zip(parameters, kept, strict=True):
            each.copy_(best)
    return least
