"""How many images a second are learnt from and asked about, against the loops that users of PyTorch and MONAI write.

All do the same work on the same frames: augmentation, network, loss, Adam. They run in turns, round after round, and
what is compared are times of the same round. A peer's network is as its library makes it; one peer is given ours, which
tells how much of the difference is the network's layout and how much the loop.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

import torch

from benchmarks.claims import Claim, Measured, Row, at_least, told
from benchmarks.compute_limit import Machine, asked, better, measured
from benchmarks.paired_timing import Run, in_turns, rate, ratio
from benchmarks.throughput_monai import monai_asked, monai_loader
from benchmarks.throughput_ours import Ours, plain_network
from benchmarks.throughput_peers import Peer
from benchmarks.throughput_subjects import QUICK, SUBJECTS, Subject
from benchmarks.throughput_torch import torch_asked, torch_loader
from shared_models.recipe import Precision
from site_agent.progress import track

OURS, HALF = "ours", "ours, bfloat16"
TORCH, MONAI, GIVEN = "PyTorch", "MONAI", "PyTorch, our network"
TYPES: dict[Precision, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16}
FORMATS: dict[str, torch.memory_format | None] = {
    "contiguous": torch.contiguous_format,
    "channels-last": torch.channels_last,
}
MIXED = "its last layer channels-last"
FED = 1.5  # times as many images loaded as learnt from

Seconds = dict[str, list[float]]


@dataclass(frozen=True)
class Found:
    """Seconds of every loop in every round, of one subject; of every format and precision, those of a batch."""

    subject: Subject
    learning: Seconds
    asking: Seconds
    loading: Seconds
    steps: dict[tuple[str, Precision], list[float]]
    forwards: dict[tuple[str, Precision], list[float]]


def measure(*, quick: bool) -> Measured:
    """Every subject."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    subjects, before = QUICK if quick else SUBJECTS, os.getloadavg()[0]
    machines = _machines(quick)
    found = [_found(subject) for subject in track(subjects, total=len(subjects), what="networks")]
    after, networks = os.getloadavg()[0], [each for each in found if each.subject.kind != "backmix"]
    again = _machines(quick)
    machines = {name: better(machines[name], again[name]) for name in machines}
    rows = [
        *(row for each in found for row in _compared("Learning", each.learning, each.subject)),
        *(row for each in found for row in _compared("Asking", each.asking, each.subject)),
        *(row for each in found for row in _loaded(each)),
        *(row for each in networks for row in _formats(each)),
        *(row for each in networks for row in _limits(each, machines)),
    ]
    return Measured(rows=tuple(rows), claims=tuple(_claims(found)), notes=(_note(machines, before, after),))


def _machines(quick: bool) -> dict[Precision, Machine]:
    return {name: measured(kind, *((64, 2**16) if quick else ())) for name, kind in TYPES.items()}


def _found(subject: Subject) -> Found:
    ours, peers = Ours(subject), _peers(subject)
    learning: dict[str, Run] = {OURS: ours.learn, HALF: lambda: ours.learn("bfloat16")}
    alone = {name: peer for name, peer in peers.items() if name in (TORCH, MONAI)}
    return Found(
        subject,
        in_turns(learning | {name: peer.learn for name, peer in peers.items()}, subject.rounds),
        in_turns({OURS: ours.ask} | {name: peer.ask for name, peer in alone.items()}, subject.rounds),
        in_turns({OURS: ours.load} | {name: peer.load for name, peer in alone.items()}, subject.rounds),
        *_in_formats(subject),
    )


def _peers(subject: Subject) -> dict[str, Peer]:
    peers = {GIVEN: Peer(subject, Ours(subject).task.network, torch_loader(subject, 0), torch_asked(subject))}
    for workers in subject.workers:
        end = f", {workers} worker" if workers else ""
        peers[TORCH + end] = Peer(subject, plain_network(subject), torch_loader(subject, workers), torch_asked(subject))
        peers[MONAI + end] = Peer(subject, plain_network(subject), monai_loader(subject, workers), monai_asked(subject))
    return peers


def _in_formats(subject: Subject) -> tuple[dict[tuple[str, Precision], list[float]], ...]:
    """A step and a forward pass in every memory format and precision, not of BackMix: its network is the views'."""
    steps: dict[tuple[str, Precision], Callable[[], None]] = {}
    forwards: dict[tuple[str, Precision], Callable[[], None]] = {}
    formats = FORMATS | ({MIXED: None} if subject.kind == "contours" else {})
    for name, memory_format in formats.items() if subject.kind != "backmix" else ():
        ours = Ours(subject)
        if memory_format:
            ours.task.network.to(memory_format=memory_format)  # type: ignore[call-overload]
        for precision in TYPES:
            steps[name, precision] = lambda ours=ours, precision=precision: ours.step(precision)  # type: ignore[misc]
            forwards[name, precision] = lambda ours=ours, precision=precision: ours.forward(precision)  # type: ignore[misc]
    found = []
    for runs in (steps, forwards):
        taken = in_turns({str(key): run for key, run in runs.items()}, subject.rounds)
        found.append({key: taken[str(key)] for key in runs})
    return tuple(found)


def _compared(table: str, seconds: Seconds, subject: Subject) -> Iterator[Row]:
    for loop, taken in seconds.items():
        over = ratio(seconds[OURS], taken)
        yield {
            "table": table,
            "network": subject.name,
            "loop": loop,
            "images a second": rate(taken, subject.images),
            "ours over it": over.median,
            "least": over.least,
            "most": over.most,
        }


def _loaded(found: Found) -> Iterator[Row]:
    for loader, learner in ((OURS, OURS), (OURS, HALF), (TORCH, TORCH), (MONAI, MONAI)):
        yield {
            "table": "Loading alone, in the process that learns",
            "network": found.subject.name,
            "loop": learner,
            "images a second": rate(found.loading[loader], found.subject.images),
            "over learning": _fed(found, loader, learner),
        }


def _fed(found: Found, loader: str, learner: str) -> float:
    """How many times as many images are loaded as are learnt from."""
    return ratio(found.loading[loader], found.learning[learner]).median


def _formats(found: Found) -> Iterator[Row]:
    first = next(iter(found.steps))
    for key in found.steps:
        yield {
            "table": "Memory format and precision of our networks: one batch",
            "network": found.subject.name,
            "format": key[0],
            "precision": key[1],
            "learning, images a second": rate(found.steps[key], found.subject.batch),
            "over the first": ratio(found.steps[key], found.steps[first]).median,
            "asking, images a second": rate(found.forwards[key], found.subject.batch),
            "over the first's": ratio(found.forwards[key], found.forwards[first]).median,
        }


def _limits(found: Found, machines: dict[Precision, Machine]) -> Iterator[Row]:
    subject = found.subject
    for (precision, machine), loop in zip(machines.items(), (OURS, HALF), strict=True):
        ours, speed = Ours(subject), rate(found.learning[loop], subject.images)
        need = asked(lambda: ours.step(precision), machine)  # noqa: B023  # run at once
        limit = subject.batch / need.seconds
        yield {
            "table": "Learning, and the machine's limits",
            "network": subject.name,
            "precision": precision,
            "GFLOP an image": need.operations / subject.batch / 1e9,
            "MB an image": need.bytes / subject.batch / 1e6,
            "images a second": speed,
            "GFLOP a second": speed * need.operations / subject.batch / 1e9,
            "of the best": speed * need.operations / subject.batch / machine.operations,
            "limit, images a second": limit,
            "of the limit": speed / limit,
        }


def _claims(found: Sequence[Found]) -> Iterator[Claim]:
    yield at_least(
        "images loaded over images learnt from in bfloat16, the least of all networks",
        min(_fed(each, OURS, HALF) for each in found),
        "x",
        FED,
    )
    for peer in (TORCH, MONAI):
        yield at_least(
            f"images learnt from in float32, ours over {peer}, the least of all networks",
            _least(ratio(each.learning[OURS], each.learning[peer]).median for each in found),
            "x",
            1.0,
        )
        yield at_least(
            f"images asked about, ours over {peer}, the least of all networks",
            _least(ratio(each.asking[OURS], each.asking[peer]).median for each in found),
            "x",
            1.0,
        )
    yield told(
        "bfloat16 over float32, the least of all networks",
        _least(ratio(each.learning[HALF], each.learning[OURS]).median for each in found),
        "x",
    )


def _least(values: Iterable[float]) -> float:
    return min(values)


def _note(machines: dict[Precision, Machine], before: float, after: float) -> str:
    best = ", ".join(
        f"{machines[name].operations / 1e9:,.0f} GFLOP a second in {name}" for name in get_args(Precision)[:2]
    )
    moved = machines["float32"].bytes / 1e9
    return (
        f"The best matrix product or convolution came to {best}, a copy to {moved:.0f} GB a second read and written. "
        f"The load of the machine was {before:.1f} before and {after:.1f} after. Ratios are medians of rounds, with "
        "the least and most."
    )
