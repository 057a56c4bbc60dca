"""A network that learns one site after another: what moves, what stays, and what is forgotten."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch

from shared_models.anchoring import Anchoring, anchor_of
from shared_models.continual import ContinualTask, accuracy, best_of, joined, learn, open_network, places, widen
from shared_models.distillation import Distillation
from shared_models.expert_training import Examples
from shared_models.recipe import Recipe
from shared_models.views import ExpertNetwork

CONFIG = {"side": 8, "width": 4}
RECIPE = Recipe(epochs=6, batch=8, rate=3e-3, seed=1, optimiser="adam", metric="accuracy")
PLACES = (slice(0, 4), slice(4, 8))


def new(classes: int, seed: int = 0) -> ExpertNetwork:
    return open_network("small_resnet18", {"classes": classes, **CONFIG}, seed)


def examples(classes: tuple[int, ...], count: int = 24, seed: int = 0, level: float = 0.4) -> Examples:
    """Class 0 is bright above, 1 below, 2 all over, 3 nowhere."""
    random = np.random.default_rng(seed)
    labels = np.array(classes, dtype=np.int64)[np.arange(count) % len(classes)]
    images = random.integers(20, 60, (count, 8, 8))
    for row, label in enumerate(labels):
        for place in {0: PLACES[:1], 1: PLACES[1:], 2: PLACES, 3: ()}[int(label)]:
            images[row, place] += 170
    return Examples(images.astype(np.uint8), labels, level, 0.3)


def outputs(expert: ExpertNetwork) -> torch.Tensor:
    return expert.network.get_classifier().weight.detach().clone()


def test_the_task_is_learnt() -> None:
    expert = new(3)
    learn(expert, examples((0, 1, 2), 48), columns=(0, 1, 2), recipe=RECIPE, validation=examples((0, 1, 2), seed=1))
    assert accuracy(expert, [examples((0, 1, 2), seed=2)], (0, 1, 2)) > 0.8


def test_outputs_of_classes_that_a_site_does_not_label_stay_bit_for_bit_and_the_backbone_moves() -> None:
    expert = new(3)
    before, stem = outputs(expert), expert.network.conv1.weight.detach().clone()
    learn(expert, examples((0, 2)), columns=(0, 2), recipe=RECIPE)
    assert torch.equal(outputs(expert)[1], before[1])
    assert not torch.equal(outputs(expert)[0], before[0])
    assert not torch.equal(expert.network.conv1.weight, stem)


def test_a_penalty_is_added_to_cross_entropy_over_the_columns() -> None:
    expert, given = new(3), examples((0, 2))
    rows = np.arange(6)

    def loss(penalty=None) -> float:
        task = ContinualTask(expert, given, None, (0, 2), penalty)
        return task.loss(rows, torch.Generator().manual_seed(4), torch.device("cpu")).item()

    asked = []

    def three(*given) -> torch.Tensor:
        asked.append(given)
        return torch.tensor(3.0)

    assert loss(three) == pytest.approx(loss() + 3.0)
    network, shown, logits = asked[0]
    assert network is expert.network
    assert torch.equal(network(shown), logits)
    by_hand = torch.nn.functional.cross_entropy(logits[:, [0, 2]], torch.from_numpy(given.labels[rows] // 2))
    assert loss() == pytest.approx(by_hand.item())


def test_a_site_of_one_class_teaches_nothing() -> None:
    expert = new(2)
    before = deepcopy(expert.network.state_dict())
    learn(expert, examples((1,)), columns=(1,), recipe=RECIPE)
    assert all(torch.equal(tensor, before[name]) for name, tensor in expert.network.state_dict().items())


def test_outputs_are_added_and_those_that_were_there_stay() -> None:
    expert, same, other = new(2), new(2), new(2)
    before = outputs(expert)
    for each, seed in ((expert, 5), (same, 5), (other, 6)):
        widen(each, 4, seed)
    assert torch.equal(outputs(expert)[:2], before)
    assert torch.equal(outputs(expert), outputs(same))
    assert not torch.equal(outputs(expert)[2:], outputs(other)[2:])
    assert expert.look(examples((0,), 3).images, 0.4, 0.3).logits.shape == (3, 4)
    with pytest.raises(ValueError, match="4 classes cannot become 3"):
        widen(expert, 3, 0)


def test_outputs_have_no_bias() -> None:
    assert new(2).network.get_classifier().bias is None


def test_images_of_several_sites_keep_their_own_grey_levels() -> None:
    one, other = examples((0, 1), 4, level=0.2), examples((2,), 3, level=0.6)
    both, expert = joined([one, other]), new(3)
    assert both.labels.tolist() == [0, 1, 0, 1, 2, 2, 2]
    shown = expert.given(both.images, both.mean, both.deviation)
    parts = [expert.given(part.images, part.mean, part.deviation) for part in (one, other)]
    assert torch.equal(shown, torch.cat(parts))


def test_the_best_class_is_sought_among_the_columns() -> None:
    expert, given = new(3), examples((0, 1, 2))
    logits = expert.look(given.images, given.mean, given.deviation).logits
    assert np.array_equal(best_of(expert, given, (2, 0)), np.where(logits[:, 2] >= logits[:, 0], 2, 0))
    assert np.isnan(accuracy(expert, [], (0, 1)))
    assert places((3, 1)).tolist() == [-1, 1, -1, 0]


def after_another_site(first: ExpertNetwork, penalty) -> ExpertNetwork:
    expert = deepcopy(first)
    learn(expert, examples((2, 3), 48), columns=(2, 3), recipe=RECIPE, penalty=penalty)
    return expert


def test_what_holds_the_old_knowledge_holds_it() -> None:
    """The same second site after the same first one: an anchor holds the weights, distillation the answers."""
    first, shown = new(4), examples((0, 1), seed=3)
    learn(first, examples((0, 1), 48), columns=(0, 1), recipe=RECIPE)
    plain = after_another_site(first, None)
    anchored = after_another_site(first, Anchoring((anchor_of(first.network),), 10.0))
    distilled = after_another_site(first, Distillation(first.network, 10.0))

    def moved(expert: ExpertNetwork) -> float:
        pairs = zip(first.network.parameters(), expert.network.parameters(), strict=True)
        return sum(float((one - other).detach().square().sum()) for one, other in pairs)

    def changed(expert: ExpertNetwork) -> float:
        said = [each.look(shown.images, shown.mean, shown.deviation).logits[:, 0] for each in (first, expert)]
        return float(np.abs(said[1] - said[0]).mean())

    assert moved(anchored) < 0.3 * moved(plain)
    assert changed(distilled) < 0.7 * changed(plain)


def test_the_first_losses_are_golden() -> None:
    expert, found = new(3), []
    recipe = Recipe(epochs=2, batch=8, rate=3e-3, seed=1, optimiser="adam")
    watch = lambda progress: found.append(progress.loss) if progress.metrics is not None else None  # noqa: E731
    learn(expert, examples((0, 1, 2)), columns=(0, 1, 2), recipe=recipe, watch=watch)
    assert found == pytest.approx([1.1566, 0.9312], abs=2e-3)
