"""What networks of reconstruction multiply, and what a step keeps for its gradients, counted without computing it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.reconstruction_methods import COMPLETION, fresh
from benchmarks.reconstruction_settings import Setting

if TYPE_CHECKING:
    from torch import Tensor, nn

RAW_FEATURES = 9  # of a decoded view, which a merger scores


def multiply_adds(setting: Setting, method: str, views: int) -> int:
    """Of one heart."""
    return _products(_network(setting, method, views), _shape(setting, method, views))


def kept_for_gradients(setting: Setting, method: str, views: int) -> int:
    """Bytes of activations that a step of one batch keeps until its gradients are known, weights not counted."""
    return _kept(_network(setting, method, views), (setting.batch, *_shape(setting, method, views)))


def idle_merger(setting: Setting) -> tuple[int, int]:
    """Multiply-adds of one heart, and bytes kept for a batch's gradients, that scoring a single view adds.

    It changes nothing, and the published code keeps it.
    """
    import torch

    from shared_models.reconstruction.merger import Merger

    with torch.device("meta"):
        merger = Merger(setting.edge)
    shape = (RAW_FEATURES, *(setting.edge,) * 3)
    return _products(merger, shape), _kept(merger, (setting.batch, *shape))


def _network(setting: Setting, method: str, views: int) -> nn.Module:
    import torch

    with torch.device("meta"):
        return fresh(method, setting, views, 0)[0]


def _shape(setting: Setting, method: str, views: int) -> tuple[int, ...]:
    """Of what is seen of a heart."""
    from shared_models.phantom.volumes import PLANE_PIXELS

    return (2, *(setting.edge,) * 3) if method == COMPLETION else (views, PLANE_PIXELS, PLANE_PIXELS)


def _products(network: nn.Module, shape: Sequence[int]) -> int:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.empty((1, *shape), device="meta"))
    return int(counter.get_total_flops()) // 2


def _kept(network: nn.Module, shape: Sequence[int]) -> int:
    import torch

    # a tensor's storage is another object each time, and on this device at no address
    weights = {each.untyped_storage()._cdata for each in network.parameters()}
    held: dict[int, torch.UntypedStorage] = {}

    def note(kept: Tensor) -> Tensor:
        storage = kept.untyped_storage()
        held[storage._cdata] = storage
        return kept

    with torch.autograd.graph.saved_tensors_hooks(note, lambda kept: kept):
        found = network.train()(torch.empty(shape, device="meta"))
    del found
    return sum(storage.nbytes() for own, storage in held.items() if own not in weights)
