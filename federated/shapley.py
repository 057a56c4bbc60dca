"""Exact Shapley values of sites, by fitting the rule again to every coalition of them.

For a game v over K sites, phi_k = sum over S without k of |S|! (K - |S| - 1)! / K! (v(S + k) - v(S)) (Shapley, 1953).
The values add up to v(all) - v(none); sites that are worth the same to every coalition get the same, and one that is
worth nothing to any gets nothing.

The game must be refitted. Contributions add up to the score, so that in the game v(S) = sum of contributions over S the
Shapley value of a site is its contribution: the displayed sum once more, and no word about what the site changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import factorial

import numpy as np
from numpy.typing import NDArray

from federated.errors import ContractError
from federated.refits import Columns, Refit, is_right, known
from federated.statistics import Array

MAX_SITES = 10


@dataclass(frozen=True)
class Shares:
    """What each site is worth.

    Attributes:
        values: (K, ...) Shapley values; over sites they add up to `everybody` - `nobody`.
        nobody, everybody: (...) the worth of no site and of all.
    """

    values: Array
    nobody: Array
    everybody: Array


def shapley(worth: Array) -> Array:
    """(K, ...) Shapley values of (2^K, ...) worths; bit k of a row's number says whether site k is in the coalition.

    Raises:
        ContractError: the number of rows is no power of two.
    """
    count = int(worth.shape[0]).bit_length() - 1
    if worth.shape[0] != 2**count:
        raise ContractError(f"{worth.shape[0]} coalitions are not all of any number of sites", where="shapley")
    flat = worth.reshape(worth.shape[0], -1)
    return np.asarray((_coefficients(count) @ flat).reshape(count, *worth.shape[1:]))


def shapley_of_scores(refit: Refit, columns: Columns) -> Shares:
    """Of the score of one label an image, usually the one that all sites together answer: (K, n).

    A label that nobody in a coalition knows scores 0.

    Args:
        refit: a rule before n images.
        columns: (n,) of the labels.
    """
    rows = np.arange(len(columns))
    return _shares(refit, lambda present: known(refit.scores(present))[rows, columns])


def shapley_of_accuracy(refit: Refit, right: NDArray[np.bool_]) -> Shares:
    """Of the share of n images that are answered rightly: (K,).

    Args:
        refit: a rule before n images.
        right: (n, C) which answers are right.
    """
    return _shares(refit, lambda present: np.asarray(is_right(right, refit.answers(present)).mean()))


def _shares(refit: Refit, worth: Callable[[tuple[str, ...]], Array]) -> Shares:
    worths = np.stack([worth(present) for present in coalitions(refit.sites)])
    return Shares(shapley(worths), worths[0], worths[-1])


def coalitions(sites: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """All 2^K of them, bit k of the number for site k.

    Raises:
        ContractError: there are more than ten sites.
    """
    if len(sites) > MAX_SITES:
        what = f"{len(sites)} sites have {2 ** len(sites)} coalitions; exact values are for {MAX_SITES} sites at most"
        raise ContractError(what, where="shapley")
    for number in range(2 ** len(sites)):
        yield tuple(name for bit, name in enumerate(sites) if number >> bit & 1)


def _coefficients(count: int) -> Array:
    """(K, 2^K): + |S|! (K - |S| - 1)! / K! at S + k, and - the same at S."""
    numbers = np.arange(2**count)
    inside = (numbers[None, :] >> np.arange(count)[:, None] & 1).astype(bool)
    sizes = inside.sum(axis=0)
    of_size = np.array([factorial(s) * factorial(count - s - 1) / factorial(count) for s in range(count)])
    joining = of_size[np.maximum(sizes - 1, 0)]
    staying = of_size[np.minimum(sizes, count - 1)]
    return np.asarray(np.where(inside, joining, -staying), dtype=np.float64)
