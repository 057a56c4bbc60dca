"""The encoder of short clips of muscle: frames are seen one by one, and what is seen is averaged over time (c.2).

Four 3x3 convolutions on frames, the mean over the image and then over time, one dense layer; behind it a projection
that the contrastive loss acts on. Kernels never reach over time, so that a clip of any length is read. The published
network is called a ResNet and is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared_models.image_reference import with_reference

if TYPE_CHECKING:
    import torch

WIDTH = 16
DENSE, PROJECTED = 256, 512
PARTS = ("frames", "dense", "projection")


def clip_encoder(width: int = WIDTH, dense: int = DENSE, projected: int = PROJECTED) -> torch.nn.ModuleDict:
    """Of clips (n, T, S, S): ``frames``, ``dense`` and ``projection``, see `encoded`."""
    from torch import nn

    def block(before: int, after: int) -> list[nn.Module]:
        layers: list[nn.Module] = []
        for channels in (before, after):
            layers += [nn.Conv2d(channels, after, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(after)]
        return [*layers, nn.MaxPool2d(2, stride=1)]

    network = nn.ModuleDict(
        {
            "frames": nn.Sequential(*block(1, width), *block(width, 2 * width)),
            "dense": nn.Sequential(nn.Linear(2 * width, dense), nn.ReLU()),
            "projection": nn.Sequential(
                nn.Linear(dense, projected),
                nn.BatchNorm1d(projected),
                nn.ReLU(),
                nn.Linear(projected, projected),
                nn.BatchNorm1d(projected),
            ),
        }
    )
    with_reference(network, projected)
    return network


def encoded(network: torch.nn.Module, clips: torch.Tensor) -> torch.Tensor:
    """(n, projected) of clips (n, T, S, S) in [0, 1]."""
    frames, dense, projection = (network.get_submodule(part) for part in PARTS)
    count, length = clips.shape[:2]
    seen = frames(clips.flatten(0, 1).unsqueeze(1)).mean(dim=(2, 3))
    found: torch.Tensor = projection(dense(seen.view(count, length, -1).mean(dim=1)))
    return found


def retrieval_head(projected: int = PROJECTED, hidden: tuple[int, ...] = (2024, 1024, 512)) -> torch.nn.Sequential:
    """From what the encoder says of two clips in a row to two logits: the same view, another view (c.3)."""
    from itertools import pairwise

    from torch import nn

    layers: list[nn.Module] = []
    for before, after in pairwise((projected, *hidden)):
        layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(0.2)]
    return nn.Sequential(*layers, nn.Linear(hidden[-1], 2))
