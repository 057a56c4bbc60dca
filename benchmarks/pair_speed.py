"""Where the time of one pair goes in networks of registration, and what each way to the same field takes.

One thread, from arrays to a field. Ways are played in turn, round by round, so that the machine's moods meet all alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.claims import Claim, Measured, Row, at_least, told
from benchmarks.pair_transforms import by_transforms
from benchmarks.registration_ours import DIFFEOMORPHIC, OURS
from shared_models.registration import band_limited
from shared_models.registration.fields import to_voxels

NAMES = ("Fourier-Net", "Fourier-Net+", "Diff-Fourier-Net+")
SIZES = ((48, 64, 48), (128, 128, 128))
ROUNDS, SQUARE = 7, 2048
WEIGHT_AXES = 5  # channels out and in, and three of space
TRANSFORMS, PRODUCTS, OWN_GRID, LAST, HALF, COMPILED = (
    "complex transforms and the image's own grid, as published",
    "matrix products an axis, channels first",
    "channels last, integrated on the image's own grid",
    "as it is here",
    "products in bfloat16",
    "compiled",
)
GROUPS = {
    "convolutions": ("mkldnn_convolution", "convolution", "slow_conv", "conv_transpose"),
    "warps": ("grid_sampler",),
    "matrix products": ("::mm", "::bmm", "addmm", "::mv", "::dot"),
    "activations": ("leaky_relu", "prelu"),
    "copies": ("::copy_", "::cat", "::clone", "::_to_copy", "replication_pad"),
}
REST = "everything else"
MOVED = 3.0  # voxels, at most: of the field or the velocity


@dataclass(frozen=True)
class Setting:
    """What is measured.

    Attributes:
        names: of networks.
        sizes: of pairs.
        rounds: after one to warm up.
        square: edge of the matrices by whose product the processor's speed is told.
        ways: names.
    """

    names: Sequence[str] = NAMES
    sizes: Sequence[tuple[int, int, int]] = SIZES
    rounds: int = ROUNDS
    square: int = SQUARE
    ways: Sequence[str] = (TRANSFORMS, PRODUCTS, OWN_GRID, LAST, HALF, COMPILED)


QUICK = Setting(
    ("Diff-Fourier-Net+",), ((32, 32, 32),), rounds=1, square=64, ways=(TRANSFORMS, PRODUCTS, OWN_GRID, LAST, HALF)
)


def measure(*, quick: bool) -> Measured:
    """All sizes and networks."""
    torch.set_num_threads(1)
    setting = QUICK if quick else Setting()
    speed = products_a_second(setting.square)
    rows: list[Row] = []
    claims: list[Claim] = []
    for size in setting.sizes:
        for name in setting.names:
            shares, ways, told_of = of_network(name, size, setting, speed)
            rows += [*shares, *ways]
            claims += told_of
    return Measured(rows=tuple(sorted(rows, key=lambda row: str(row["table"]))), claims=tuple(claims), notes=(note(),))


def of_network(
    name: str, size: tuple[int, int, int], setting: Setting, speed: float
) -> tuple[list[Row], list[Row], list[Claim]]:
    """Shares of its time, its ways, and what is claimed of them."""
    said = f"{name}, {'x'.join(map(str, size))}"
    network, pair = prepared(name, size)
    ways_here = [way for way in setting.ways if way != OWN_GRID or DIFFEOMORPHIC in name]
    found = {way: timed(network, pair, way, setting.rounds) for way in ways_here}
    usual = found[LAST]
    ways = [way_row(said, way, each, usual) for way, each in found.items()]
    shares: list[Row] = [
        {"table": f"Where the time goes, %: {'x'.join(map(str, size))}", "network": name, **share_row(network, pair)}
    ]
    limit = multiply_adds(network, pair) / speed
    claims = [
        at_least(f"{said}: by transforms over as it is", found[TRANSFORMS].median / usual.median, "x", 1.0),
        told(f"{said}: time over that of as many multiply-adds in one large product", usual.median / limit, "x"),
    ]
    return shares, ways, claims


@dataclass(frozen=True)
class Timed:
    """One way.

    Attributes:
        seconds: of the rounds.
        field: (1, d, *N) voxels.
    """

    seconds: Sequence[float]
    field: Tensor

    @property
    def median(self) -> float:
        """Seconds."""
        return float(np.median(self.seconds))


def way_row(said: str, way: str, found: Timed, usual: Timed) -> Row:
    """Of one way."""
    apart = (found.field - usual.field).norm(dim=1)
    return {
        "table": f"Ways: {said}",
        "way": way,
        "seconds": found.median,
        "least": min(found.seconds),
        "most": max(found.seconds),
        "as it is over it": usual.median / found.median,
        "fields apart at most, voxels": float(apart.max()),
    }


def prepared(name: str, size: tuple[int, int, int]) -> tuple[nn.Module, tuple[Tensor, Tensor]]:
    """A network with first weights, of which those of its patch are scaled so that points move, and a pair."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network: nn.Module = OURS[name](3).eval()
        moving, fixed = (torch.rand(1, 1, *size) for _ in range(2))
    with torch.no_grad():
        largest = to_voxels(network(moving, fixed).regularised).norm(dim=1).max()
        for weights in (each for name, each in network.named_parameters() if name.endswith("patch.weight")):
            weights.mul_(MOVED / largest)
    return network, (moving, fixed)


def timed(network: nn.Module, pair: tuple[Tensor, Tensor], way: str, rounds: int) -> Timed:
    """A way's rounds, after one to warm up."""
    with torch.inference_mode(), WAYS[way](network) as asked:
        field = to_voxels(asked(*pair).field).float()
        seconds = [_seconds(lambda: asked(*pair)) for _ in range(rounds)]
        return Timed(seconds, field)


def _seconds(run: Callable[[], object]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def share_row(network: nn.Module, pair: tuple[Tensor, Tensor]) -> Mapping[str, float]:
    """Percent of the time of one pair that each kind of work takes."""
    from torch.profiler import ProfilerActivity, profile

    with torch.inference_mode():
        network(*pair)
        with profile(activities=[ProfilerActivity.CPU]) as seen:
            network(*pair)
    spent = dict.fromkeys((*GROUPS, REST), 0.0)
    for event in seen.key_averages():
        spent[group_of(event.key)] += event.self_cpu_time_total
    whole = sum(spent.values())
    return {name: 100 * each / whole for name, each in spent.items()}


def group_of(operation: str) -> str:
    """The kind of work of one of torch's operations."""
    return next((name for name, parts in GROUPS.items() if any(part in operation for part in parts)), REST)


def multiply_adds(network: nn.Module, pair: tuple[Tensor, Tensor]) -> float:
    """Of a pair: convolutions and matrix products."""
    from torch.utils.flop_counter import FlopCounterMode

    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(*pair)
    return counter.get_total_flops() / 2


def products_a_second(edge: int) -> float:
    """Multiply-adds a second of one large matrix product in single precision: what this processor can do."""
    one, other = torch.rand(edge, edge), torch.rand(edge, edge)
    torch.mm(one, other)
    return edge**3 / min(_seconds(lambda: torch.mm(one, other)) for _ in range(3))


@contextmanager
def _by_transforms(network: nn.Module) -> Iterator[nn.Module]:
    """The decoder, and images without high frequencies, by complex transforms of the full size; integrals likewise."""
    with ExitStack() as stack:
        for module in ("fourier_net", "fourier_net_plus"):
            stack.enter_context(patch(f"shared_models.registration.{module}.band_limited", by_transforms))
        stack.enter_context(_channels_first(network))
        stack.enter_context(_on_its_own_grid(network))
        yield network


@contextmanager
def _channels_first(network: nn.Module) -> Iterator[nn.Module]:
    _lay(network, torch.contiguous_format)
    yield network
    _lay(network, torch.channels_last_3d)


@contextmanager
def _on_its_own_grid(network: nn.Module) -> Iterator[nn.Module]:
    with patch.object(network, "coarseness", 1):
        yield network


def _lay(network: nn.Module, order: torch.memory_format) -> None:
    for weights in network.parameters():
        if weights.ndim == WEIGHT_AXES:
            weights.data = weights.data.contiguous(memory_format=order)


@contextmanager
def _in_bfloat16(network: nn.Module) -> Iterator[nn.Module]:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        yield network


@contextmanager
def _compiled(network: nn.Module) -> Iterator[nn.Module]:
    maps: Any = torch.compiler.disable(band_limited._axis_map)  # made once, in modes that a compiler does not follow
    with patch.object(band_limited, "_axis_map", maps):
        compiled: Any = torch.compile(network)
        yield compiled


WAYS: Mapping[str, Callable[[nn.Module], AbstractContextManager[nn.Module]]] = {
    TRANSFORMS: _by_transforms,
    PRODUCTS: _channels_first,
    OWN_GRID: _on_its_own_grid,
    LAST: nullcontext,
    HALF: _in_bfloat16,
    COMPILED: _compiled,
}


def note() -> str:
    """What a reader has to know."""
    return (
        f"Networks have their first weights, scaled so that points move by up to {MOVED:g} voxels, and images are "
        "noise: neither makes a difference to the time. Each way has a round to warm up, in which a compiled network "
        "is compiled. Shares are those of torch's own profiler. The "
        f"limit is how fast one product of two {SQUARE} x {SQUARE} matrices goes in single precision, with one thread."
    )
