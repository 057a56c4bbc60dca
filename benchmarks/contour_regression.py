"""The plainest rival: a ResNet-18 that gives the fourteen coordinates of a contour's seven points, without a map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared_models.contour_network import POINTS
from shared_models.contour_training import Changes, Contoured, at_side, moved
from shared_models.dsnt import to_coordinates
from shared_models.segmentation import normalised
from shared_models.small_resnet import small_resnet18
from shared_models.training import Rows

if TYPE_CHECKING:
    import torch

AT_ONCE = 32


class RegressionTask:
    """What `training.train` learns.

    Attributes:
        network: of images to (n, 14) coordinates.
        examples: n.
    """

    def __init__(self, network: torch.nn.Module, side: int, train: Contoured) -> None:
        """Images are brought to a side."""
        self.network, self.side, self.examples = network, side, len(train.images)
        self._train = at_side(train, side)

    def loss(self, rows: Rows, generator: torch.Generator, device: torch.device) -> torch.Tensor:
        """Mean distance of the points of examples by number, changed as for the contour network."""
        import torch

        images = torch.from_numpy(self._train.images[rows]).unsqueeze(1).float() / 255
        points = to_coordinates(torch.from_numpy(self._train.points[rows]).float(), self.side, self.side)
        shown, _, wanted = moved(images, images, points, Changes(), generator)
        found = self.network(normalised(shown.to(device))).unflatten(1, (POINTS, 2))
        distance: torch.Tensor = (found - wanted.to(device)).norm(dim=2).mean()
        return distance

    def validate(self) -> Mapping[str, float]:
        """Nothing: the last weights are kept."""
        return {}


def regression_network(width: int) -> torch.nn.Module:
    """A ResNet-18 for small images."""
    network: torch.nn.Module = small_resnet18(2 * POINTS, width=width, dropout=0.0)
    return network


def regressed(network: torch.nn.Module, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(n, 7, 2) pixels of (n, S, S) images."""
    import torch

    network.eval()
    found = []
    with torch.no_grad():
        for begin in range(0, len(images), AT_ONCE):
            shown = torch.from_numpy(images[begin : begin + AT_ONCE]).unsqueeze(1).float() / 255
            found.append(network(normalised(shown)).double().numpy())
    points = np.concatenate(found).reshape(-1, POINTS, 2)
    return np.asarray(((points + 1) * images.shape[1] - 1) / 2)
