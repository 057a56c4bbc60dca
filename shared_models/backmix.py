"""BackMix as it learns: which items have a mask, whose background they are given, and what each counts in the loss.

Only a share f of the training items need have a mask: every int(1/f)-th in the order of their names. These are mixed
every time they are seen, with a background drawn from one of them; all others are learnt from as they are. wBackMix
counts a mixed item 1 + lambda (1 - f) times and another 1 - lambda f times, one on average.

Any other background of `backgrounds` can take the place of BackMix's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared_models.backgrounds import Donors, background

if TYPE_CHECKING:
    from torch import Generator, Tensor

Rows = NDArray[np.int64]
Masks = NDArray[np.bool_]


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


class Mixing:
    """Backgrounds changed in batches of a training set.

    Attributes:
        strength: lambda; 0 where all items count alike.
        masked: (n,) which items have a mask, the others being learnt from as they are.
        share: f, of them.
    """

    def __init__(self, name: str, strength: float, sectors: Masks | None) -> None:
        """For a training set.

        Args:
            name: of the background.
            strength: lambda, 0 or more.
            sectors: (n, S, S) whether a pixel lies in the sector, nowhere of an item without a mask.

        Raises:
            ValueError: no such background, nobody has a mask, or the strength is negative or too much for the share.
        """
        self._change, self.strength = background(name), strength
        if sectors is None or not sectors.any():
            raise ValueError("the sector of no image is known, so that no background can be changed")
        if strength < 0:
            raise ValueError(f"a strength of {strength:g} is negative")
        self._sectors: Masks = sectors
        self.masked: Masks = np.asarray(sectors.any(axis=(1, 2)))
        self.share = float(self.masked.mean())
        if strength:
            self.weights(np.arange(1))

    def masks(self, rows: Rows) -> Tensor:
        """(b, 1, S, S) masks of items by number, 1 inside."""
        import torch

        return torch.from_numpy(self._sectors[rows]).unsqueeze(1).float()

    def mixed(
        self, rows: Rows, images: Tensor, masks: Tensor, donated: Callable[[Rows], Tensor], random: Generator
    ) -> Tensor:
        """(b, 1, S, S) augmented images, the backgrounds of those that have a mask changed.

        Args:
            rows: their numbers.
            images: in [0, 1].
            masks: turned as the images are.
            donated: items by number, not augmented.
            random: draws donors and whatever else is drawn.
        """
        places = np.flatnonzero(self.masked[rows])
        if not places.size:
            return images
        given = donors(self.masked, len(places), random)
        found = images.clone()
        found[places] = self._change(
            images[places], masks[places], Donors(donated(given), self.masks(given).to(images.device)), random
        )
        return found

    def weights(self, rows: Rows) -> Tensor:
        """(b,) what items by number count.

        Raises:
            ValueError: see `loss_weights`.
        """
        import torch

        if self.share == 1:
            return torch.ones(len(rows))
        return loss_weights(torch.from_numpy(self.masked[rows]), self.strength, self.share)
