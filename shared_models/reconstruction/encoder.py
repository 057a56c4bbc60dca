"""What each view shows, and the layer that makes one of all views: the change of Efficient Pix2Vox++.

Stojanovski et al., "Efficient Pix2Vox++ for 3D cardiac reconstruction from 2D echo views" (ASMUS 2022): a 3D
convolution at the encoder's end, over features of all views read as a volume with a channel for each view.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from shared_models.timm_networks import timm_network

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
STRIDE_8 = 2  # where timm counts the features of a residual network that are an eighth of the image
SLOPE = 0.2


class Encoder(nn.Module):
    """(n, 224, 224) grey images in [0, 1] to (n, C, 7, 7) features for volumes of 32, else (n, C, 8, 8).

    Grey is stacked three times and normalised as ImageNet was.

    Attributes:
        trunk: a residual network of timm as far as its second stage.
        reduction: its features to those of the decoder.
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, trunk: str, size: int, channels: tuple[int, int, int]) -> None:
        super().__init__()
        self.trunk: Any = timm_network(trunk, 0, features_only=True, out_indices=(STRIDE_8,))
        before = int(self.trunk.feature_info.channels()[0])
        self.reduction = _to_7(before, channels) if size == 32 else _to_8(before, channels)
        for name, values in (("mean", IMAGENET_MEAN), ("deviation", IMAGENET_DEVIATION)):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Features of images."""
        colours = (images.unsqueeze(1) - self.mean) / self.deviation
        features: torch.Tensor = self.reduction(self.trunk(colours)[0])
        return features


def _to_7(before: int, channels: tuple[int, int, int]) -> nn.Sequential:
    first, second, third = channels
    return nn.Sequential(
        *_convolved(before, first, 3, 1, nn.ReLU()),
        *_convolved(first, second, 3, 1, nn.ReLU()),
        nn.MaxPool2d(2),
        *_convolved(second, third, 3, 1, nn.ReLU()),
        nn.MaxPool2d(2),
    )


def _to_8(before: int, channels: tuple[int, int, int]) -> nn.Sequential:
    first, second, third = channels
    return nn.Sequential(
        *_convolved(before, first, 3, 0, nn.ELU()),
        *_convolved(first, second, 3, 0, nn.ELU()),
        nn.MaxPool2d(3),
        *_convolved(second, third, 1, 0, nn.ELU()),
    )


def _convolved(before: int, after: int, kernel: int, padding: int, activation: nn.Module) -> list[nn.Module]:
    return [nn.Conv2d(before, after, kernel, padding=padding), nn.BatchNorm2d(after), activation]


def fusing_layer(views: int) -> nn.Sequential:
    """(B, V, C, h, w) features of V views, zero where one is missing, to (B, 1, C, h, w): 27 V + 3 parameters."""
    return nn.Sequential(nn.Conv3d(views, 1, 3, padding=1), nn.BatchNorm3d(1), nn.LeakyReLU(SLOPE))
