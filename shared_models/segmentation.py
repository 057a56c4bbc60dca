"""How structures are segmented: a U-Net learns label maps from images, and says of each pixel how sure it is.

Every image is normalised by its own mean and deviation, so that no machine's gain is relied on. The loss is soft Dice
plus cross-entropy (MONAI's); image and mask are turned together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared_models.phantom.augmentation import uniform
from shared_models.scaling import resized
from shared_models.segmentation_metrics import dice_of
from shared_models.training import Rows
from shared_models.unet import bottom_of
from shared_models.view_augmentation import regraded, turned

if TYPE_CHECKING:
    import torch

Images = NDArray[np.uint8]
Floats = NDArray[np.float32]
ANGLE = 0.26  # radians: an operator's hand
GREY = 0.2  # of contrast, as a factor, and of brightness, as a share of white
AT_ONCE = 32  # images in one pass
DICE = "dice"
LEAST_DEVIATION = 1e-3


@dataclass(frozen=True)
class Masked:
    """Images with label maps.

    Attributes:
        images: (n, H, W) grey levels.
        masks: (n, H, W) numbers of structures, 0 for none of them.
    """

    images: Images
    masks: Images


@dataclass(frozen=True)
class Segmented:
    """What a network says of n images.

    Attributes:
        probabilities: (n, C, S, S), which add up to one over C.
        features: (n, F) means over the image of the deepest features.
    """

    probabilities: Floats
    features: Floats

    @property
    def labels(self) -> Images:
        """(n, S, S) the most likely structures."""
        return self.probabilities.argmax(axis=1).astype(np.uint8)


class SegmentationTask:
    """What `training.train` learns: label maps of images of one side.

    Attributes:
        network: a U-Net with as many outputs as there are structures, and one for none.
        examples: n.
    """

    def __init__(self, network: torch.nn.Module, side: int, train: Masked, validation: Masked | None = None) -> None:
        """For a U-Net of a side.

        Raises:
            ValueError: images and masks do not go together.
        """
        self.network, self.examples = network, len(train.images)
        self._train = at_side(train, side)
        self._validation = None if validation is None else at_side(validation, side)

    def loss(self, rows: Rows, generator: torch.Generator, device: torch.device) -> torch.Tensor:
        """Soft Dice plus cross-entropy of examples by number, augmented."""
        import torch
        from monai.losses import DiceCELoss

        images = torch.from_numpy(self._train.images[rows]).unsqueeze(1).float() / 255
        masks = torch.from_numpy(self._train.masks[rows]).unsqueeze(1).float()
        images, masks = augmented(images, masks, generator)
        logits = self.network(normalised(images.to(device)))
        found: torch.Tensor = DiceCELoss(to_onehot_y=True, softmax=True)(logits, masks.to(device).long())
        return found

    def validate(self) -> Mapping[str, float]:
        """Mean Dice over structures, each over all pixels of all images."""
        if self._validation is None or not len(self._validation.images):
            return {}
        found = segmented(self.network, self._validation.images).labels
        truth = self._validation.masks
        each = [dice_of(found == value, truth == value) for value in np.unique(truth) if value]
        return {DICE: float(np.mean(each))} if each else {}


def augmented(images: torch.Tensor, masks: torch.Tensor, random: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """(n, 1, S, S) images in [0, 1] and their masks, turned together; the images regraded."""
    import torch

    angle = uniform(images, -ANGLE, ANGLE, random).flatten()
    side = torch.ones_like(angle)
    contrast, brightness = uniform(images, 1 - GREY, 1 + GREY, random), uniform(images, -GREY, GREY, random)
    shown = regraded(turned(images, angle, side), contrast, brightness)
    return shown, turned(masks, angle, side, between="nearest").round()


def normalised(images: torch.Tensor) -> torch.Tensor:
    """(n, 1, S, S) images, each less its own mean and over its own deviation."""
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    deviation = images.std(dim=(1, 2, 3), keepdim=True)
    return (images - mean) / deviation.clamp_min(LEAST_DEVIATION)


def segmented(network: torch.nn.Module, images: Images) -> Segmented:
    """What a network in evaluation mode says of (n, S, S) images of its own side."""
    import torch

    read: list[torch.Tensor] = []
    hook = bottom_of(network).register_forward_hook(lambda _module, _given, out: read.append(out.mean(dim=(2, 3))))
    device, was_training = next(network.parameters()).device, network.training
    network.eval()
    parts: list[Floats] = []
    try:
        with torch.no_grad():
            for begin in range(0, len(images), AT_ONCE):
                shown = torch.from_numpy(images[begin : begin + AT_ONCE]).unsqueeze(1).float().to(device) / 255
                parts.append(network(normalised(shown)).softmax(dim=1).cpu().numpy())
    finally:
        hook.remove()
        network.train(was_training)
    return Segmented(np.concatenate(parts), torch.cat(read).cpu().numpy())


def at_side(given: Masked, side: int) -> Masked:
    """Images and masks brought to one side; a mask's new pixel is the old one at its middle.

    Raises:
        ValueError: there are as many images as masks, of the same sizes, with at least one structure; not here.
    """
    if given.images.shape != given.masks.shape:
        raise ValueError(f"images are {given.images.shape}, their masks {given.masks.shape}")
    if not given.masks.any():
        raise ValueError("all masks are empty")
    return Masked(_each(given.images, side), _nearest(given.masks, side))


def _each(images: Sequence[Images] | Images, side: int) -> Images:
    return np.stack([resized(image, side) for image in images])


def _nearest(masks: Images, side: int) -> Images:
    rows, columns = (((np.arange(side) + 0.5) * size / side).astype(np.int64) for size in masks.shape[1:])
    return masks[:, rows[:, None], columns]
