"""Weights averaged over the steps of a training, which often answer better than those of the last step.

An exponential moving average: average <- average + (1 - d) (weights - average) after every step, with
d = min(decay, (1 + t) / (10 + t)) at step t = 1, 2, ... so that the first, random weights are soon forgotten.
Polyak and Juditsky (1992); the ramp is that of TensorFlow's `ExponentialMovingAverage`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


class WeightAverage:
    """The average of a network's state.

    Running means and other buffers of floating point are averaged like weights, so that they fit the averaged
    weights; counters are taken as they are.

    Attributes:
        decay: share of the average that a step leaves, when there have been many.
        state: the average under the network's own names.
    """

    def __init__(self, network: torch.nn.Module, decay: float) -> None:
        self.decay = decay
        self.state = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    def update(self, network: torch.nn.Module, steps: int) -> None:
        """Takes in the network as it is after so many steps."""
        from torch.optim.swa_utils import get_ema_multi_avg_fn

        now = network.state_dict()
        moving = [name for name, tensor in now.items() if tensor.is_floating_point()]
        share = min(self.decay, (1 + steps) / (10 + steps))
        get_ema_multi_avg_fn(share)([self.state[name] for name in moving], [now[name] for name in moving], steps)
        for name in now.keys() - set(moving):
            self.state[name].copy_(now[name])


@contextmanager
def wearing(network: torch.nn.Module, state: Mapping[str, torch.Tensor]) -> Iterator[None]:
    """The network with another state; with its own again afterwards, bit by bit."""
    own = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.load_state_dict(state)
    try:
        yield
    finally:
        network.load_state_dict(own)
