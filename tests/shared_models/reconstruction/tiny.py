"""Networks that are quick to build and ask."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

from shared_models.phantom.volumes import NINE_PLANES
from shared_models.reconstruction.pix2vox import pix2vox
from shared_models.reconstruction.view_network import ViewNetwork


def tiny(views: str = "A4C,A2C", size: int = 32, *, fused: bool = True, seed: int = 0) -> ViewNetwork:
    """In evaluation mode, with batch norms that have seen something."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = pix2vox(size, views, fused, "test_resnet", shrink=32, bottleneck=8)
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(0, 0.1)
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 1.5)
    return network.eval()


def planes(hearts: int, views: int, seed: int = 0) -> torch.Tensor:
    return torch.rand((hearts, views, 224, 224), generator=torch.Generator().manual_seed(seed))


@cache
def on_meta(size: int, views: int, *, fused: bool, **options: Any) -> ViewNetwork:
    """Of any size, without memory."""
    with torch.device("meta"):
        return pix2vox(size, ",".join(NINE_PLANES[:views]), fused, **options)


def parameters(module: torch.nn.Module | None) -> int:
    return 0 if module is None else sum(weights.numel() for weights in module.parameters())
