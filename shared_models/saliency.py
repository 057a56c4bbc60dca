"""Where a network looks: Grad-CAM (Selvaraju, ICCV 2017) and integrated gradients (Sundararajan, ICML 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

Floats = NDArray[np.float64]
STEPS = 32


def grad_cam(network: torch.nn.Module, layer: torch.nn.Module, shown: torch.Tensor, classes: torch.Tensor) -> Floats:
    """(n, S, S) saliencies, none negative: ReLU of a layer's maps, each weighted by its mean gradient, enlarged.

    Args:
        network: in evaluation mode, from (n, c, S, S) to (n, C) logits.
        layer: of it, whose output is (n, K, s, s): the last stage.
        shown: the images as the network is shown them.
        classes: (n,) whose logits are explained.
    """
    import torch
    from torch.nn import functional

    maps: list[torch.Tensor] = []
    hook = layer.register_forward_hook(lambda _module, _given, out: maps.append(out))
    try:
        with torch.enable_grad():
            logits = network(shown.detach().requires_grad_())
            (slope,) = torch.autograd.grad(_chosen(logits, classes), maps[0])
    finally:
        hook.remove()
    found = (slope.mean(dim=(2, 3), keepdim=True) * maps[0]).sum(dim=1, keepdim=True).relu()
    found = functional.interpolate(found, size=shown.shape[-2:], mode="bilinear", align_corners=False)
    return np.asarray(found[:, 0].detach().double().cpu().numpy())


def integrated_gradients(
    network: torch.nn.Module, shown: torch.Tensor, classes: torch.Tensor, steps: int = STEPS
) -> Floats:
    """(n, S, S) attributions in absolute value, from an image of zeros, which after normalisation is its mean grey.

    With their sign they add up to the logit less that of zeros, by the midpoint rule over so many steps.
    """
    signed = signed_gradients(network, shown, classes, steps)
    return np.asarray(signed.sum(dim=1).abs().double().cpu().numpy())


def signed_gradients(
    network: torch.nn.Module, shown: torch.Tensor, classes: torch.Tensor, steps: int = STEPS
) -> torch.Tensor:
    """(n, c, S, S) attributions with their sign."""
    import torch

    total = torch.zeros_like(shown)
    with torch.enable_grad():
        for step in range(steps):
            part = (shown.detach() * ((step + 0.5) / steps)).requires_grad_()
            (slope,) = torch.autograd.grad(_chosen(network(part), classes), part)
            total += slope
    return shown.detach() * total / steps


def _chosen(logits: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    return logits.gather(1, classes.unsqueeze(1)).sum()
