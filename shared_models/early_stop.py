"""Which epoch's weights are kept, and when there is no use in going on."""

from __future__ import annotations

import math
from collections.abc import Sequence

from shared_models.recipe import EPOCH, LOSS, Recipe

Epoch = dict[str, float]  # its number from 1, its mean loss, and what the validation found


def best_epoch(history: Sequence[Epoch], recipe: Recipe) -> int:
    """The epoch, from 1, whose weights are kept: the first of the best by the metric; the last where none is a number.

    Args:
        history: of the epochs that are over, at least one.
        recipe: of its `metric`.

    Raises:
        ValueError: the validation finds something, but not that metric.
    """
    if not recipe.metric:
        return len(history)
    if recipe.metric not in history[-1] and history[-1].keys() - {EPOCH, LOSS}:
        raise ValueError(f"metric '{recipe.metric}' is not what the validation finds")
    sign = -1 if recipe.smallest else 1
    values = [sign * epoch.get(recipe.metric, math.nan) for epoch in history]
    known = [value for value in values if not math.isnan(value)]
    return values.index(max(known)) + 1 if known else len(history)


def is_over(history: Sequence[Epoch], recipe: Recipe) -> bool:
    """Whether all epochs are done, or the metric has not risen for `patience` of them."""
    if len(history) >= recipe.epochs:
        return True
    if not history or recipe.patience is None:
        return False
    return len(history) - best_epoch(history, recipe) >= recipe.patience
