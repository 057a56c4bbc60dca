"""How fast a machine could be: what it multiplies and copies a second at best, and what a computation asks of it.

The limit of a computation is the roofline of its operations one by one (Williams et al., CACM 2009): each takes as long
as its multiplications at the best matrix product that was measured, or as its tensors take to pass through memory once,
whichever is longer. Operations are those that PyTorch runs eagerly: a compiler that fuses them could do better, and so
does what finds its tensors in a cache.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

SIZE = 1024  # of a matrix
BYTES = 2**27  # of a tensor that no cache holds
TRIES = 5


@dataclass(frozen=True)
class Machine:
    """What it does at best: operations a second in products and convolutions, bytes a second read and written."""

    operations: float
    bytes: float


@dataclass(frozen=True)
class Asked:
    """Of one computation: floating-point operations, bytes read and written, and the seconds that it takes at best."""

    operations: float
    bytes: float
    seconds: float


def measured(dtype: torch.dtype, size: int = SIZE, many: int = BYTES) -> Machine:
    """The machine on this thread count, in numbers of a type."""
    return Machine(max(_product(dtype, size), _convolution(dtype, size // 8)), 2 * many / _copy(many))


def better(one: Machine, other: Machine) -> Machine:
    """What a machine does at best, measured twice."""
    return Machine(max(one.operations, other.operations), max(one.bytes, other.bytes))


def asked(run: Callable[[], object], machine: Machine) -> Asked:
    """What a computation asks of a machine, backward passes included."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves
    from torch.utils.flop_counter import flop_registry

    class Listening(TorchDispatchMode):
        operations, bytes, seconds = 0.0, 0.0, 0.0

        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = function(*args, **(kwargs or {}))
            given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor)]
            made = [one for one in tree_leaves(out) if isinstance(one, torch.Tensor)]
            moved = 0 if _is_view(given, made, function) else sum(map(_bytes, given + made))
            count = flop_registry.get(function.overloadpacket)
            operations = count(*args, **(kwargs or {}), out_val=out) if count else 0
            self.operations += operations
            self.bytes += moved
            self.seconds += max(operations / machine.operations, moved / machine.bytes)
            return out

    with Listening() as heard:
        run()
    return Asked(heard.operations, heard.bytes, heard.seconds)


def _is_view(given: list[torch.Tensor], made: list[torch.Tensor], function: Any) -> bool:
    """Whether nothing is moved: what is made lies where something given lies, and nothing was written there."""
    places = {one.untyped_storage().data_ptr() for one in given}
    return not function._schema.is_mutable and all(one.untyped_storage().data_ptr() in places for one in made)


def _bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _product(dtype: torch.dtype, size: int) -> float:
    """Operations a second."""
    import torch

    one, other = torch.randn(size, size).to(dtype), torch.randn(size, size).to(dtype)
    return 2 * size**3 / _best(lambda: one @ other)


def _convolution(dtype: torch.dtype, channels: int) -> float:
    """Operations a second of a 3x3 convolution, which is a product too and which another library does."""
    import torch

    images = torch.randn(8, channels, 32, 32).to(dtype).contiguous(memory_format=torch.channels_last)
    weights = torch.randn(channels, channels, 3, 3).to(dtype).contiguous(memory_format=torch.channels_last)
    operations = 2 * images.numel() * channels * 9
    return operations / _best(lambda: torch.nn.functional.conv2d(images, weights, padding=1))


def _copy(many: int) -> float:
    import torch

    source, target = torch.zeros(many, dtype=torch.uint8), torch.ones(many, dtype=torch.uint8)
    return _best(lambda: target.copy_(source))


def _best(run: Callable[[], object]) -> float:
    """Seconds of the fastest of some tries."""
    found = []
    for _ in range(1 + TRIES):
        begun = time.perf_counter()
        run()
        found.append(time.perf_counter() - begun)
    return min(found[1:])
