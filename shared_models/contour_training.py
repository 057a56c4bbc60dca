"""How contours are learnt: points by their distance and by how sharp their heatmaps are, and a map of distances (d.2).

L = mean |p - p*| + lambda_S S(heatmap, Gaussian) + lambda_D mean |D - D*| + lambda_C mean D(p): the last, which is
off by default, asks that predicted points lie where the predicted distance is nought. S is the Jensen-Shannon
divergence, as reconstructed, or, ours and the default, cross-entropy: it costs less and still pulls where a heatmap is
all wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from shared_models.contour_network import POINTS, Heads, said, shrunk_of
from shared_models.contour_targets import distance_map
from shared_models.dsnt import cross_entropy, divergence, gaussians, to_coordinates
from shared_models.phantom.augmentation import uniform
from shared_models.scaling import resized
from shared_models.segmentation import normalised
from shared_models.training import Rows
from shared_models.unet import bottom_of
from shared_models.view_augmentation import regraded

if TYPE_CHECKING:
    import torch

    from shared_models.continual import Penalty

Images = NDArray[np.uint8]
Floats = NDArray[np.float64]
SIGMA = 1.0  # pixels of the heatmaps
SHARPNESS = 0.2
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
    """Of the parts of the loss.

    Attributes:
        distance: lambda_D; with 0 the second head learns nothing.
        agreement: lambda_C.
        sharpness: lambda_S.
        sharp: which S.
    """

    distance: float = 1.0
    agreement: float = 0.0
    sharpness: float = SHARPNESS
    sharp: Literal["cross-entropy", "divergence"] = "cross-entropy"


@dataclass(frozen=True)
class Changes:
    """How far an image is changed, at most, before it is learnt from.

    Attributes:
        angle: radians that it is turned.
        shift: in coordinates, shares of half an edge.
        zoom: logarithm of how much larger or smaller each edge is.
        grey: contrast and brightness, and the logarithm of the exponent.
    """

    angle: float = 0.157
    shift: float = 15 / 128
    zoom: float = 0.1
    grey: float = 0.2


RECONSTRUCTED = Changes(angle=0.0523598776, shift=5 / 128, zoom=0.0)  # 3 degrees, 5 of 256 pixels
PUBLISHED = Strengths(sharpness=1.0, sharp="divergence")


class ContourTask:
    """What `training.train` learns."""

    def __init__(
        self,
        network: torch.nn.Module,
        side: int,
        train: Contoured,
        validation: Contoured | None = None,
        strengths: Strengths | None = None,
        changes: Changes | None = None,
        penalty: Penalty | None = None,
    ) -> None:
        """For a contour network of a side.

        Args:
            network: changed in place.
            side: of its images.
            train: what is learnt from.
            validation: what it is judged by; None for nothing.
            strengths: of the parts of the loss.
            changes: at random, of the images.
            penalty: what is added to the loss (`continual.Penalty`, as FedProx's), given the network, the images as it
                saw them and its points; None for nothing.

        Raises:
            ValueError: images and points do not go together, or a contour is none.
        """
        self.network, self.side, self.examples, self.penalty = network, side, len(train.images), penalty
        self._train, self._strengths, self._changes = (
            at_side(train, side),
            strengths or Strengths(),
            changes or Changes(),
        )
        shrunk = shrunk_of(network)
        shape = (side // shrunk, side // shrunk)
        self._distance = np.stack([distance_map((points + 0.5) / shrunk - 0.5, shape) for points in self._train.points])
        self._validation = None if validation is None else at_side(validation, side)

    def loss(self, rows: Rows, generator: torch.Generator, device: torch.device) -> torch.Tensor:
        """Of examples by number, augmented."""
        import torch

        images = torch.from_numpy(self._train.images[rows]).to(device).unsqueeze(1).float() / 255
        distance = torch.from_numpy(self._distance[rows]).to(device).unsqueeze(1)
        places = torch.from_numpy(self._train.points[rows]).float().to(device)
        points = to_coordinates(places, self.side, self.side)
        shown, near, wanted = moved(images, distance, points, self._changes, generator)
        seen = normalised(shown)
        heads = said(self.network, seen)
        loss = loss_of(heads, wanted, near, self._strengths)
        return loss if self.penalty is None else loss + self.penalty(self.network, seen, heads.points)

    def validate(self) -> Mapping[str, float]:
        """Mean distance of the points from the true ones, in pixels of the network."""
        if self._validation is None or not len(self._validation.images):
            return {}
        found = contours(self.network, self._validation.images).points
        return {ERROR: float(np.linalg.norm(found - self._validation.points, axis=2).mean())}


def loss_of(heads: Heads, points: torch.Tensor, distance: torch.Tensor, strengths: Strengths) -> torch.Tensor:
    """L, a scalar, for true points (n, 7, 2) in coordinates and distances (n, 1, s, s)."""
    from torch.nn import functional

    side = heads.heatmaps.shape[-1]
    measure = divergence if strengths.sharp == "divergence" else cross_entropy
    sharp = measure(heads.heatmaps, gaussians(points, side, side, SIGMA)).mean()
    total = (heads.points - points).norm(dim=2).mean() + strengths.sharpness * sharp
    if strengths.distance:
        total = total + strengths.distance * (heads.distance - distance).abs().mean()
    if strengths.agreement:
        there = functional.grid_sample(heads.distance, heads.points.unsqueeze(2), align_corners=False)
        total = total + strengths.agreement * there.mean()
    return total


def moved(
    images: torch.Tensor, distance: torch.Tensor, points: torch.Tensor, changes: Changes, random: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images, their maps and their points turned, stretched and shifted together; the images regraded."""
    import torch
    from torch.nn import functional

    def drawn(most: float) -> torch.Tensor:
        return uniform(images, -most, most, random)

    angle, across, down, right, below = (
        drawn(most).flatten() for most in (changes.angle, changes.zoom, changes.zoom, changes.shift, changes.shift)
    )
    cos, sin = angle.cos(), angle.sin()
    turn = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
    turn = turn * torch.stack([across, down], 1).exp().unsqueeze(1)
    shift = torch.stack([right, below], 1).unsqueeze(2)
    matrix = torch.cat([turn, shift], dim=2)  # from where a pixel comes
    shown, near = (
        functional.grid_sample(
            part,
            functional.affine_grid(matrix, list(part.shape), align_corners=False),
            padding_mode="border",
            align_corners=False,
        )
        for part in (images, distance)
    )
    bent = shown ** drawn(changes.grey).exp()
    shown = regraded(bent, 1 + drawn(changes.grey), drawn(changes.grey))
    return shown, near, torch.linalg.solve(turn, points.transpose(1, 2) - shift).transpose(1, 2)


@dataclass(frozen=True)
class Found:
    """What a network says of n images.

    Attributes:
        points: (n, 7, 2) pixels.
        distance: (n, s, s) from 0 on the contour to 1.
        features: (n, F) means over the image of the deepest features.
    """

    points: Floats
    distance: NDArray[np.float32]
    features: NDArray[np.float32]


def contours(network: torch.nn.Module, images: Images) -> Found:
    """Of (n, S, S) images of the network's own side, in evaluation mode."""
    import torch

    read: list[torch.Tensor] = []
    bottom = bottom_of(network.get_submodule("trunk"))
    hook = bottom.register_forward_hook(lambda _module, _given, out: read.append(out.mean(dim=(2, 3))))
    device, was_training = next(network.parameters()).device, network.training
    network.eval()
    points, distances = [], []
    try:
        with torch.no_grad():
            for begin in range(0, len(images), AT_ONCE):
                shown = torch.from_numpy(images[begin : begin + AT_ONCE]).unsqueeze(1).float().to(device) / 255
                heads = said(network, normalised(shown))
                points.append(heads.points.double().cpu().numpy())
                distances.append(heads.distance[:, 0].cpu().numpy())
    finally:
        hook.remove()
        network.train(was_training)
    side = images.shape[1]
    return Found(
        ((np.concatenate(points) + 1) * side - 1) / 2, np.concatenate(distances), torch.cat(read).cpu().numpy()
    )


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
