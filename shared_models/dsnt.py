"""Points from heatmaps, differentiably: DSNT (Nibali et al., arXiv 1801.07372), and how sharp a heatmap is to be.

Coordinates are x then y in [-1, 1]; the centre of pixel i of N lies at (2 i + 1) / N - 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

TINY = 1e-12


def spatial_softmax(logits: Tensor) -> Tensor:
    """(n, K, H, W) logits to as many heatmaps, each of which adds up to one."""
    return logits.flatten(2).softmax(dim=2).view_as(logits)


def expectation(heatmaps: Tensor) -> Tensor:
    """(n, K, 2) mean positions of (n, K, H, W) heatmaps that add up to one."""
    import torch

    x, y = (centres(size).to(heatmaps) for size in (heatmaps.shape[3], heatmaps.shape[2]))
    return torch.stack([(heatmaps.sum(dim=2) * x).sum(dim=2), (heatmaps.sum(dim=3) * y).sum(dim=2)], dim=2)


def centres(size: int) -> Tensor:
    """(size,) coordinates of pixel centres along an edge."""
    import torch

    return (2 * torch.arange(size, dtype=torch.float32) + 1) / size - 1


def to_pixels(points: Tensor, width: int, height: int) -> Tensor:
    """(..., 2) coordinates to pixels, whose centres are whole numbers."""
    import torch

    size = torch.tensor([width, height]).to(points)
    return ((points + 1) * size - 1) / 2


def to_coordinates(pixels: Tensor, width: int, height: int) -> Tensor:
    """(..., 2) pixels to coordinates."""
    import torch

    size = torch.tensor([width, height]).to(pixels)
    return (2 * pixels + 1) / size - 1


def gaussians(points: Tensor, width: int, height: int, sigma: float) -> Tensor:
    """(n, K, H, W) heatmaps around (n, K, 2) coordinates, `sigma` pixels wide, each of which adds up to one."""
    pixels = to_pixels(points, width, height)
    x, y = (((centres(size).to(points) + 1) * size - 1) / 2 for size in (width, height))
    across = (-((x - pixels[..., :1]) ** 2) / (2 * sigma**2)).exp()
    down = (-((y - pixels[..., 1:]) ** 2) / (2 * sigma**2)).exp()
    found = down[..., :, None] * across[..., None, :]
    return found / found.sum(dim=(2, 3), keepdim=True).clamp_min(TINY)


def divergence(one: Tensor, other: Tensor) -> Tensor:
    """(n, K) Jensen-Shannon divergence, in nats, of heatmaps that add up to one."""
    middle = (one + other) / 2

    def towards(part: Tensor) -> Tensor:
        return (part * ((part + TINY).log() - (middle + TINY).log())).sum(dim=(2, 3))

    return (towards(one) + towards(other)) / 2


def cross_entropy(one: Tensor, wanted: Tensor) -> Tensor:
    """(n, K) cross-entropy, in nats, of heatmaps for those that are wanted; each adds up to one."""
    return -(wanted * (one + TINY).log()).sum(dim=(2, 3))
