from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load, save, save_file

from shared_models import start_backbone
from shared_models.backbones import create_backbone
from shared_models.scaling import unit
from shared_models.start_backbone import (
    Settings,
    Training,
    answers,
    new_network,
    normalised,
    pictures,
    rate_at,
    seed_of_step,
    weight_of,
)

TOY = Settings(architecture="test_resnet", size=32, classes=2, epochs=4, seed=3, batch=16)


def toy(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Speckle that is bright above or below."""
    random = np.random.default_rng(0)
    labels = np.arange(count) % 2
    images = random.integers(20, 60, (count, 32, 32))
    images[labels == 0, :16] += 180
    images[labels == 1, 16:] += 180
    return images.astype(np.uint8), labels


def run(training: Training, epochs: range, images: np.ndarray, labels: np.ndarray) -> list[float]:
    losses = []
    for epoch in epochs:
        batches = training.batches(epoch, len(images))
        for number, rows in enumerate(batches):
            steps = training.settings.epochs * len(batches)
            losses.append(training.step(epoch * len(batches) + number, steps, images[rows], labels[rows]))
    return losses


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_first_losses_are_golden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start_backbone, "augmented", lambda images, _random: images)
    losses = run(Training(TOY), range(1), *toy(48))
    assert losses == pytest.approx([0.64494, 0.65638, 0.36354], abs=1e-3)


def test_it_learns_a_toy() -> None:
    images, labels = toy(64)
    training = Training(replace(TOY, epochs=12))
    losses = run(training, range(12), images, labels)
    assert losses[0] == pytest.approx(np.log(2), abs=0.05)  # it knows nothing yet
    assert np.mean(answers(training.network, images) == labels) > 0.9
    assert np.mean(losses[-4:]) < 0.8 * losses[0]


def test_training_that_was_stopped_goes_on_bit_by_bit() -> None:
    images, labels = toy(40)
    whole, stopped, again = Training(TOY), Training(TOY), Training(TOY)
    losses = run(whole, range(4), images, labels)
    first = run(stopped, range(2), images, labels)
    torch.manual_seed(99)
    again.load(load(save(stopped.state())))
    assert first + run(again, range(2, 4), images, labels) == losses
    assert same(again.state(), whole.state())


def test_the_seed_decides_everything_and_nothing_else_is_touched() -> None:
    images, labels = toy(32)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one = Training(TOY)
    run(one, range(1), images, labels)
    assert torch.equal(torch.rand(1), expected)
    other = Training(TOY)
    assert not same(one.state(), other.state())
    run(other, range(1), images, labels)
    assert same(one.state(), other.state())
    assert not same(Training(TOY).weights(), Training(replace(TOY, seed=4)).weights())


def test_batches_are_parts_of_a_shuffle() -> None:
    training = Training(TOY)
    rows = np.concatenate(training.batches(0, 70))
    assert [len(batch) for batch in training.batches(0, 70)] == [16] * 4
    assert len(set(rows)) == 64
    assert not np.array_equal(rows, np.concatenate(training.batches(1, 70)))
    assert [len(batch) for batch in training.batches(0, 5)] == [5]


def test_the_rate_rises_in_a_line_and_falls_as_half_a_cosine() -> None:
    settings = replace(TOY, warm_up=0.1)
    rates = [rate_at(step, 100, settings) for step in range(100)]
    assert np.allclose(rates[:10], settings.rate * np.arange(1, 11) / 10)
    assert max(rates) == pytest.approx(settings.rate)
    assert rates[55] == pytest.approx(settings.rate * (0.01 + 0.99 / 2))  # half-way down
    assert np.all(np.diff(rates[10:]) < 0)
    assert rates[99] < 0.012 * settings.rate


def test_every_step_has_a_seed_of_its_own() -> None:
    seeds = {seed_of_step(seed, number) for seed in range(4) for number in range(50)}
    assert len(seeds) == 200
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_images_go_in_as_the_front_end_puts_them_in(tmp_path: Path) -> None:
    images, labels = toy(32)
    training = Training(TOY)
    run(training, range(1), images, labels)
    save_file(training.weights(), tmp_path / "start.safetensors")
    backbone = create_backbone(tmp_path / "start.safetensors", {"architecture": TOY.architecture, "size": 32})
    network = training.network.eval()
    with torch.inference_mode():
        shown = normalised(pictures(images[:1]), network)
        pooled = network.forward_head(network.forward_features(shown), pre_logits=True)[0]
    assert np.allclose(backbone(images[0]), unit(pooled.double().numpy()), atol=1e-6)


def test_weights_are_counted_without_making_them() -> None:
    tensors = new_network(TOY).state_dict().values()
    assert weight_of(TOY) == sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    assert weight_of(replace(TOY, architecture="vit_giant_patch14_224")) > 2**31


@pytest.mark.parametrize("name", ["resnet_of_mine", "hf-hub:timm/resnet18"])
def test_names_that_are_not_timms_own_are_refused(name: str) -> None:
    for ask in (weight_of, new_network):
        with pytest.raises(ValueError, match="timm has no architecture"):
            ask(replace(TOY, architecture=name))


def test_a_size_that_an_architecture_does_not_take_is_told_in_one_line() -> None:
    with pytest.raises(ValueError, match="'vit_tiny_patch16_224' takes no images of 32 pixels") as told:
        new_network(replace(TOY, architecture="vit_tiny_patch16_224"))
    assert "\n" not in str(told.value)


def test_the_state_of_another_training_is_refused() -> None:
    other = Training(replace(TOY, architecture="test_efficientnet"))
    for state in (other.state(), {"optimiser.exp_avg.none": torch.zeros(1)}, {}):
        with pytest.raises(ValueError, match="the state of another training"):
            Training(TOY).load(state)


def test_a_loss_that_is_no_number_is_told() -> None:
    training = Training(TOY)
    with torch.no_grad():
        next(training.network.parameters()).fill_(torch.nan)
    images, labels = toy(4)
    with pytest.raises(ValueError, match="went astray at step 7"):
        training.step(7, 10, images, labels)


def test_nobody_asked_no_answer() -> None:
    assert answers(new_network(TOY), np.zeros((0, 32, 32), np.uint8)).shape == (0,)
