"""A peer's loss is that of the task of ours, and its loop learns."""

from __future__ import annotations

import pytest
import torch

from benchmarks.throughput_ours import plain_network
from benchmarks.throughput_peers import Peer, loss_of
from benchmarks.throughput_subjects import CLASSES, Subject
from tests.benchmarks.throughput_toys import NAMES, TOYS


def _batch(subject: Subject) -> dict[str, torch.Tensor]:
    side = subject.side
    return {
        "image": torch.randn(3, 1, side, side),
        "label": torch.arange(3),
        "mask": torch.randint(0, 4, (3, 1, side, side)),
        "distance": torch.rand(3, 1, side, side),
        "points": torch.rand(3, 7, 2, dtype=torch.float64),
    }


@pytest.mark.parametrize("subject", TOYS, ids=NAMES)
def test_weights_change_by_learning_alone(subject: Subject) -> None:
    network, batch = plain_network(subject), _batch(subject)
    peer, weights = Peer(subject, network, [batch], [batch]), list(network.parameters())
    before = [weight.detach().clone() for weight in weights]
    peer.load()
    peer.ask()
    assert not network.training
    assert all(torch.equal(one, other) for one, other in zip(weights, before, strict=True))
    peer.learn()
    assert not all(torch.equal(one, other) for one, other in zip(weights, before, strict=True))


def test_masks_are_learnt_by_dice_and_cross_entropy_and_contours_by_all_their_parts() -> None:
    torch.manual_seed(0)
    images, points = plain_network(TOYS[2]), plain_network(TOYS[3])
    batch = _batch(TOYS[2])
    found = float(loss_of(TOYS[2], images, batch).detach())
    logits = images(batch["image"])
    entropy = float(torch.nn.functional.cross_entropy(logits, batch["mask"][:, 0]).detach())
    assert entropy < found < entropy + 1
    far = batch | {"points": batch["points"] + 5}
    assert float(loss_of(TOYS[3], points, far).detach()) > float(loss_of(TOYS[3], points, batch).detach()) + 4


def test_views_are_learnt_by_cross_entropy() -> None:
    def says_nothing(images: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(images), CLASSES)

    assert float(loss_of(TOYS[0], says_nothing, _batch(TOYS[0]))) == pytest.approx(torch.tensor(CLASSES).log().item())
