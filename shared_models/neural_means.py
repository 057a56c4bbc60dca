"""Neural means: what every channel of every convolution says on average over an image.

Dong et al., "Neural mean discrepancy for efficient out-of-distribution detection" (CVPR 2022). Heard are the
convolutions whose output a batch norm reads, before it does; those on a shortcut are not (Bransby et al., step 4). The
batch norm's running mean is therefore an average of the same quantity over the images that were trained on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

SHORTCUTS = {"downsample", "shortcut"}


@dataclass(frozen=True)
class Heard:
    """Where neural means are taken.

    Attributes:
        convolutions: their names, in the order in which an image meets them.
        norms: the batch norm behind each.
        channels: N, all their output channels.
    """

    convolutions: tuple[str, ...]
    norms: tuple[str, ...]
    channels: int


def heard_in(network: Any, shape: tuple[int, int, int]) -> Heard:
    """What is heard in a network of images of a shape (channels, height, width); nothing is computed for it.

    Raises:
        RuntimeError, ValueError, AssertionError: whatever the network says of a shape that it does not take.
    """
    import torch

    passed: dict[int, tuple[str, torch.Tensor]] = {}  # which convolution made a tensor; kept, so that none is recycled
    pairs: list[tuple[str, str]] = []

    def leaves(name: str, output: torch.Tensor) -> None:
        passed[id(output)] = (name, output)

    def enters(name: str, given: torch.Tensor) -> None:
        if id(given) in passed:
            pairs.append((passed[id(given)][0], name))

    hooks = []
    for name, module in network.named_modules():
        if isinstance(module, torch.nn.Conv2d) and not SHORTCUTS & set(name.split(".")):
            hooks.append(module.register_forward_hook(lambda _m, _i, output, name=name: leaves(name, output)))
        if isinstance(module, torch.nn.BatchNorm2d):
            hooks.append(module.register_forward_pre_hook(lambda _m, given, name=name: enters(name, given[0])))
    try:
        _pass_without_memory(network, shape)
    finally:
        for hook in hooks:
            hook.remove()
    channels = sum(network.get_submodule(name).out_channels for name, _ in pairs)
    return Heard(tuple(name for name, _ in pairs), tuple(norm for _, norm in pairs), channels)


def _pass_without_memory(network: Any, shape: tuple[int, int, int]) -> None:
    import torch

    state = {name: tensor.to("meta") for name, tensor in network.state_dict().items()}
    with evaluating(network):
        torch.func.functional_call(network, state, (torch.zeros(1, *shape, device="meta"),))


@contextmanager
def evaluating(network: Any) -> Iterator[None]:
    """While it is open, the network is in evaluation mode and keeps no gradients."""
    import torch

    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        network.train(was_training)


@contextmanager
def listening(network: Any, heard: Heard) -> Iterator[dict[str, torch.Tensor]]:
    """While it is open, every pass of n images leaves (n, channels) means under each convolution's name."""
    found: dict[str, torch.Tensor] = {}
    hooks = [network.get_submodule(name).register_forward_hook(_keep(found, name)) for name in heard.convolutions]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _keep(found: dict[str, torch.Tensor], name: str) -> Any:
    def hook(_module: Any, _given: Any, output: torch.Tensor) -> None:
        found[name] = output.mean(dim=(2, 3))

    return hook


def batch_norm_means(state: Mapping[str, NDArray[Any]], heard: Heard) -> NDArray[np.float32]:
    """(N,) running means of a network's state: an approximation of the neural mean feature that costs no pass.

    They are averages over augmented batches while the weights still moved, so they are near it and not equal.
    """
    means = [state[f"{norm}.running_mean"] for norm in heard.norms]
    return np.concatenate([np.zeros(0, np.float32), *means]).astype(np.float32)
