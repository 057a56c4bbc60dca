"""``python -m benchmarks.registration_cost METHOD CHOICE PAIR.npz ROUNDS``: what a pair costs, in a process of its own.

Memory is what the process holds at most during its first pair above what it held when the method was loaded and had
been asked about a tiny pair, which loads libraries. Times are of the rounds that follow, of which a method that takes
long has fewer: over a third of a minute, its first pair is all, and over a minute no other process measures it again.
Field and images are in main memory, as arrays. What networks would learn makes no difference to either, so that they
have their first weights.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peak_memory import peak_of
from benchmarks.registration_scores import Floats

TINY = 32  # voxels a side
LONG_ENOUGH = 60.0  # seconds of rounds, after which there are no more of them
NO_WARMING_UP = 20.0  # seconds of a pair that is long enough to be measured without one before it
THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")


@dataclass(frozen=True)
class Cost:
    """Of one pair.

    Attributes:
        seconds: of every round.
        peak_bytes: above the baseline.
        parameters: of a network; None of other methods.
        multiply_adds: of a network's convolutions and products, not of Fourier transforms and warps.
    """

    seconds: list[float]
    peak_bytes: int
    parameters: int | None = None
    multiply_adds: int | None = None

    @property
    def median(self) -> float:
        """Seconds."""
        return float(np.median(self.seconds))

    @property
    def once_is_enough(self) -> bool:
        """Whether a pair takes so long that no other need be waited for."""
        return self.median > LONG_ENOUGH


def in_process(name: str, choice: int, pair: Path, rounds: int, threads: int = 1) -> Cost:
    """What a pair costs a method in a fresh process.

    Raises:
        RuntimeError: the process failed.
    """
    command = [sys.executable, "-m", "benchmarks.registration_cost", name, str(choice), str(pair), str(rounds)]
    environment = os.environ | dict.fromkeys(THREAD_SETTINGS, str(threads))
    run = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, cwd=_root())
    if run.returncode:
        raise RuntimeError(f"{name} ended with {run.returncode}:\n{run.stderr[-2000:]}")
    return Cost(**json.loads(run.stdout.splitlines()[-1]))


def joined(visits: Sequence[Cost]) -> Cost:
    """Of several processes: all rounds, and the median of their peaks."""
    first = visits[0]
    return Cost(
        [taken for each in visits for taken in each.seconds],
        int(np.median([each.peak_bytes for each in visits])),
        first.parameters,
        first.multiply_adds,
    )


def write_pair(path: Path, moving: Floats, fixed: Floats) -> None:
    """What a process reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, moving=moving, fixed=fixed)


def cost(name: str, choice: int, moving: Floats, fixed: Floats, rounds: int) -> Cost:
    """In this process, which should have done nothing else."""
    field, counts = _loaded(name, choice, moving, fixed)
    tiny = (slice(0, TINY),) * moving.ndim
    field(np.ascontiguousarray(moving[tiny]), np.ascontiguousarray(fixed[tiny]))
    first: list[float] = []
    peak = peak_of(lambda: first.append(_seconds(lambda: field(moving, fixed))))
    seconds = first if first[0] > NO_WARMING_UP else _timed(lambda: field(moving, fixed), rounds)
    return Cost(seconds, peak, **(counts() if counts else {}))


def _timed(run: Callable[[], object], rounds: int) -> list[float]:
    """Of every round: one, and others while there is time for them."""
    found: list[float] = []
    while len(found) < rounds and sum(found) < LONG_ENOUGH:
        found.append(_seconds(run))
    return found


def _seconds(run: Callable[[], object]) -> float:
    gc.collect()
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def _loaded(name: str, choice: int, moving: Floats, fixed: Floats) -> tuple[Callable[..., Any], Any]:
    """What is asked, and what counts a network afterwards, when it can do no harm."""
    import torch

    from benchmarks.registration_learning import field_of
    from benchmarks.registration_peers import CLASSICAL, fresh

    torch.set_num_threads(int(os.environ.get(THREAD_SETTINGS[0], "1")))
    if name in CLASSICAL:
        method = CLASSICAL[name]
        return lambda one, other: method.field(one, other, **method.choices[choice]), None
    network = fresh(name, moving.ndim, 0).eval()
    return (lambda one, other: field_of(network, one, other)), lambda: _counted(network, moving, fixed)


def _counted(network: Any, moving: Floats, fixed: Floats) -> Mapping[str, int]:
    from torch.utils.flop_counter import FlopCounterMode

    from benchmarks.registration_learning import field_of

    with FlopCounterMode(display=False) as counter:
        field_of(network, moving, fixed)
    return {
        "parameters": sum(weights.numel() for weights in network.parameters()),
        "multiply_adds": counter.get_total_flops() // 2,
    }


def _root() -> Path:
    return Path(__file__).resolve().parents[1]


def main(name: str, choice: str, pair: str, rounds: str) -> None:
    """Measure and print."""
    with np.load(pair) as held:
        moving, fixed = held["moving"], held["fixed"]
    print(json.dumps(asdict(cost(name, int(choice), moving, fixed, int(rounds)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
