"""How volumes are learnt from views: the coarse and the refined volume count alike (Xie et al., 2020, section 3.3).

L = 10 l(coarse, truth) + 10 l(refined, truth), l the cross-entropy or another of `reconstruction_losses`. The published
training is 250 epochs of Adam at 1e-3 in batches of 8, halved from epoch 150, the merger at 1e-4. The recipes here have
one rate for all weights and fall as a cosine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from shared_models.reconstruction.named_views import Planes, Present, arranged
from shared_models.reconstruction.reconstruction_losses import LOSSES
from shared_models.reconstruction.volume_metrics import overlap
from shared_models.training import Rows

if TYPE_CHECKING:
    import torch

    from shared_models.continual import Penalty
    from shared_models.reconstruction.view_network import ViewNetwork

Volumes = NDArray[np.float32]
WEIGHT = 10.0
AT_ONCE = 4


class Shown(Protocol):
    """Views of a heart."""

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the planes, in their order."""

    @property
    def planes(self) -> Planes:
        """(v, 224, 224) grey in [0, 1]."""


class Known(Shown, Protocol):
    """Views of a heart whose volume is known."""

    @property
    def target(self) -> NDArray[np.bool_]:
        """(E, E, E)."""


class ReconstructionTask:
    """What `training.train` learns.

    Attributes:
        network: changed in place.
        examples: how many hearts there are.
    """

    def __init__(
        self,
        network: ViewNetwork,
        train: Sequence[Known],
        validation: Sequence[Known] = (),
        loss: str = "cross-entropy",
        penalty: Penalty | None = None,
    ) -> None:
        """For a network of `pix2vox.pix2vox`.

        Args:
            network: see above.
            train: what is learnt from; hearts may lack views.
            validation: what it is judged by.
            loss: name of one of `LOSSES`.
            penalty: what is added to the loss (`continual.Penalty`, as FedProx's), given the network, the planes as it
                saw them and its refined volumes; None for nothing.

        Raises:
            ValueError: no such loss, planes or views that do not fit the network, or a volume of another size.
        """
        if loss not in LOSSES:
            raise ValueError(f"there is no loss '{loss}', there are {', '.join(LOSSES)}")
        for each in (*train, *validation):
            arranged(network.views, each.views, each.planes)
            if each.target.shape != (network.size,) * 3:
                raise ValueError(f"the network makes volumes of {network.size} a side, a target is {each.target.shape}")
        self.network, self.examples, self.penalty = network, len(train), penalty
        self._train, self._validation, self._measure = train, validation, LOSSES[loss]

    def loss(self, rows: Rows, _generator: torch.Generator, device: torch.device) -> torch.Tensor:
        """L of hearts by number, and the penalty."""
        import torch

        chosen = [self._train[row] for row in rows]
        planes, present = (torch.from_numpy(part).to(device) for part in _shown(self.network, chosen))
        truth = torch.from_numpy(np.stack([each.target for each in chosen])).to(device).float()
        found = self.network(planes, present)
        with torch.autocast(device.type, enabled=False):  # a logarithm needs all of float32
            parts = [self._measure(volumes.float(), truth) for volumes in (found.coarse, found.refined)]
        loss = WEIGHT * (parts[0] + parts[1])
        return loss if self.penalty is None else loss + self.penalty(self.network, planes, found.refined)

    def validate(self) -> Mapping[str, float]:
        """Mean overlap of the refined volumes at 0.5, and at the threshold where it is largest."""
        if not self._validation:
            return {}
        truths = np.stack([known.target for known in self._validation])
        return overlap(reconstructed(self.network, self._validation), truths)


def reconstructed(network: ViewNetwork, hearts: Sequence[Shown]) -> Volumes:
    """(n, E, E, E) refined probabilities of hearts that may lack views, in evaluation mode.

    Raises:
        ValueError: planes or views that do not fit the network.
    """
    import torch

    device, was_training = next(network.parameters()).device, network.training
    network.eval()
    found = []
    try:
        with torch.no_grad():
            for begin in range(0, len(hearts), AT_ONCE):
                shown = _shown(network, hearts[begin : begin + AT_ONCE])
                planes, present = (torch.from_numpy(part).to(device) for part in shown)
                found.append(network(planes, present).refined.float().cpu().numpy())
    finally:
        network.train(was_training)
    return np.concatenate(found) if found else np.zeros((0, *(network.size,) * 3), np.float32)


def _shown(network: ViewNetwork, hearts: Sequence[Shown]) -> tuple[Planes, Present]:
    each = [arranged(network.views, heart.views, heart.planes) for heart in hearts]
    return np.stack([planes for planes, _ in each]), np.stack([present for _, present in each])
