"""A small convolutional network for view families, trained on phantom frames alone, several times from other seeds."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared_models.phantom.augmentation import augmented, chosen, moved

if TYPE_CHECKING:
    from torch import Generator, Tensor
    from torch.nn import Module

Array = NDArray[np.float64]
Squares = NDArray[np.uint8]

WIDTHS = (24, 48, 96, 160)
BATCH = 64
RATE, DECAY = 2e-3, 0.05
SMOOTHING = 0.1
MUCH_CHANGED = 0.5  # share of images; more of them and a network learns too little in its time


def network(classes: int) -> Module:
    """Four stages that halve the picture each, mean over the picture, one linear layer."""
    from torch import nn

    layers: list[Module] = [_convolution(1, WIDTHS[0], stride=2)]
    for before, after in pairwise(WIDTHS):
        layers += [_convolution(before, after, stride=2), _convolution(after, after)]
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(WIDTHS[-1], classes)
    )


def _convolution(before: int, after: int, stride: int = 1) -> Module:
    from torch import nn

    convolution = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU(inplace=True))


def levelled(images: Tensor) -> Tensor:
    """Each image's own mean and spread inside the sector taken out, so that gain says nothing."""
    inside = (images > 0).float()
    count = inside.sum(dim=(2, 3), keepdim=True).clamp(min=1)
    mean = (images * inside).sum(dim=(2, 3), keepdim=True) / count
    spread = (((images - mean) ** 2 * inside).sum(dim=(2, 3), keepdim=True) / count).sqrt()
    return (images - mean) / (spread + 0.05) * inside


def train(squares: Squares, labels: NDArray[np.int64], classes: int, *, steps: int, seed: int) -> Module:
    """A network after `steps` batches of augmented frames, every family drawn equally often."""
    import torch

    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    model = network(classes).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice as fast
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=RATE, total_steps=steps)
    loss = torch.nn.CrossEntropyLoss(label_smoothing=SMOOTHING)
    rarity = torch.from_numpy(1.0 / np.maximum(np.bincount(labels, minlength=classes), 1)[labels])
    model.train()
    for _ in range(steps):
        rows = torch.multinomial(rarity, BATCH, replacement=True, generator=random)
        images = changed(pictures(squares[rows.numpy()]), random)
        optimiser.zero_grad()
        loss(model(levelled(images)), torch.from_numpy(labels[rows.numpy()])).backward()
        optimiser.step()
        schedule.step()
    return model.eval()


def changed(images: Tensor, random: Generator) -> Tensor:
    """Some images with everything done to them, the others only turned, stretched and shifted."""
    much = chosen(images, MUCH_CHANGED, random)
    return much * augmented(images, random) + (1 - much) * moved(images, random)


def pictures(squares: Squares) -> Tensor:
    """(N, S, S) uint8 as (N, 1, S, S) in [0, 1]."""
    import torch

    return torch.from_numpy(squares).unsqueeze(1).float() / 255


def probabilities(model: Module, squares: Squares, *, views: int = 1, seed: int = 0) -> Array:
    """(N, classes), the mean over the image as it is and `views` - 1 slightly moved copies."""
    import torch

    random = torch.Generator().manual_seed(seed)
    images = pictures(squares)
    with torch.no_grad():
        answers = [model(levelled(images)).softmax(1)]
        answers += [model(levelled(moved(images, random))).softmax(1) for _ in range(views - 1)]
    return torch.stack(answers).mean(0).double().numpy()
