"""How the learning rate moves over a training: up in a line, then level or down as half a cosine.

The line is that of Goyal et al. (2017), "Accurate, large minibatch SGD", section 2.2; the cosine that of Loshchilov and
Hutter (2017), "SGDR", equation 5, without restarts and ending at a hundredth of its height instead of at 0.
"""

from __future__ import annotations

import math
from typing import Literal

Schedule = Literal["constant", "cosine"]

FLOOR = 0.01  # share of the highest rate at which a cosine ends


def rate_at(step: int, steps: int, *, rate: float, schedule: Schedule, warm_up: float) -> float:
    """The learning rate of a step.

    Args:
        step: its number, from 0 to steps - 1.
        steps: of the whole training.
        rate: at its highest.
        schedule: what comes after the rise.
        warm_up: share of the steps in which the rate rises.
    """
    rising = round(warm_up * steps)
    if step < rising:
        return rate * (step + 1) / rising
    if schedule == "constant":
        return rate
    fallen = (step - rising) / max(1, steps - rising)
    return rate * (FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi * fallen)) / 2)
