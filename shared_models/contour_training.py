"""How contours are learnt: points by their distance and by how sharp their heatmaps are, and a map of distances (d.2).

L = mean |p - p*| + JS(heatmap, Gaussian) + lambda_D mean |D - D*| + lambda_C mean D(p): the last, which is off by
default, asks that predicted points lie where the predicted distance is nought.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared_models.contour_network import POINTS, Heads, said
from shared_models.contour_targets import distance_map
from shared_models.dsnt import divergence, gaussians, to_coordinates
from shared_models.phantom.augmentation import uniform
from shared_models.scaling import resized
from shared_models.segmentation import normalised
from shared_models.training import Rows
from shared_models.view_augmentation import regraded

if TYPE_CHECKING:
    import torch

Images = NDArray[np.uint8]
Floats = NDArray[np.float64]
ANGLE, SHIFT = 0.0523598776, 5 / 128  # 3 degrees in radians; 5 of 256 pixels, as a share of half an edge
GREY, BENT = 0.2, 0.2  # of contrast and brightness; of the exponent
SIGMA = 1.0  # pixels
AT_ONCE = 32
ERROR = "points, pixels"


@dataclass(frozen=True)
class Contoured:
    """Images with contours.

    Attributes:
        images: (n, H, W) grey levels.
        points: (n, 7, 2) pixels, x then y.
    """

    images: Images
    points: Floats


@dataclass(frozen=True)
class Strengths:
    """lambda_D and lambda_C; with a distance of 0 the second head learns nothing."""

    distance: float = 1.0
    agreement: float = 0.0


class ContourTask:
    """What `training.train` learns."""

    def __init__(
        self,
        network: torch.nn.Module,
        side: int,
        train: Contoured,
        validation: Contoured | None = None,
        strengths: Strengths | None = None,
    ) -> None:
        """For a contour network of a side.

        Raises:
            ValueError: images and points do not go together, or a contour is none.
        """
        self.network, self.side, self.examples = network, side, len(train.images)
        self._train, self._strengths = at_side(train, side), strengths or Strengths()
        self._distance = np.stack([distance_map(points, (side, side)) for points in self._train.points])
        self._validation = None if validation is None else at_side(validation, side)

    def loss(self, rows: Rows, generator: torch.Generator, device: torch.device) -> torch.Tensor:
        """Of examples by number, augmented."""
        import torch

        images = torch.from_numpy(self._train.images[rows]).unsqueeze(1).float() / 255
        distance = torch.from_numpy(self._distance[rows]).unsqueeze(1)
        points = to_coordinates(torch.from_numpy(self._train.points[rows]).float(), self.side, self.side)
        shown, near, wanted = moved(images, distance, points, generator)
        heads = said(self.network, normalised(shown.to(device)))
        return loss_of(heads, wanted.to(device), near.to(device), self._strengths)

    def validate(self) -> Mapping[str, float]:
        """Mean distance of the points from the true ones, in pixels of the network."""
        if self._validation is None or not len(self._validation.images):
            return {}
        found = contours(self.network, self._validation.images).points
        return {ERROR: float(np.linalg.norm(found - self._validation.points, axis=2).mean())}


def loss_of(heads: Heads, points: torch.Tensor, distance: torch.Tensor, strengths: Strengths) -> torch.Tensor:
    """L, a scalar, for true points (n, 7, 2) in coordinates and distances (n, 1, S, S)."""
    from torch.nn import functional

    side = heads.heatmaps.shape[-1]
    sharp = divergence(heads.heatmaps, gaussians(points, side, side, SIGMA))
    total = (heads.points - points).norm(dim=2).mean() + sharp.mean()
    total = total + strengths.distance * (heads.distance - distance).abs().mean()
    if strengths.agreement:
        there = functional.grid_sample(heads.distance, heads.points.unsqueeze(2), align_corners=False)
        total = total + strengths.agreement * there.mean()
    return total


def moved(
    images: torch.Tensor, distance: torch.Tensor, points: torch.Tensor, random: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images, their maps and their points turned and shifted together; the images regraded."""
    import torch
    from torch.nn import functional

    angle = uniform(images, -ANGLE, ANGLE, random).flatten()
    shift = torch.stack([uniform(images, -SHIFT, SHIFT, random).flatten() for _ in range(2)], 1)
    turn = torch.stack([torch.stack([angle.cos(), -angle.sin()], 1), torch.stack([angle.sin(), angle.cos()], 1)], 1)
    matrix = torch.cat([turn, shift.unsqueeze(2)], dim=2)  # from where a pixel comes
    grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
    shown, near = (
        functional.grid_sample(part, grid, padding_mode="border", align_corners=False) for part in (images, distance)
    )
    bent = shown ** uniform(images, 1 - BENT, 1 + BENT, random)
    shown = regraded(bent, uniform(images, 1 - GREY, 1 + GREY, random), uniform(images, -GREY, GREY, random))
    return shown, near, (points - shift.unsqueeze(1)) @ turn


@dataclass(frozen=True)
class Found:
    """What a network says of n images.

    Attributes:
        points: (n, 7, 2) pixels.
        distance: (n, S, S) from 0 on the contour to 1.
    """

    points: Floats
    distance: NDArray[np.float32]


def contours(network: torch.nn.Module, images: Images) -> Found:
    """Of (n, S, S) images of the network's own side, in evaluation mode."""
    import torch

    device, was_training = next(network.parameters()).device, network.training
    network.eval()
    points, distances = [], []
    with torch.no_grad():
        for begin in range(0, len(images), AT_ONCE):
            shown = torch.from_numpy(images[begin : begin + AT_ONCE]).unsqueeze(1).float().to(device) / 255
            heads = said(network, normalised(shown))
            points.append(heads.points.double().cpu().numpy())
            distances.append(heads.distance[:, 0].cpu().numpy())
    network.train(was_training)
    side = images.shape[1]
    return Found(((np.concatenate(points) + 1) * side - 1) / 2, np.concatenate(distances))


def at_side(given: Contoured, side: int) -> Contoured:
    """Images brought to a side, and their points with them.

    Raises:
        ValueError: there are not seven points for each image.
    """
    if given.points.shape != (len(given.images), POINTS, 2):
        raise ValueError(f"{given.images.shape} images and {given.points.shape} points do not go together")
    height, width = given.images.shape[1:]
    points = (given.points + 0.5) * (side / np.array([width, height])) - 0.5
    return replace(given, images=np.stack([resized(image, side) for image in given.images]), points=points)
