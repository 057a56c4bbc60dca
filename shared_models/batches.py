"""Which examples a step sees, and the seeds of its randomness: a matter of the recipe's seed and the step alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared_models.recipe import LEAST, Recipe

Rows = NDArray[np.int64]

STREAM = 47  # of random numbers, apart from other uses of the same seeds
ORDER, STEP = 0, 1
WORD = 32  # bits


def batches(epoch: int, examples: int, recipe: Recipe) -> list[Rows]:
    """Rows of every step of an epoch, (b,) each, shuffled; one that is left over alone joins the step before.

    Args:
        epoch: its number, from 0.
        examples: how many there are; no row comes twice, and none is left out but by `samples_an_epoch`.
        recipe: of its seed, `batch` and `samples_an_epoch`.
    """
    order = np.random.default_rng([STREAM, ORDER, recipe.seed, epoch]).permutation(examples)
    order = order[: recipe.samples_an_epoch]
    return np.split(order, range(recipe.batch, len(order) - LEAST + 1, recipe.batch))


def seeds(seed: int, first: int, steps: int) -> list[tuple[int, int]]:
    """Two numbers below 2^63 for every step from the first: for what the task draws, for what the network draws.

    All steps of an epoch at once, since one at a time costs a small network a tenth of its step.
    """
    words = np.array([STREAM, STEP, *_words(seed), 0], np.uint32)
    found = []
    for number in range(first, first + steps):
        words[-1] = number
        drawn = np.random.SeedSequence(words).generate_state(2, np.uint64) >> np.uint64(1)
        found.append((int(drawn[0]), int(drawn[1])))
    return found


def _words(number: int) -> list[int]:
    """A number in words, the lowest first, as numpy takes it apart."""
    return [number >> shift & (2**WORD - 1) for shift in range(0, max(1, number.bit_length()), WORD)]
