"""A rival: planes drawn into an empty volume, which a 3D U-Net completes (MONAI's U-Net, Cicek et al., MICCAI 2016).

It takes any number of views, in any place, but must be told where each lies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared_models.reconstruction.volume_metrics import overlap
from shared_models.training import Rows

if TYPE_CHECKING:
    import torch

Volumes = NDArray[np.float32]
SLOPE = 0.01
CHANNELS = 2  # mean grey, and whether any plane shows a voxel


@dataclass(frozen=True)
class Drawn:
    """A heart.

    Attributes:
        volume: (2, E, E, E) its planes, as `plane_places.drawn` draws them.
        target: (E, E, E) what is to be found.
    """

    volume: Volumes
    target: NDArray[np.bool_]


def completion_unet(size: int, width: int = 16, levels: int = 4) -> torch.nn.Module:
    """(n, 2, E, E, E) to (n, 1, E, E, E) logits; widths double from `width` over `levels` resolutions.

    Raises:
        ValueError: a size that is no multiple of 2^(levels - 1).
    """
    from monai.networks.nets import UNet

    from shared_models.channels_last import channels_last

    stride = 2 ** (levels - 1)
    if size < stride or size % stride:
        raise ValueError(f"volumes of {size} a side do not fit {levels} levels: take a multiple of {stride}")
    network = UNet(
        spatial_dims=3,
        in_channels=CHANNELS,
        out_channels=1,
        channels=[width * 2**level for level in range(levels)],
        strides=[2] * (levels - 1),
        num_res_units=0,
        act=("leakyrelu", {"negative_slope": SLOPE, "inplace": True}),
        norm="instance",
    )
    return channels_last(network)


class CompletionTask:
    """What `training.train` learns.

    Attributes:
        network: changed in place.
        examples: how many hearts there are.
    """

    def __init__(self, network: torch.nn.Module, train: Sequence[Drawn], validation: Sequence[Drawn] = ()) -> None:
        """For a network of `completion_unet`.

        Args:
            network: see above.
            train: what is learnt from; asked for one by one, so that it may be drawn when it is wanted.
            validation: what it is judged by.
        """
        self.network, self.examples = network, len(train)
        self._train, self._validation = train, validation

    def loss(self, rows: Rows, _generator: torch.Generator, device: torch.device) -> torch.Tensor:
        """Soft Dice plus cross-entropy of hearts by number, as the project's U-Net for images learns."""
        import torch
        from monai.losses import DiceCELoss

        chosen = [self._train[row] for row in rows]
        volumes = torch.from_numpy(np.stack([each.volume for each in chosen])).to(device)
        truth = torch.from_numpy(np.stack([each.target for each in chosen])).to(device).unsqueeze(1).float()
        loss: torch.Tensor = DiceCELoss(sigmoid=True)(self.network(volumes).float(), truth)
        return loss

    def validate(self) -> Mapping[str, float]:
        """Mean overlap at 0.5, and at the threshold where it is largest."""
        if not self._validation:
            return {}
        found = completed(self.network, [known.volume for known in self._validation])
        return overlap(found, np.stack([known.target for known in self._validation]))


def completed(network: torch.nn.Module, volumes: Sequence[Volumes]) -> Volumes:
    """(n, E, E, E) probabilities of drawn volumes (2, E, E, E), one at a time, in evaluation mode."""
    import torch

    device, was_training = next(network.parameters()).device, network.training
    network.eval()
    try:
        with torch.no_grad():
            found = [network(torch.from_numpy(each)[None].to(device))[0, 0].sigmoid() for each in volumes]
    finally:
        network.train(was_training)
    return np.stack([each.float().cpu().numpy() for each in found])
