"""Whether a block of statistics has a spectrum that images could have, by itself and beside the other sites'.

Three numbers say it, all of the weighted second moment R = G / n of the features and of their mean m, both in the sums:

- the mean squared feature norm, tr R;
- the share of the largest eigenvalue, l_1(R) / tr R; what it leaves over is what images differ by;
- the concentration of the covariance S = R - m m^T, one over its effective rank: ||S||_F^2 / (tr S)^2 - 1/(N - 1).

Front ends whose vectors have a fixed length make the first the same for anything. Images of noise look alike to a front
end, so that they leave too little over; numbers of pure noise point everywhere alike, so that nothing is concentrated.
The correction by 1/(N - 1) takes away what N draws of any distribution have in common, so that small sites compare.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from federated.errors import ContractError
from federated.statistics import Array, Statistics

MAX_MEAN_SQUARE = 1e4  # of one feature
MAX_SHARE = 1 - 1e-6  # one image, again and again, has all in one direction
MAX_RATIO = 10.0  # between a site and the median of the other sites, in each of the three
MIN_IMAGES = 20  # fewer may be alike, or all different, by chance


@dataclass(frozen=True)
class Spectrum:
    """The three numbers of one block; the last two are None of fewer than `MIN_IMAGES` images."""

    mean_square: float
    share: float | None
    concentration: float | None


def spectrum(block: Statistics, images: int) -> Spectrum:
    """The spectrum of a block with a Gram matrix over so many images.

    Raises:
        ContractError: it is that of one image, repeated.
    """
    assert block.gram is not None
    moment = block.gram / block.weights.sum()
    trace, share = float(np.trace(moment)), largest_share(moment)
    if images > 1 and share > MAX_SHARE:
        raise ContractError(f"the same image {images} times is not plausible", where="gram")
    if images < MIN_IMAGES:
        return Spectrum(trace, None, None)
    scatter = moment - np.outer(moment[-1], moment[-1])  # the last feature is the constant 1
    concentration = float((scatter**2).sum() / np.trace(scatter) ** 2) - 1 / (images - 1)
    return Spectrum(trace, share, max(concentration, 1 / block.features))


def largest_share(moment: Array) -> float:
    """The largest eigenvalue of a second moment over the sum of all, 0 < share <= 1."""
    return float(np.linalg.eigvalsh(moment)[-1] / np.trace(moment))


def mean_square(block: Statistics) -> float:
    """Weighted mean of the squared feature norm, from the Gram matrix or, as a lower bound, from the class sums."""
    if block.gram is not None:
        return float(np.trace(block.gram) / block.weights.sum())
    held = block.weights > 0
    return float((block.class_sums[:, held] ** 2 / block.weights[held]).sum() / block.weights.sum())


def check_spectrum(block: Statistics, fold: str, images: int | None, others: Collection[Spectrum]) -> None:
    """Whether images could have this spectrum.

    Args:
        block: the statistics of a fold.
        fold: its name.
        images: how many images it sums over, None where nothing says so; then the first number alone is compared.
        others: of the other sites.

    Raises:
        ContractError: they could not, or it is too far from that of the other sites.
    """
    found = mean_square(block)
    if found > MAX_MEAN_SQUARE * block.features:
        raise ContractError(f"a mean squared feature norm of {found:.3g} is not plausible", where=fold)
    if block.gram is None:
        return
    own = Spectrum(found, None, None) if images is None else spectrum(block, images)
    for what, number in COMPARED.items():
        _compare(number(own), [number(each) for each in others], f"{fold}: {what}")


def _compare(found: float | None, others: Collection[float | None], what: str) -> None:
    known = [each for each in others if each is not None]
    if found is None or not known:
        return
    usual = float(np.median(known))
    if not usual / MAX_RATIO <= found <= usual * MAX_RATIO:
        raise ContractError(
            f"{what} of {found:.3g} is not plausible, other sites have {usual:.3g}",
            cure="check the site's images and front end",
        )


COMPARED: dict[str, Callable[[Spectrum], float | None]] = {
    "a mean squared feature norm": lambda each: each.mean_square,
    "a share of all but the largest eigenvalue": lambda each: None if each.share is None else 1 - each.share,
    "a concentration of the covariance": lambda each: each.concentration,
}
