from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from shared_models.expert_architectures import FEATURE
from shared_models.expert_training import (
    Examples,
    ExpertTask,
    Presentation,
    neural_mean_feature,
    new_expert,
    paper_recipe,
    small_recipe,
    train_expert,
)
from shared_models.recipe import Recipe
from shared_models.training import train
from shared_models.views import LEAST_DEVIATION, ExpertNetwork, own_grey_levels

ARCHITECTURE = "small_resnet18"
CONFIG: dict[str, Any] = {"classes": 2, "side": 8, "width": 4}
FEW = paper_recipe(epochs=3, batch=16)
GOLDEN = [0.6707, 0.6231, 0.4837]
HEAD = {"fc.weight", "fc.bias", FEATURE}


def examples(count: int = 48, side: int = 8, first: int = 0) -> Examples:
    """Speckle that is bright above or below, which turning and mirroring leave there."""
    random = np.random.default_rng(first)
    labels = np.arange(count) % 2
    images = random.integers(20, 60, (count, side, side))
    images[labels == 0, : side // 2] += 150
    images[labels == 1, side // 2 :] += 150
    return Examples(images.astype(np.uint8), labels, 0.45, 0.3)


def of_one_class() -> Examples:
    shown = examples()
    chosen = shown.labels == 0
    return replace(shown, images=shown.images[chosen], labels=shown.labels[chosen])


def loss_of(expert: ExpertNetwork, held: Examples) -> float:
    logits = expert.look(held.images, held.mean, held.deviation).logits
    return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(logits)), held.labels]))


def differences(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> set[str]:
    return {name for name, array in one.items() if not np.array_equal(array, other[name])}


@pytest.fixture(scope="module")
def base() -> ExpertNetwork:
    return train_expert(ARCHITECTURE, CONFIG, examples(), recipe=FEW)


def test_the_papers_recipe() -> None:
    assert paper_recipe() == Recipe(
        epochs=200, batch=64, rate=1e-3, seed=10, optimiser="adam", schedule="constant", metric="accuracy"
    )


def test_the_losses_are_golden() -> None:
    losses = []

    def watch(progress: Any) -> None:
        if progress.metrics is not None:
            losses.append(progress.loss)

    train_expert(ARCHITECTURE, CONFIG, examples(), recipe=FEW, device="cpu", watch=watch)
    assert losses == pytest.approx(GOLDEN, abs=2e-3)


def test_the_small_recipe_learns_more_in_a_few_epochs() -> None:
    held = examples(40, first=1)
    small, papers = (
        train_expert(ARCHITECTURE, CONFIG, examples(), recipe=recipe(epochs=4, batch=16))
        for recipe in (small_recipe, paper_recipe)
    )
    assert loss_of(small, held) < 0.75 * loss_of(papers, held)


def test_an_expert_learns_its_site() -> None:
    held = examples(40, first=1)
    expert = train_expert(ARCHITECTURE, CONFIG, examples(96), recipe=paper_recipe(epochs=8, batch=16), validation=held)
    best = expert.look(held.images, held.mean, held.deviation).logits.argmax(axis=1)
    assert np.mean(best == held.labels) > 0.9
    assert expert.digest.startswith("sha256:")


def test_all_layers_learn(base: ExpertNetwork) -> None:
    begun = new_expert(ARCHITECTURE, CONFIG, seed=10)
    assert differences(begun.state(), base.state()) == set(base.state())


def test_the_seed_decides_everything(base: ExpertNetwork) -> None:
    assert train_expert(ARCHITECTURE, CONFIG, examples(), recipe=FEW).digest == base.digest
    other = train_expert(ARCHITECTURE, CONFIG, examples(), recipe=replace(FEW, seed=11))
    assert other.digest != base.digest


def test_a_new_expert_begins_with_the_bases_backbone_and_its_own_classifier(base: ExpertNetwork) -> None:
    for classes in (2, 3):  # a classifier of the same size is of other labels too
        expert = new_expert(ARCHITECTURE, CONFIG | {"classes": classes}, seed=0, start=base.state())
        state = expert.state()
        assert state["fc.weight"].shape == (classes, 32)
        assert differences({name: array for name, array in state.items() if name not in HEAD}, base.state()) == set()
        assert not np.array_equal(state["fc.bias"][:2], base.state()["fc.bias"])
        assert not state[FEATURE].any()


def test_a_start_of_another_architecture_is_refused(base: ExpertNetwork) -> None:
    with pytest.raises(ValueError, match=r"tensor bn1.bias is .*4.* the network has .*6"):
        new_expert(ARCHITECTURE, CONFIG | {"width": 6}, seed=0, start=base.state())


def test_the_neural_mean_feature_is_of_images_as_they_are(base: ExpertNetwork) -> None:
    shown = examples()
    looked = base.look(shown.images, shown.mean, shown.deviation)
    discrepancy = base.discrepancy(looked)
    assert discrepancy is not None
    assert np.abs(discrepancy.mean(axis=0)).max() < 1e-4
    assert np.array_equal(base.state()[FEATURE], neural_mean_feature(base, shown))


def test_running_means_come_near_the_neural_mean_feature() -> None:
    """Near enough to tell its own images from darker ones, though they are of augmented images and older weights."""
    shown = examples(96)
    expert = train_expert(ARCHITECTURE, CONFIG, shown, recipe=paper_recipe(epochs=12, batch=16))
    dark = replace(shown, images=(shown.images // 4).astype(np.uint8))
    running = expert.batch_norm_means()
    own, foreign = (np.abs(running - neural_mean_feature(expert, one)).mean() for one in (shown, dark))
    assert own < 0.25 * foreign
    assert np.corrcoef(running, expert.state()[FEATURE])[0, 1] > 0.95


def test_one_class_keeps_the_bases_backbone_and_gets_a_silent_classifier(base: ExpertNetwork) -> None:
    shown = of_one_class()
    expert = train_expert(ARCHITECTURE, CONFIG | {"classes": 1}, shown, recipe=FEW, start=base.state())
    state = expert.state()
    assert expert.degenerate
    assert not base.degenerate
    assert differences({name: array for name, array in state.items() if name not in HEAD}, base.state()) == set()
    everything = examples(20, first=2)
    assert not expert.look(everything.images, everything.mean, everything.deviation).logits.any()
    assert np.array_equal(state[FEATURE], neural_mean_feature(expert, shown))
    assert expert.digest


def test_one_class_has_nothing_to_teach_even_if_it_were_trained(base: ExpertNetwork) -> None:
    """Why it is a case of its own: the loss is 0 whatever the weights."""
    expert = new_expert(ARCHITECTURE, CONFIG | {"classes": 1}, seed=0, start=base.state())
    task = ExpertTask(expert, of_one_class())
    loss = task.loss(np.arange(8), torch.Generator().manual_seed(0), torch.device("cpu"))
    loss.backward()
    assert float(loss.detach()) == 0
    assert all(not parameter.grad.any() for parameter in expert.network.parameters())


def test_the_loss_is_the_cross_entropy_of_augmented_images(base: ExpertNetwork) -> None:
    task, rows = ExpertTask(base, examples()), np.array([3, 4, 7])
    seeds = [torch.Generator().manual_seed(seed) for seed in (1, 1, 2)]
    losses = [float(task.loss(rows, generator, torch.device("cpu"))) for generator in seeds]
    scores = base.network(task.shown(rows, torch.Generator().manual_seed(1))).numpy()
    expected = np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(3), examples().labels[rows]]
    assert losses[0] == losses[1] == pytest.approx(expected.mean(), abs=1e-6)
    assert losses[2] != losses[0]


def test_every_image_is_normalised_by_its_own_site(base: ExpertNetwork) -> None:
    shown = examples(4)
    levels = np.array([0.1, 0.2, 0.3, 0.4])
    task = ExpertTask(base, replace(shown, mean=levels, deviation=levels))
    alone = ExpertTask(base, replace(shown, mean=0.3, deviation=0.3))
    shown_of = [one.shown(np.array([2]), torch.Generator().manual_seed(0)) for one in (task, alone)]
    assert torch.allclose(shown_of[0], shown_of[1])


def test_the_validation_is_the_accuracy_on_images_as_they_are(base: ExpertNetwork) -> None:
    held = examples(21, first=3)
    best = base.look(held.images, held.mean, held.deviation).logits.argmax(axis=1)
    assert ExpertTask(base, examples(), held).validate() == {"accuracy": np.mean(best == held.labels)}
    assert ExpertTask(base, examples()).validate() == {}
    nobody = replace(held, images=held.images[:0], labels=held.labels[:0])
    assert ExpertTask(base, examples(), nobody).validate() == {}


def test_images_are_scaled_once(base: ExpertNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    task = ExpertTask(base, examples(8, side=16), examples(4, side=16))
    monkeypatch.setattr("shared_models.views.resized", None)
    assert task.shown(np.arange(8), torch.Generator()).shape == (8, 1, 8, 8)
    assert "accuracy" in task.validate()


def test_every_class_has_an_image() -> None:
    with pytest.raises(ValueError, match=r"images of classes \[0\], each of 0 to 1 is to have some"):
        train_expert(ARCHITECTURE, CONFIG, of_one_class(), recipe=FEW)


def with_sectors(shown: Examples, share: float = 1.0) -> Examples:
    """A sector in the middle columns of a share of the images, the first ones."""
    sectors = np.zeros(shown.images.shape, dtype=np.bool_)
    sectors[: int(share * len(sectors)), :, 2:6] = True
    return replace(shown, sectors=sectors)


def test_with_no_background_changed_the_bits_are_those_of_the_network_alone(base: ExpertNetwork) -> None:
    shown, rows = with_sectors(examples()), np.array([3, 4, 7])
    task = ExpertTask(base, shown)
    given = base.given(shown.images[rows], 0.45, 0.3, augmentation=torch.Generator().manual_seed(1))
    assert torch.equal(task.shown(rows, torch.Generator().manual_seed(1)), given)
    assert train_expert(ARCHITECTURE, CONFIG, shown, recipe=FEW).digest == base.digest


def test_a_changed_background_leaves_the_sector_as_augmentation_alone_would(base: ExpertNetwork) -> None:
    shown, rows = with_sectors(examples(), 0.5), np.arange(48)
    plain, mixed = (
        ExpertTask(base, shown, presentation=Presentation(name)).shown(rows, torch.Generator().manual_seed(1))
        for name in ("none", "backmix")
    )
    changed = (plain != mixed).any(dim=(1, 2, 3))
    assert changed[:24].all()
    assert not changed[24:].any()
    middle = (slice(None), slice(None), slice(3, 5), slice(3, 5))  # inside however it is turned
    assert torch.equal(plain[middle], mixed[middle])


def test_backgrounds_are_mixed_before_grey_levels_are_taken(base: ExpertNetwork) -> None:
    """By each image's own levels, what the network is shown has mean 0 and deviation 1 whatever its background."""
    task = ExpertTask(base, with_sectors(examples()), presentation=Presentation("backmix", levels="image"))
    seen = task.shown(np.arange(24), torch.Generator().manual_seed(0)).flatten(1)
    assert torch.allclose(seen.mean(dim=1), torch.zeros(24), atol=1e-5)
    assert torch.allclose(seen.std(dim=1, correction=0), torch.ones(24), atol=1e-4)


def test_images_by_their_own_levels_are_validated_so(base: ExpertNetwork) -> None:
    held, own = examples(21, first=3), Presentation(levels="image")
    levels = own_grey_levels(held.images, 8)
    best = base.look(held.images, *levels).logits.argmax(axis=1)
    task = ExpertTask(base, examples(), held, own)
    assert task.validate() == {"accuracy": np.mean(best == held.labels)}
    expert = train_expert(ARCHITECTURE, CONFIG, held, recipe=FEW, presentation=own)
    assert np.array_equal(
        expert.state()[FEATURE], neural_mean_feature(expert, replace(held, mean=levels[0], deviation=levels[1]))
    )


def test_an_image_of_one_grey_is_shown_as_zeros(base: ExpertNetwork) -> None:
    flat = replace(examples(4), images=np.full((4, 8, 8), 90, np.uint8))
    task = ExpertTask(base, flat, presentation=Presentation(levels="image"))
    assert torch.allclose(task.shown(np.arange(4), torch.Generator().manual_seed(0)), torch.zeros(()), atol=1e-3)
    assert own_grey_levels(flat.images, 8)[1].tolist() == [LEAST_DEVIATION] * 4


def test_mixed_images_count_more_in_the_loss(base: ExpertNetwork) -> None:
    shown, rows = with_sectors(examples(), 0.25), np.array([0, 20, 40])
    plain, weighted = (ExpertTask(base, shown, presentation=Presentation("black", one)) for one in (0.0, 2.0))
    assert torch.equal(*(task.shown(rows, torch.Generator().manual_seed(1)) for task in (plain, weighted)))
    scores = base.network(plain.shown(rows, torch.Generator().manual_seed(1))).numpy()
    each = np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(3), examples().labels[rows]]
    for task, weights in ((plain, [1.0, 1.0, 1.0]), (weighted, [2.5, 0.5, 0.5])):
        loss = task.loss(rows, torch.Generator().manual_seed(1), torch.device("cpu"))
        assert float(loss) == pytest.approx((each * weights).mean(), abs=1e-6)


def test_sectors_are_scaled_with_their_images(base: ExpertNetwork) -> None:
    large = with_sectors(examples(8, side=16))
    assert large.sectors is not None
    large.sectors[:, :, :] = False
    large.sectors[:, :, 4:12] = True
    task = ExpertTask(base, large, presentation=Presentation("black"))
    dark = task.shown(np.arange(8), torch.Generator().manual_seed(0)).amin(dim=(1, 2, 3))
    assert torch.allclose(dark, torch.tensor(-0.45 / 0.3))


def test_backgrounds_are_changed_of_images_whose_sector_is_known() -> None:
    with pytest.raises(ValueError, match="the sector of no image is known"):
        train_expert(ARCHITECTURE, CONFIG, examples(), recipe=FEW, presentation=Presentation("backmix"))


def test_a_frozen_expert_is_not_trained(base: ExpertNetwork) -> None:
    before = base.state()
    with pytest.raises(ValueError, match="frozen"):
        train(ExpertTask(base, examples()), FEW)
    assert differences(before, base.state()) == set()


def test_a_training_that_was_stopped_goes_on_to_the_same_digest(base: ExpertNetwork, tmp_path: Path) -> None:
    def stop(progress: Any) -> None:
        if progress.epoch == 2 and progress.metrics is not None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_expert(ARCHITECTURE, CONFIG, examples(), recipe=FEW, folder=tmp_path, watch=stop)
    again = train_expert(ARCHITECTURE, CONFIG, examples(), recipe=FEW, folder=tmp_path)
    assert again.digest == base.digest
