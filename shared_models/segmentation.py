"""How structures are segmented: a U-Net learns label maps from images, and says of each pixel how sure it is.

Every image is normalised by its own mean and deviation, so that no machine's gain is relied on. The loss is soft Dice
plus cross-entropy (MONAI's); image and mask are turned together. Of images whose site does not label all structures,
what the network says of the others counts as background (marginal loss: Shi et al., Medical Image Analysis 2021), so
that nothing is unlearnt there.
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
from shared_models.view_augmentation import regraded

if TYPE_CHECKING:
    import torch

    from shared_models.continual import Penalty

Images = NDArray[np.uint8]
Floats = NDArray[np.float32]
ANGLE = 0.26  # radians: an operator's hand
SCALE = 0.2  # by how much an image is enlarged or shrunk at most, along each edge, as a logarithm: depth and heart
SHIFT = 0.1  # of half an edge
GREY = 0.2  # of contrast, as a factor, and of brightness, as a share of white
GAMMA = 0.4  # of the exponent of the grey map, as a logarithm
AT_ONCE = 32  # images in one pass
VALUES = 256  # that a mask can hold
DICE = "dice"
LEAST_DEVIATION = 1e-3


@dataclass(frozen=True)
class Masked:
    """Images with label maps.

    Attributes:
        images: (n, H, W) grey levels.
        masks: (n, H, W) numbers of structures, 0 for none of them.
        labelled: numbers of the structures that whoever drew the masks labels; None for all.
    """

    images: Images
    masks: Images
    labelled: tuple[int, ...] | None = None


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

    def __init__(
        self,
        network: torch.nn.Module,
        side: int,
        train: Masked | Sequence[Masked],
        validation: Masked | Sequence[Masked] | None = None,
        penalty: Penalty | None = None,
    ) -> None:
        """For a U-Net of a side.

        Args:
            network: see above; changed in place.
            side: of its images.
            train: what is learnt from, of one site or of several.
            validation: what it is judged by; None for nothing.
            penalty: what is added to the loss (`continual.Penalty`, as FedProx's), given the network, the images as it
                saw them and its logits; None for nothing.

        Raises:
            ValueError: images and masks do not go together, or a mask holds what is not labelled.
        """
        self.network, self.penalty = network, penalty
        self._train, self._labelled = _pooled(_parts(train), side)
        self._validation = [at_side(part, side) for part in _parts(validation)]
        self.examples = len(self._train.images)

    def loss(self, rows: Rows, generator: torch.Generator, device: torch.device) -> torch.Tensor:
        """Soft Dice plus cross-entropy of examples by number, augmented, and the penalty."""
        import torch
        from monai.losses import DiceCELoss

        images = torch.from_numpy(self._train.images[rows]).to(device).unsqueeze(1).float() / 255
        masks = torch.from_numpy(self._train.masks[rows]).to(device).unsqueeze(1).float()
        images, masks = augmented(images, masks, generator)
        shown = normalised(images)
        logits = self.network(shown)
        heard = marginal(logits, torch.from_numpy(self._labelled[rows][:, : logits.shape[1]]))
        loss: torch.Tensor = DiceCELoss(to_onehot_y=True, softmax=True)(heard, masks.long())
        return loss if self.penalty is None else loss + self.penalty(self.network, shown, logits)

    def validate(self) -> Mapping[str, float]:
        """Mean Dice over structures, each over all pixels of the images of those who label it."""
        said = [(part, segmented(self.network, part.images).labels) for part in self._validation if len(part.images)]
        values = {int(value) for part, _ in said for value in np.unique(part.masks) if value}
        each = [_dice_over(said, value) for value in sorted(values)]
        return {DICE: float(np.mean(each))} if each else {}


def marginal(logits: torch.Tensor, labelled: torch.Tensor) -> torch.Tensor:
    """Logits (n, C, S, S) as one hears them who labels some of the structures, (n, C) of which the first is background.

    The probability of what is not labelled is added to the background's, and is 0 then. Who labels all hears them as
    they are.
    """
    import torch

    if bool(labelled.all()):
        return logits
    others = ~labelled.to(logits.device)
    others[:, 0] = True
    background = logits.masked_fill(~others[:, :, None, None], -torch.inf).logsumexp(dim=1, keepdim=True)
    return torch.cat([background, logits.masked_fill(others[:, :, None, None], -torch.inf)[:, 1:]], dim=1)


def augmented(images: torch.Tensor, masks: torch.Tensor, random: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """(n, 1, S, S) images in [0, 1] and their masks, moved together; the images regraded."""
    grid = _moves(images, random)
    exponent = uniform(images, -GAMMA, GAMMA, random).exp()
    contrast, brightness = uniform(images, 1 - GREY, 1 + GREY, random), uniform(images, -GREY, GREY, random)
    shown = regraded(_sampled(images, grid, "bilinear").clamp_min(0) ** exponent, contrast, brightness)
    return shown, _sampled(masks, grid, "nearest")


def _moves(images: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """(n, S, S, 2) from where each pixel comes: turned, stretched along both edges, shifted."""
    import torch
    from torch.nn import functional

    def drawn(most: float) -> torch.Tensor:
        return uniform(images, -most, most, random).flatten()

    angle, wide, high, right, down = drawn(ANGLE), drawn(SCALE).exp(), drawn(SCALE).exp(), drawn(SHIFT), drawn(SHIFT)
    cos, sin = angle.cos(), angle.sin()
    rows = [torch.stack([wide * cos, -high * sin, right], 1), torch.stack([wide * sin, high * cos, down], 1)]
    return functional.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)


def _sampled(images: torch.Tensor, grid: torch.Tensor, between: str) -> torch.Tensor:
    from torch.nn import functional

    return functional.grid_sample(images, grid, mode=between, padding_mode="zeros", align_corners=False)


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
    if given.labelled is not None and (strange := set(np.unique(given.masks).tolist()) - {0, *given.labelled}):
        raise ValueError(f"masks hold structure {min(strange)}, which is not labelled")
    return Masked(_each(given.images, side), _nearest(given.masks, side), given.labelled)


def _parts(given: Masked | Sequence[Masked] | None) -> Sequence[Masked]:
    return () if given is None else [given] if isinstance(given, Masked) else given


def _pooled(parts: Sequence[Masked], side: int) -> tuple[Masked, NDArray[np.bool_]]:
    """Images of several sites as one, and of each image the structures (n, VALUES) that are labelled."""
    there = [at_side(part, side) for part in parts]
    labelled = np.zeros((sum(len(part.images) for part in there), VALUES), dtype=np.bool_)
    end = 0
    for part in there:
        begin, end = end, end + len(part.images)
        labelled[begin:end, list(range(VALUES) if part.labelled is None else part.labelled)] = True
    images, masks = (np.concatenate([getattr(part, name) for part in there]) for name in ("images", "masks"))
    return Masked(images, masks), labelled


def _dice_over(said: Sequence[tuple[Masked, Images]], value: int) -> float:
    own = [(part.masks, found) for part, found in said if part.labelled is None or value in part.labelled]
    truth, found = (np.concatenate(each) == value for each in zip(*own, strict=True))
    return dice_of(found, truth)


def _each(images: Sequence[Images] | Images, side: int) -> Images:
    return np.stack([resized(image, side) for image in images])


def _nearest(masks: Images, side: int) -> Images:
    rows, columns = (((np.arange(side) + 0.5) * size / side).astype(np.int64) for size in masks.shape[1:])
    return masks[:, rows[:, None], columns]


def enlarged(probabilities: Floats, shape: tuple[int, int]) -> Floats:
    """(C, S, S) probabilities on the (C, H, W) pixels of the image as it was, interpolated between them."""
    import torch
    from torch.nn import functional

    given = torch.from_numpy(probabilities)[None]
    return np.asarray(functional.interpolate(given, size=shape, mode="bilinear", align_corners=False)[0].numpy())
