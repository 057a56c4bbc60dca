"""Batch norms of a network that is averaged in rounds: what travels, what stays, and what a site does before use.

A batch norm has a scale and a shift, which are learnt as other weights are, and a running mean and variance of what
went through it. Training never reads the latter, an answer always does. Those of several sites cannot be averaged
soundly: a mean of variances lacks what the means differ by, and where all that is behind it passes one channel, as the
fusing layer of reconstruction does, every later layer sees that error.

*re-estimated*: scales and shifts travel and are averaged; running statistics stay. An update holds those of the global
model that it answers, unchanged, so that nothing of them leaves a site and the global model keeps those of a new
network. Whoever uses the global model first shows it images of its own. As in Andreux et al., "Siloed federated
learning for multi-centric histopathology datasets" (2020), but that a site's statistics are taken anew with the very
weights that they are used with (Li et al., "Revisiting batch normalization for practical domain adaptation", 2016).

*averaged*: everything travels, as in plain FedAvg. For sites that have no images of their own.

That scales and shifts stay too (Li et al., "FedBN", ICLR 2021) is not offered: the global model would be none that
another site could use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

State = dict[str, NDArray[Any]]
RE_ESTIMATED, AVERAGED = "re-estimated", "averaged"
WAYS = (RE_ESTIMATED, AVERAGED)
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
FEWEST = 2  # examples that are shown at once: of one alone a layer may see one value a channel


def require_way(way: object) -> None:
    """Whether there is such a way.

    Raises:
        TypeError: it is no text.
        ValueError: there is none.
    """
    if type(way) is not str:
        raise TypeError(f"batch_norm {way!r} is no text")
    if way not in WAYS:
        raise ValueError(f"batch norms are {' or '.join(WAYS)}, not '{way}'")


def is_statistic(name: str) -> bool:
    """Whether a tensor of a state is a running statistic of a batch norm."""
    return name.rpartition(".")[2] in STATISTICS


def travelling(after: Mapping[str, NDArray[Any]], came: Mapping[str, NDArray[Any]], way: str) -> State:
    """What leaves of a state after a round.

    Args:
        after: as a site's training left it.
        came: the global model that it began with.
        way: one of `WAYS`.
    """
    stays = is_statistic if way == RE_ESTIMATED else lambda _name: False
    return {name: came[name] if stays(name) else tensor for name, tensor in after.items()}


def re_estimate(network: torch.nn.Module, examples: int, show: Callable[[Sequence[int]], None], at_once: int) -> None:
    """Running statistics of a network, taken anew as means over batches of equal size; no weight is changed.

    Args:
        network: changed in place; whether it was in training mode stays as it was.
        examples: how many there are.
        show: shows the network examples by number, with no regard for what it says.
        at_once: the most that are shown at once.

    Raises:
        ValueError: there is no example.
    """
    import torch

    if not examples:
        raise ValueError("there is nothing to take the statistics of batch norms from")
    parts = np.array_split(np.arange(examples), max(1, -(-examples // max(at_once, FEWEST))))
    with _only_norms_learn(network), torch.no_grad():
        for part in parts:
            show(part.tolist())


@contextmanager
def _only_norms_learn(network: torch.nn.Module) -> Iterator[None]:
    """Batch norms begin anew and take plain means of all that they see; other layers answer as they always do."""
    from torch.nn.modules.batchnorm import _BatchNorm

    training = {module: module.training for module in network.modules()}
    norms = {module: module.momentum for module in network.modules() if isinstance(module, _BatchNorm)}
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    try:
        yield
    finally:
        for norm, momentum in norms.items():
            norm.momentum = momentum
        for module, was in training.items():
            module.training = was
