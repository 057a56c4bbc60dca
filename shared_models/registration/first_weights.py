"""First weights from which a network of registration learns sooner than from torch's own, which were published.

Behind ten layers of torch's own weights hardly anything of the images is left, and for hundreds of steps a network says
one shift for every pair. Weights by He et al. (ICCV 2015, eq. 15) keep the variance from layer to layer.
"""

from __future__ import annotations

import math

from torch import nn

from shared_models.registration.network import RegistrationNetwork

SLOPE = 0.25  # of a new PReLU
PATCH = "patch"  # the last layer, behind which there is no PReLU
PATCH_DEVIATION = 1e-5  # so that a new network moves next to nothing


def ready_to_learn(network: RegistrationNetwork) -> RegistrationNetwork:
    """The network itself with such weights, drawn by torch's generator; biases are 0."""
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d):
            nn.init.normal_(layer.weight, 0, PATCH_DEVIATION if name.endswith(PATCH) else _deviation(layer))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return network


def _deviation(layer: nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d) -> float:
    """Of weights whose sums keep the variance; of a transposed layer each value has one input a channel."""
    transposed = isinstance(layer, nn.ConvTranspose2d | nn.ConvTranspose3d)
    inputs = layer.in_channels * (1 if transposed else layer.weight[0, 0].numel())
    return math.sqrt(2 / (1 + SLOPE**2) / inputs)
