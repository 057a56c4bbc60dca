"""What the evaluations of all experts have in common: whom they judge, and figures of held-back patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from federated.statistics import Array
from site_agent.asked_experts import asked
from site_agent.evaluation import FEWEST, Interval, draws_of

if TYPE_CHECKING:
    from site_agent.panel import Expert

FUSED = "all, fused"
Judged = TypeVar("Judged")


def each_and_all(
    experts: Mapping[str, Expert], names: Sequence[str], judge: Callable[[Sequence[str]], Judged]
) -> dict[str, Judged]:
    """What is judged of each expert alone where there are several, and last of all that answer together.

    Args:
        experts: that are here.
        names: of those that are asked; where none is named all sites' answer, and the average of rounds alone.
        judge: names of experts -> what becomes of their answers.

    Raises:
        ConsiliumError: there is no expert of a name.
    """
    alone = list(asked(experts, names) if names else experts)
    found = {name: judge((name,)) for name in alone if len(alone) > 1}
    found[FUSED if found else alone[0]] = judge(names)
    return found


def interval(values: Sequence[float] | Array, patients: Sequence[str]) -> Interval:
    """The mean of numbers, without those that are none, and its 95 % interval over draws of patients."""
    numbers = np.asarray(values, dtype=np.float64)
    there = ~np.isnan(numbers)
    if not there.any():
        return Interval(value=None, low=None, high=None)
    mean = float(numbers[there].mean())
    whose = [patient for patient, is_there in zip(patients, there, strict=True) if is_there]
    if len(set(whose)) < FEWEST:
        return Interval(value=mean, low=None, high=None)
    draws = draws_of(whose)
    total = draws.sum(axis=1)
    means = np.divide(draws @ numbers[there], total, out=np.full(len(draws), np.nan), where=total > 0)
    low, high = np.nanquantile(means, [0.025, 0.975])
    return Interval(value=mean, low=float(low), high=float(high))


def shown(figure: Interval, digits: int) -> str:
    """A figure with its interval, where there is one."""
    if figure.value is None:
        return "–"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.{digits}f}"
    return f"{figure.value:.{digits}f} [{figure.low:.{digits}f}, {figure.high:.{digits}f}]"
