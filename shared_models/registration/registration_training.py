"""How networks of registration learn from pairs of images without labels, by `registration_loss`.

Label maps, where there are any, are what a validation measures Dice by; nothing is learnt from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shared_models.registration.fields import folded_fraction, to_voxels, warp_labels
from shared_models.registration.network import Estimate, RegistrationNetwork
from shared_models.registration.pair_changes import PairChanges, changed
from shared_models.registration.registration_loss import RegistrationLoss
from shared_models.segmentation_metrics import dice_of
from shared_models.training import Rows

if TYPE_CHECKING:
    from shared_models.continual import Penalty

SIMILARITY, DICE, FOLDED = "similarity", "Dice", "folded, %"
BACKGROUND = 0
PERCENT = 100


@dataclass(frozen=True)
class ImagePairs:
    """Pairs out of some images, so that an image of many pairs is held once.

    Attributes:
        images: (n, *N) float32, two or three axes.
        pairs: (p, 2) numbers of the moving and of the fixed image; the order counts.
        labels: (n, *N) whole numbers, 0 for the background; None where there are none.

    Raises:
        ValueError: pairs of images that are not there, labels of another shape, or values that are no numbers.
    """

    images: NDArray[np.float32]
    pairs: NDArray[np.int64]
    labels: NDArray[np.integer] | None = None

    def __post_init__(self) -> None:
        if self.pairs.ndim != 2 or self.pairs.shape[1] != 2:
            raise ValueError(f"pairs are (p, 2) numbers of images, not {self.pairs.shape}")
        if self.pairs.size and not 0 <= self.pairs.min() <= self.pairs.max() < len(self.images):
            named = f"{self.pairs.min()} to {self.pairs.max()}"
            raise ValueError(f"pairs name images {named}; there are {len(self.images)}, numbered from 0")
        if self.labels is not None and self.labels.shape != self.images.shape:
            raise ValueError(f"images are {self.images.shape}, their label maps {self.labels.shape}")
        if not np.isfinite(self.images).all():
            raise ValueError("the images have values that are no numbers")

    def shown(self, rows: Rows, device: torch.device) -> tuple[Tensor, Tensor]:
        """Moving and fixed images (b, 1, *N) of pairs by number."""
        moving, fixed = (torch.from_numpy(self.images[numbers])[:, None].to(device) for numbers in self.pairs[rows].T)
        return moving, fixed


def both_ways(pairs: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """(2p, 2): p pairs, then each of them turned round."""
    given = np.array(pairs, np.int64).reshape(-1, 2)
    return np.concatenate([given, given[:, ::-1]])


class RegistrationTask:
    """What `training.train` learns.

    Attributes:
        network: changed in place.
        examples: how many pairs there are.
        penalty: what is added to the loss; None for nothing.
    """

    def __init__(
        self,
        network: RegistrationNetwork,
        train: ImagePairs,
        validation: ImagePairs | None = None,
        *,
        loss: RegistrationLoss,
        changes: PairChanges | None = None,
        penalty: Penalty | None = None,
    ) -> None:
        """For a network of registration.

        Args:
            network: see above.
            train: what is learnt from.
            validation: what it is judged by; None for nothing.
            loss: L.
            changes: of the pairs that are learnt from; None shows them as they are.
            penalty: a `continual.Penalty`, as FedProx's; it is given the network, the images as it saw them, moving and
                fixed side by side, (b, 2, *N), and its fields.

        Raises:
            ValueError: images of other dimensions than the network's.
        """
        for held in (train, validation):
            if held is not None and held.images.ndim - 1 != network.dimensions:
                dimensions = held.images.ndim - 1
                raise ValueError(f"images of {dimensions} dimensions, and a network of {network.dimensions}")
        self.network, self.examples, self.penalty = network, len(train.pairs), penalty
        self._train, self._validation, self._loss, self._changes = train, validation, loss, changes

    def loss(self, rows: Rows, generator: torch.Generator, device: torch.device) -> Tensor:
        """L of pairs by number, and the penalty."""
        moving, fixed = self._train.shown(rows, device)
        if self._changes is not None:
            moving, fixed = changed(moving, fixed, self._changes, generator)
        found = self.network(moving, fixed)
        with torch.autocast(device.type, enabled=False):  # positions need all of float32
            whole = Estimate(found.field.float(), found.regularised.float())
            loss = self._loss(whole, moving, fixed, self.network.padding)
        if self.penalty is None:
            return loss
        return loss + self.penalty(self.network, torch.cat([moving, fixed], dim=1), found.field)

    def validate(self) -> Mapping[str, float]:
        """Means over pairs: sim, the voxels that fold, and where there are label maps the mean Dice of structures."""
        if self._validation is None:
            return {}
        device, was_training = next(self.network.parameters()).device, self.network.training
        self.network.eval()
        found: dict[str, list[float]] = {}
        try:
            with torch.no_grad():
                for row in range(len(self._validation.pairs)):
                    for name, value in self._judged(self._validation, row, device).items():
                        found.setdefault(name, []).append(value)
        finally:
            self.network.train(was_training)
        return {name: float(np.mean(values)) for name, values in found.items()}

    def _judged(self, held: ImagePairs, row: int, device: torch.device) -> dict[str, float]:
        moving, fixed = held.shown(np.array([row]), device)
        field = self.network(moving, fixed).field
        folded = PERCENT * float(folded_fraction(to_voxels(field)))
        found = {
            SIMILARITY: float(self._loss.unlikeness(field, moving, fixed, self.network.padding)),
            FOLDED: folded,
        }
        if held.labels is not None:
            before, wanted = (held.labels[number] for number in held.pairs[row])
            found |= _overlap(before, wanted, field)
        return found


def _overlap(moving: NDArray[np.integer], fixed: NDArray[np.integer], field: Tensor) -> dict[str, float]:
    """The mean Dice over structures that either map has; nothing where there is none."""
    structures = sorted({*np.unique(moving).tolist(), *np.unique(fixed).tolist()} - {BACKGROUND})
    if not structures:
        return {}
    maps = torch.from_numpy(moving.astype(np.int64))[None].to(field.device)
    seen = warp_labels(maps, field, [BACKGROUND, *structures])[0].cpu().numpy()
    return {DICE: float(np.mean([dice_of(seen == value, fixed == value) for value in structures]))}
