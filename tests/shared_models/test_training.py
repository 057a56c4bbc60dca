from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from shared_models.recipe import Optimiser, Precision, Recipe
from shared_models.schedules import rate_at
from shared_models.training import Progress, Trained, chosen_device, train
from tests.shared_models.training_toys import RECIPE, Toy, Weight, same

PLAIN = Recipe(epochs=6, batch=2, rate=0.1, seed=1)


def learnt(task: Toy | Weight, recipe: Recipe, **options: Path) -> Trained:
    return train(task, recipe, device="cpu", **options)  # type: ignore[arg-type]


# What a step does


def test_plain_descent_on_a_parabola_is_its_recursion() -> None:
    task = Weight(1.0, "square")
    learnt(task, replace(PLAIN, optimiser="sgd"))
    weight, speed, expected = 1.0, 0.0, []
    for _ in range(12):
        expected.append(weight)
        speed = 0.9 * speed + weight
        weight -= 0.1 * speed
    assert task.trace == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("optimiser", ["adam", "adamw"])
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_under_a_constant_slope_adam_goes_as_far_as_the_rate(optimiser: Optimiser, schedule: str) -> None:
    task = Weight(0.0)
    learnt(task, replace(PLAIN, optimiser=optimiser, schedule=schedule, warm_up=0.25))  # type: ignore[arg-type]
    rates = [rate_at(step, 12, rate=0.1, schedule=schedule, warm_up=0.25) for step in range(11)]  # type: ignore[arg-type]
    assert -np.diff(task.trace) == pytest.approx(rates, rel=1e-5)


def test_decay_is_taken_off_the_weight_or_added_to_the_slope() -> None:
    traces = {}
    for optimiser in ("adamw", "adam", "sgd"):
        task = Weight(2.0, "nothing")
        learnt(task, replace(PLAIN, optimiser=optimiser, decay=0.5))
        traces[optimiser] = task.trace
    assert traces["adamw"] == pytest.approx([2 * 0.95**step for step in range(12)], rel=1e-5)
    assert traces["adam"][1] == pytest.approx(2 - 0.1, rel=1e-5)  # a slope of any height is a step of the rate
    assert traces["sgd"][1] == pytest.approx(2 - 0.1 * 0.5 * 2)


def test_no_step_follows_more_slope_than_it_is_let() -> None:
    task = Weight(7.0, "square")
    learnt(task, replace(PLAIN, optimiser="sgd", clip=0.5))
    assert task.trace[1] == pytest.approx(7.0 - 0.1 * 0.5)


def test_the_average_is_kept_and_asked() -> None:
    task = Weight(0.0)
    task.validate = lambda: {"weight": float(task.network.weight.detach())}  # type: ignore[method-assign]
    trained = learnt(task, replace(PLAIN, optimiser="sgd", average=0.5))
    walked = [*task.trace[1:], np.nan]
    average, after = 0.0, []
    for step, weight in enumerate(walked, start=1):
        share = min(0.5, (1 + step) / (10 + step))
        average = share * average + (1 - share) * weight
        after.append(average)
    asked = [epoch["weight"] for epoch in trained.history]
    assert asked[:5] == pytest.approx(after[1:10:2], rel=1e-6)
    assert float(trained.state["weight"]) == asked[-1]
    assert same(trained.state, task.network.state_dict())


@pytest.mark.parametrize(
    ("precision", "able", "seen"),
    [
        ("float32", ["avx512_bf16", "amx_bf16"], torch.float32),
        ("auto", [], torch.float32),
        ("auto", ["avx512_bf16"], torch.bfloat16),
        ("auto", ["amx_bf16"], torch.bfloat16),
        ("bfloat16", [], torch.bfloat16),
    ],
)
def test_on_a_cpu_bfloat16_is_taken_if_asked_for_or_left_to_a_processor_that_multiplies_it(
    precision: Precision, able: list[str], seen: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True} | dict.fromkeys(able, True))
    task, types = Toy(), set()
    task.network[-1].register_forward_hook(
        lambda _layer, _given, scores: types.add((scores.dtype, task.network.training))
    )
    learnt(task, replace(RECIPE, precision=precision, epochs=1))
    assert types == {(seen, True), (torch.float32, False)}
    assert all(weights.dtype == torch.float32 for weights in task.network.parameters())


# What comes of it


def test_a_toy_is_learnt_and_its_numbers_are_golden() -> None:
    trained = learnt(Toy(), replace(RECIPE, epochs=12, rate=0.05))
    losses = [epoch["loss"] for epoch in trained.history]
    assert losses[::4] == pytest.approx([0.75588, 0.43654, 0.31336], abs=1e-4)
    assert losses[-1] == pytest.approx(0.29977, abs=1e-4)
    assert trained.history[-1]["right"] == pytest.approx(28 / 30, abs=1e-6)


def test_the_best_weights_are_kept_the_first_of_equal_ones() -> None:
    task = Toy()
    figures = iter([0.5, 0.8, 0.7, 0.8])
    kept: list[Mapping[str, torch.Tensor]] = []

    def validate() -> dict[str, float]:
        kept.append({name: tensor.clone() for name, tensor in task.network.state_dict().items()})
        return {"right": next(figures)}

    task.validate = validate  # type: ignore[method-assign]
    trained = learnt(task, RECIPE)
    assert (trained.epochs, trained.best_epoch) == (4, 2)
    assert same(trained.state, kept[1])
    assert same(task.network.state_dict(), kept[1])
    assert not task.network.training


def test_without_a_metric_the_last_weights_are_kept() -> None:
    task = Toy()
    trained = learnt(task, replace(RECIPE, metric="", average=None))
    assert trained.best_epoch == 4
    assert same(trained.state, task.network.state_dict())


def test_it_ends_when_patience_does() -> None:
    task = Toy()
    figures = iter([0.5, 0.4, 0.4, 0.3])
    task.validate = lambda: {"error": next(figures)}  # type: ignore[method-assign]
    trained = learnt(task, replace(RECIPE, epochs=50, metric="error", patience=2))
    assert (trained.epochs, trained.best_epoch) == (3, 1)


def test_every_step_and_every_epoch_is_told() -> None:
    told: list[Progress] = []
    trained = train(Toy(), RECIPE, device="cpu", watch=told.append)
    assert [(p.epoch, p.step, p.metrics is None) for p in told[:4]] == [
        (1, 1, True),
        (1, 2, True),
        (1, 3, True),
        (1, 3, False),
    ]
    assert len(told) == 4 * 4
    assert {(p.epochs, p.steps) for p in told} == {(4, 3)}
    ends = told[3::4]
    assert [{"epoch": p.epoch, "loss": p.loss, **(p.metrics or {})} for p in ends] == list(trained.history)
    assert [p.loss for p in told[2::4]] == [p.loss for p in ends]


def test_the_seed_decides_everything_and_nothing_else_is_touched() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one = learnt(Toy(), RECIPE)
    assert torch.equal(torch.rand(3), expected)
    assert same(one.state, learnt(Toy(), RECIPE).state)
    assert not same(one.state, learnt(Toy(), replace(RECIPE, seed=4)).state)


def test_frozen_weights_stay() -> None:
    task = Toy()
    task.network[0].weight.requires_grad_(False)
    before = task.network[0].weight.clone()
    trained = learnt(task, RECIPE)
    assert torch.equal(trained.state["0.weight"], before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_on_cuda_it_learns_the_same(tmp_path: Path) -> None:
    recipe = replace(RECIPE, precision="auto", epochs=8)
    on_cuda, on_cpu = train(Toy(), recipe, device="cuda", folder=tmp_path), learnt(Toy(), recipe)
    assert on_cuda.history[0]["loss"] == pytest.approx(on_cpu.history[0]["loss"], abs=0.1)
    assert on_cuda.state["0.weight"].device.type == "cpu"
    assert same(train(Toy(), recipe, device="cuda", folder=tmp_path).state, on_cuda.state)


# Stopped, it goes on


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trained, Path]:
    """A training that nothing interrupted, and its folder."""
    folder = tmp_path_factory.mktemp("straight")
    return learnt(Toy(), RECIPE, folder=folder), folder


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_folder_changes_nothing(straight: tuple[Trained, Path]) -> None:
    assert same(learnt(Toy(), RECIPE).state, straight[0].state)
    assert sorted(files(straight[1])) == ["checkpoint.safetensors", "metrics.jsonl"]


def test_killed_in_the_middle_it_goes_on_bit_by_bit(straight: tuple[Trained, Path], tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tests.shared_models.training_toys", str(tmp_path)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[2])
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "in the middle\n"
    finally:
        process.kill()
        process.communicate()
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 2
    torch.manual_seed(99)
    told: list[Progress] = []
    again = train(Toy(), RECIPE, folder=tmp_path, device="cpu", watch=told.append)
    assert (told[0].epoch, told[0].step) == (3, 1)  # what was done was not done again
    assert same(again.state, straight[0].state)
    assert again.history == straight[0].history
    assert files(tmp_path) == files(straight[1])


class Unlucky:
    """Presses Ctrl-C at every fifth word."""

    words = 0

    def __call__(self, _progress: Progress) -> None:
        self.words += 1
        if self.words % 5 == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("optimiser", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("average", [None, 0.9])
def test_interrupted_again_and_again_it_ends_the_same(
    tmp_path: Path, optimiser: Optimiser, average: float | None
) -> None:
    recipe = replace(RECIPE, optimiser=optimiser, average=average)
    whole = learnt(Toy(), recipe, folder=tmp_path / "whole")
    watch, trained = Unlucky(), None
    while trained is None:
        try:
            trained = train(Toy(), recipe, folder=tmp_path / "stopped", device="cpu", watch=watch)
        except KeyboardInterrupt:
            continue
    assert watch.words > 16
    assert same(trained.state, whole.state)
    assert files(tmp_path / "stopped") == files(tmp_path / "whole")
    assert [json.loads(line) for line in (tmp_path / "stopped" / "metrics.jsonl").read_text().splitlines()] == list(
        whole.history
    )


def test_what_is_done_is_not_done_again(straight: tuple[Trained, Path]) -> None:
    task = Toy()
    task.loss = lambda *_: pytest.fail("it learnt")  # type: ignore[method-assign]
    again = learnt(task, RECIPE, folder=straight[1])
    assert same(again.state, straight[0].state)
    assert same(task.network.state_dict(), straight[0].state)
    assert (again.epochs, again.best_epoch, again.history) == (4, straight[0].best_epoch, straight[0].history)


# What cannot be


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_loss_that_is_no_number_ends_it(value: float) -> None:
    task = Toy()
    learn, steps = task.loss, iter(range(100))
    task.loss = lambda *given: learn(*given) * (value if next(steps) == 4 else 1)  # type: ignore[method-assign]
    with pytest.raises(ValueError, match=r"^training went astray at step 4: its loss is (nan|inf)$"):
        learnt(task, RECIPE)


def test_weights_that_are_no_numbers_are_not_written(tmp_path: Path) -> None:
    task = Toy()
    learn, steps, weight = task.loss, iter(range(100)), task.network[0].weight

    def without_a_slope(*given: Any) -> torch.Tensor:
        cusp = ((weight - weight.detach()) ** 2).sum().sqrt()  # is 0, and its slope is no number
        return learn(*given) + (cusp if next(steps) == 5 else 0)

    task.loss = without_a_slope  # type: ignore[assignment,method-assign]
    with pytest.raises(ValueError, match=r"^training went astray in epoch 2: weights are no longer numbers$"):
        learnt(task, RECIPE, folder=tmp_path)
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize("examples", [17, 33, 2, 3])
def test_batch_norm_never_sees_one_alone(examples: int) -> None:
    trained = learnt(Toy(examples=examples), replace(RECIPE, samples_an_epoch=None, epochs=2))
    assert trained.epochs == 2


def test_one_example_is_too_few() -> None:
    with pytest.raises(ValueError, match="there are 1 examples to learn from; 2 are the fewest"):
        learnt(Toy(examples=1), RECIPE)


def test_a_metric_must_be_found() -> None:
    with pytest.raises(ValueError, match="metric 'f1' is not what the validation finds"):
        learnt(Toy(), replace(RECIPE, metric="f1"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_must_be_there() -> None:
    assert chosen_device("auto").type == "cpu"
    with pytest.raises(ValueError, match="there is no CUDA device; choose the CPU"):
        train(Toy(), RECIPE, device="cuda")
