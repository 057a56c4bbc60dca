"""A network learns where textures went from pairs alone; a validation tells what analytic fields would say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from shared_models.recipe import Recipe
from shared_models.registration.fields import to_normalised
from shared_models.registration.fourier_net import FourierNet
from shared_models.registration.fourier_net_plus import FourierNetPlus
from shared_models.registration.network import RegistrationNetwork
from shared_models.registration.registration_loss import RegistrationLoss
from shared_models.registration.registration_training import (
    DICE,
    FOLDED,
    SIMILARITY,
    ImagePairs,
    RegistrationTask,
    both_ways,
)
from shared_models.training import train
from tests.shared_models.registration.textures import texture

CPU = torch.device("cpu")
SQUARES = RegistrationLoss("mse", 1e-3)
BACK_AND_FORTH = both_ways([(0, 1)])


class Shift(RegistrationNetwork):
    """Says the same shift of every pair, in voxels along the second axis."""

    def __init__(self, voxels: float) -> None:
        super().__init__(2, 1, diffeomorphic=False, padding="zeros")
        self.voxels = torch.nn.Parameter(torch.tensor(voxels))

    def estimate(self, moving: Tensor, fixed: Tensor) -> Tensor:  # noqa: ARG002
        along = self.voxels * torch.ones_like(moving)
        return to_normalised(torch.cat([torch.zeros_like(along), along], dim=1))


def squares(*columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Images and label maps of a square of 4 beginning at a column, with a bar of another label above it."""
    labels = np.zeros((len(columns), 16, 16), np.uint8)
    for image, column in zip(labels, columns, strict=True):
        image[8:12, column : column + 4] = 1
        image[4:6, column : column + 4] = 3
    return labels.astype(np.float32) / 3, labels


def test_it_learns_where_textures_went() -> None:
    torch.manual_seed(0)
    wholes = [texture((32, 36), seed) for seed in range(6)]
    images = np.stack([whole[:, begin : begin + 32] for whole in wholes for begin in (0, 2)])
    pairs = ImagePairs(images, np.array([(2 * k, 2 * k + 1) for k in range(6)]))
    train_pairs, held = ImagePairs(images, pairs.pairs[:5]), ImagePairs(images, pairs.pairs[5:])
    network = FourierNet(2, 4)
    task = RegistrationTask(network, train_pairs, held, loss=SQUARES)
    before = task.validate()
    recipe = Recipe(epochs=15, batch=5, rate=3e-3, seed=0, optimiser="adam", metric=SIMILARITY, smallest=True)
    trained = train(task, recipe, device="cpu")
    assert trained.history[-1]["loss"] < trained.history[0]["loss"] / 3
    assert task.validate()[SIMILARITY] < before[SIMILARITY] / 2
    assert not network.training


def test_the_loss_is_that_of_the_pairs_in_their_order() -> None:
    images, _ = squares(4, 7)
    there = RegistrationTask(Shift(-3.0), ImagePairs(images, BACK_AND_FORTH), loss=SQUARES)
    found = [there.loss(np.array([row]), torch.Generator(), CPU).item() for row in range(2)]
    assert there.examples == 2
    assert found[0] == pytest.approx(0, abs=1e-9)  # the moving square lies three columns to the left
    assert found[1] > 0.01
    both = there.loss(np.arange(2), torch.Generator(), CPU).item()
    assert both == pytest.approx(sum(found) / 2)


def test_a_validation_of_known_shifts() -> None:
    images, labels = squares(4, 7)
    exact = RegistrationTask(
        Shift(-3.0), ImagePairs(images, BACK_AND_FORTH), ImagePairs(images, BACK_AND_FORTH[:1], labels), loss=SQUARES
    )
    assert exact.validate() == pytest.approx({SIMILARITY: 0, FOLDED: 0, DICE: 1}, abs=1e-6)
    still = RegistrationTask(
        Shift(0.0), ImagePairs(images, BACK_AND_FORTH), ImagePairs(images, BACK_AND_FORTH, labels), loss=SQUARES
    )
    assert still.validate()[DICE] == pytest.approx(1 / 4)  # a column of four is left in both structures
    assert still.validate()[SIMILARITY] == pytest.approx(2 * 3 * (4 / 9 + 2) / 256)  # of six columns


def test_folds_are_told_in_percent() -> None:
    class Folding(Shift):
        def estimate(self, moving: Tensor, fixed: Tensor) -> Tensor:
            back = -2 * torch.arange(moving.shape[-1], dtype=torch.float32).expand_as(moving)
            return to_normalised(torch.cat([torch.zeros_like(back), back], dim=1)) + 0 * super().estimate(moving, fixed)

    images, _ = squares(4, 7)
    held = ImagePairs(images, BACK_AND_FORTH)
    assert RegistrationTask(Folding(0.0), held, held, loss=SQUARES).validate()[FOLDED] == 100


def test_without_a_validation_or_structures_nothing_is_said_of_them() -> None:
    images, labels = squares(4, 7)
    held = ImagePairs(images, BACK_AND_FORTH, 0 * labels)
    assert RegistrationTask(Shift(0.0), held, loss=SQUARES).validate() == {}
    assert set(RegistrationTask(Shift(0.0), held, held, loss=SQUARES).validate()) == {SIMILARITY, FOLDED}


def test_a_penalty_is_added_to_the_loss() -> None:
    images, _ = squares(4, 7)
    held = ImagePairs(images, BACK_AND_FORTH)
    given: list[tuple[torch.Size, torch.Size]] = []

    def penalty(_network: torch.nn.Module, seen: Tensor, said: Tensor) -> Tensor:
        given.append((seen.shape, said.shape))
        return said.new_full((), 3.0)

    losses = [
        RegistrationTask(Shift(0.0), held, loss=SQUARES, penalty=each).loss(np.arange(2), torch.Generator(), CPU)
        for each in (None, penalty)
    ]
    assert (losses[1] - losses[0]).item() == pytest.approx(3)
    assert given == [((2, 2, 16, 16), (2, 2, 16, 16))]


@pytest.mark.parametrize("network", [FourierNet(2, 4), FourierNet(2, 4, diffeomorphic=True), FourierNetPlus(2, 4, 2)])
def test_half_the_precision_gives_nearly_the_same_loss(network: RegistrationNetwork) -> None:
    images = np.stack([texture((32, 32), seed) for seed in range(2)])
    task = RegistrationTask(network, ImagePairs(images, BACK_AND_FORTH), loss=SQUARES)
    whole = task.loss(np.arange(2), torch.Generator(), CPU).item()
    with torch.autocast("cpu", torch.bfloat16):
        loss = task.loss(np.arange(2), torch.Generator(), CPU)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(whole, rel=0.05)
    assert all(weights.grad is not None and weights.grad.isfinite().all() for weights in network.parameters())


def test_pairs_in_both_directions() -> None:
    assert both_ways([(0, 1), (3, 2)]).tolist() == [[0, 1], [3, 2], [1, 0], [2, 3]]
    assert both_ways([]).shape == (0, 2)


def test_what_does_not_go_together() -> None:
    images, labels = squares(4, 7)
    with pytest.raises(ValueError, match="pairs name images 0 to 2; there are 2"):
        ImagePairs(images, np.array([[0, 2]]))
    with pytest.raises(ValueError, match=r"pairs are \(p, 2\) numbers of images, not \(2,\)"):
        ImagePairs(images, np.array([0, 1]))
    with pytest.raises(ValueError, match=r"images are \(2, 16, 16\), their label maps \(1, 16, 16\)"):
        ImagePairs(images, BACK_AND_FORTH, labels[:1])
    with pytest.raises(ValueError, match="no numbers"):
        ImagePairs(images * np.float32("nan"), BACK_AND_FORTH)
    with pytest.raises(ValueError, match="images of 2 dimensions, and a network of 3"):
        RegistrationTask(FourierNet(3, 2), ImagePairs(images, BACK_AND_FORTH), loss=SQUARES)
