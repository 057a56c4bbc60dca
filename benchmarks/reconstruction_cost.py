"""``python -m benchmarks.reconstruction_cost PRESET METHOD VIEWS ROUNDS``: what a heart costs, in its own process.

Seconds are from pictures to a volume, of one heart, with one thread. Memory is what learning holds at most during
its first step above what was held before, gradients and the optimiser's state included: on an accelerator its own
memory, else the process'. First weights cost what learnt ones do.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from benchmarks.incremental.code import ROOT
from benchmarks.peak_memory import peak_of
from benchmarks.reconstruction_counts import multiply_adds
from benchmarks.reconstruction_hearts import Seen, hearts
from benchmarks.reconstruction_methods import (
    DISCS,
    NETWORKS,
    discs_ml,
    fresh,
    recipe,
    shape_answer,
    shape_model,
    task,
)
from benchmarks.reconstruction_settings import PRESETS, QUICK, STANDARD, VENTRICLE, VIEWS, WALLS, Setting
from shared_models.training import Task, train

THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Cost:
    """Of one heart.

    Attributes:
        seconds: of every round.
        training_bytes: above the baseline, of one step; None where nothing is learnt step by step.
        parameters: of a network.
        multiply_adds: of a network, for one heart.
    """

    seconds: list[float]
    training_bytes: int | None = None
    parameters: int | None = None
    multiply_adds: int | None = None

    @property
    def median(self) -> float:
        """Seconds."""
        return float(np.median(self.seconds))


def in_process(preset: str, method: str, views: int, rounds: int) -> Cost:
    """What a heart costs a method in a fresh process.

    Raises:
        RuntimeError: the process failed.
    """
    command = [sys.executable, "-m", "benchmarks.reconstruction_cost", preset, method, str(views), str(rounds)]
    environment = os.environ | dict.fromkeys(THREAD_SETTINGS, "1")
    run = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, cwd=ROOT)
    if run.returncode:
        raise RuntimeError(f"{method} ended with {run.returncode}:\n{run.stderr[-2000:]}")
    return Cost(**json.loads(run.stdout.splitlines()[-1]))


def cost(setting: Setting, method: str, views: int, rounds: int) -> Cost:
    """In this process, which should have done nothing else."""
    import torch

    torch.set_num_threads(1)
    own = [
        Seen(heart, VIEWS[views], VENTRICLE if method == DISCS else WALLS) for heart in hearts(range(1), setting.edge)
    ]
    if method in NETWORKS:
        return _of_a_network(setting, method, views, own, rounds)
    if method == DISCS:
        return Cost(_timed(lambda: discs_ml(own[0]), rounds))
    known = hearts(range(1 + max(setting.modes) // len(own) + 1), setting.edge)
    answer = shape_answer(shape_model([one.example.target for one in known], max(setting.modes)), 1.0)
    return Cost(_timed(lambda: answer(own[0]), rounds))


def _of_a_network(setting: Setting, method: str, views: int, own: list[Seen], rounds: int) -> Cost:
    network, answer = fresh(method, setting, views, 0)
    batch = [own[number % len(own)] for number in range(setting.batch)]
    _load_libraries(method)
    peak = _training_peak(task(method, network, batch), setting, len(batch))
    return Cost(
        _timed(lambda: answer(own[0]), rounds),
        peak,
        sum(weights.numel() for weights in network.parameters()),
        multiply_adds(setting, method, views),
    )


def _load_libraries(method: str) -> None:
    """By a step of a tiny network."""
    tiny = [Seen(heart, VIEWS[STANDARD], WALLS) for heart in hearts(range(1), QUICK.edge)]
    train(task(method, fresh(method, QUICK, STANDARD, 0)[0], tiny), recipe(QUICK, QUICK.visits, 0))


def _training_peak(work: Task, setting: Setting, examples: int) -> int:
    """Bytes of the first step: a later one finds memory that the first has not handed back."""
    import torch

    once = recipe(setting, max(examples, setting.visits), 0)  # one epoch

    def step() -> None:
        train(work, once)

    if torch.cuda.is_available():
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        step()
        return int(torch.cuda.max_memory_allocated() - before)
    return peak_of(step)


def _timed(run: Callable[[], object], rounds: int) -> list[float]:
    run()
    found = []
    for _ in range(rounds):
        gc.collect()
        begun = time.perf_counter()
        run()
        found.append(time.perf_counter() - begun)
    return found


def main(preset: str, method: str, views: str, rounds: str) -> None:
    """Measure and print."""
    print(json.dumps(asdict(cost(PRESETS[preset], method, int(views), int(rounds)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
