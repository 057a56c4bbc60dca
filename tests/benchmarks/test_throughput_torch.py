"""What a loader of torchvision gives has the shapes and the scale of what our networks are given."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from benchmarks.throughput_subjects import Subject, frames_of
from benchmarks.throughput_torch import torch_asked, torch_loader
from tests.benchmarks.throughput_toys import NAMES, TOYS

TARGETS: dict[str, dict[str, tuple[int, ...]]] = {
    "views": {"label": (3,)},
    "backmix": {"label": (3,)},
    "masks": {"mask": (3, 1, 32, 32)},
    "contours": {"distance": (3, 1, 32, 32), "points": (3, 7, 2)},
}


@pytest.mark.parametrize("subject", TOYS, ids=NAMES)
def test_batches_hold_every_image_once_augmented(subject: Subject) -> None:
    torch.manual_seed(0)
    loader = torch_loader(subject, 0)
    (one,), (other,) = list(loader), list(loader)
    shapes = {name: tuple(given.shape) for name, given in one.items()}
    assert shapes == {"image": (3, 1, 32, 32)} | TARGETS[subject.kind]
    assert not torch.equal(one["image"], other["image"])
    if "label" in one:
        assert sorted(one["label"].tolist()) == [0, 1, 2]
        assert -2.5 < float(one["image"].min()) < 0 < float(one["image"].max()) < 6
    else:
        assert float(one["image"].mean()) == pytest.approx(0, abs=1e-4)


def test_masks_are_turned_and_keep_their_numbers() -> None:
    (batch,) = torch_loader(TOYS[2], 0)
    assert set(batch["mask"].unique().tolist()) == {0, 1, 2, 3}


def test_points_stay_where_the_distance_is_none() -> None:
    torch.manual_seed(1)
    (batch,) = torch_loader(replace(TOYS[3], side=64), 0)
    there = torch.nn.functional.grid_sample(
        torch.as_tensor(batch["distance"]), batch["points"].float().unsqueeze(2), align_corners=False
    )
    assert float(there.mean()) < 0.25 * float(batch["distance"].mean())


def test_asked_images_are_as_they_are() -> None:
    (batch,) = torch_asked(TOYS[0])
    grey = torch.from_numpy(frames_of(3, 32).images).unsqueeze(1) / 255
    assert torch.allclose(torch.as_tensor(batch["image"]), (grey - 0.2) / 0.2, atol=1e-5)
