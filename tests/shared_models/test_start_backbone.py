from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from shared_models import start_backbone
from shared_models.backbones import create_backbone
from shared_models.batches import batches
from shared_models.scaling import unit
from shared_models.start_backbone import (
    Settings,
    ViewTask,
    answers,
    new_network,
    normalised,
    pictures,
    weight_of,
)
from shared_models.training import Progress, Trained, train

TOY = Settings(architecture="test_resnet", size=32, classes=2, epochs=4, seed=3, batch=16)


def toy(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Speckle that is bright above or below."""
    random = np.random.default_rng(0)
    labels = np.arange(count) % 2
    images = random.integers(20, 60, (count, 32, 32))
    images[labels == 0, :16] += 180
    images[labels == 1, 16:] += 180
    return images.astype(np.uint8), labels


def learn(settings: Settings, images: np.ndarray, labels: np.ndarray) -> tuple[Trained, ViewTask, list[float]]:
    """What came of it, the task, and the mean loss so far after every step."""
    task = ViewTask(settings, images, labels, lambda network: {"right": np.mean(answers(network, images) == labels)})
    told: list[Progress] = []
    trained = train(task, settings.recipe(len(labels)), watch=told.append)
    return trained, task, [progress.loss for progress in told if progress.metrics is None]


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_first_losses_are_golden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start_backbone, "augmented", lambda images, _random: images)
    _, _, told = learn(TOY, *toy(48))
    steps = np.diff(np.array(told[:3]) * [1, 2, 3], prepend=0)
    assert steps == pytest.approx([0.64494, 0.65638, 0.36354], abs=1e-3)


def test_it_learns_a_toy() -> None:
    trained, _, told = learn(replace(TOY, epochs=12), *toy(64))
    assert told[0] == pytest.approx(np.log(2), abs=0.05)  # it knows nothing yet
    assert trained.history[-1]["right"] > 0.9
    assert trained.history[-1]["loss"] < 0.8 * told[0]


def test_the_seed_decides_everything() -> None:
    one, other, another = (learn(replace(TOY, epochs=1, seed=seed), *toy(32))[0] for seed in (3, 3, 4))
    assert same(one.state, other.state)
    assert not same(one.state, another.state)


@pytest.mark.parametrize(("images", "sizes"), [(70, [16] * 4), (64, [16] * 4), (5, [5])])
def test_every_batch_is_whole(images: int, sizes: list[int]) -> None:
    assert [len(rows) for rows in batches(0, images, TOY.recipe(images))] == sizes


def test_images_go_in_as_the_front_end_puts_them_in(tmp_path: Path) -> None:
    images, labels = toy(32)
    trained, task, _ = learn(replace(TOY, epochs=1), images, labels)
    save_file(trained.state, tmp_path / "start.safetensors")
    backbone = create_backbone(tmp_path / "start.safetensors", {"architecture": TOY.architecture, "size": 32})
    network: Any = task.network
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


def test_nobody_asked_no_answer() -> None:
    assert answers(new_network(TOY), np.zeros((0, 32, 32), np.uint8)).shape == (0,)
