"""What a user of PyTorch and torchvision loads: a `Dataset` whose items are augmented one by one, and a `DataLoader`.

Augmentations are those of this project as near as torchvision has them; it fills with black, ours repeats a border.
Images are turned as PIL has them where that is as good, which is faster than as tensors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.throughput_ours import DEVIATION, MEAN
from benchmarks.throughput_subjects import ANGLE, BEND, GREY, SHIFT, ZOOM, Frames, Subject, frames_of
from shared_models.contour_targets import distance_map
from shared_models.segmentation import AT_ONCE, LEAST_DEVIATION
from shared_models.torchvision_operators import load_torchvision

load_torchvision()
from torchvision import tv_tensors  # noqa: E402
from torchvision.transforms import v2  # noqa: E402

Item = dict[str, Any]


class Loaded(torch.utils.data.Dataset[Item]):
    """Items of a subject, (n,)."""

    def __init__(self, frames: Frames, item: Callable[[int], Item]) -> None:
        self._many, self._item = len(frames.images), item

    def __len__(self) -> int:
        return self._many

    def __getitem__(self, number: int) -> Item:
        return self._item(number)


def torch_loader(subject: Subject, workers: int) -> torch.utils.data.DataLoader[Item]:
    """Of augmented batches, each image once."""
    frames = frames_of(subject.images, subject.side)
    items = {"views": _views, "backmix": _mixed, "masks": _masks, "contours": _contours}[subject.kind](frames)
    return torch.utils.data.DataLoader(
        Loaded(frames, items), subject.batch, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )


def torch_asked(subject: Subject) -> torch.utils.data.DataLoader[Item]:
    """Of batches as they are, at once as many as ours."""
    frames = frames_of(subject.images, subject.side)
    normalised = _at_site() if subject.kind in ("views", "backmix") else _by_itself
    given = v2.Compose([_grey(), normalised])
    items = Loaded(frames, lambda number: {"image": given(Image.fromarray(frames.images[number]))})
    return torch.utils.data.DataLoader(items, AT_ONCE)


def _grey() -> v2.Transform:
    return v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.ToPureTensor()])


def _at_site() -> v2.Transform:
    return v2.Normalize([MEAN], [DEVIATION])


def _by_itself(image: torch.Tensor) -> torch.Tensor:
    return (image - image.mean()) / image.std().clamp_min(LEAST_DEVIATION)


def _views(frames: Frames) -> Callable[[int], Item]:
    change = v2.Compose([*_turn_and_grade(), _grey(), _at_site()])
    return lambda number: {
        "image": change(Image.fromarray(frames.images[number])),
        "label": int(frames.labels[number]),
    }


def _turn_and_grade() -> list[v2.Transform]:
    turn = v2.RandomRotation(math.degrees(ANGLE), v2.InterpolationMode.BICUBIC)
    return [turn, v2.RandomHorizontalFlip(), _jitter()]


def _mixed(frames: Frames) -> Callable[[int], Item]:
    """BackMix: the background of another image, where it is none of that image's sector."""
    change, grey = v2.Compose(_turn_and_grade()), _grey()
    normalised, masks = _at_site(), torch.from_numpy(frames.sectors.astype(np.uint8))

    def item(number: int) -> Item:
        image, mask = change(Image.fromarray(frames.images[number]), tv_tensors.Mask(masks[number]))
        donor = int(torch.randint(len(frames.images), (1,)))
        outside, sector = grey(Image.fromarray(frames.images[donor])), mask.as_subclass(torch.Tensor)
        shown = sector * grey(image) + (1 - sector) * (1 - masks[donor]) * outside
        return {"image": normalised(shown), "label": int(frames.labels[number])}

    return item


def _masks(frames: Frames) -> Callable[[int], Item]:
    turn, jitter, grey, masks = _moved(), _jitter(), _grey(), torch.from_numpy(frames.masks)

    def item(number: int) -> Item:
        image, mask = turn(Image.fromarray(frames.images[number]), tv_tensors.Mask(masks[number].unsqueeze(0)))
        shown = grey(jitter(v2.functional.adjust_gamma(image, _bend())))
        return {"image": _by_itself(shown), "mask": mask.as_subclass(torch.Tensor).long()}

    return item


def _moved() -> v2.Transform:
    zoom = math.exp(-ZOOM), math.exp(ZOOM)
    return v2.RandomAffine(math.degrees(ANGLE), (SHIFT, SHIFT), zoom, interpolation=v2.InterpolationMode.BILINEAR)


def _jitter() -> v2.Transform:
    return v2.ColorJitter(brightness=GREY, contrast=GREY)


def _bend() -> float:
    return math.exp((2 * float(torch.rand(())) - 1) * BEND)


def _contours(frames: Frames) -> Callable[[int], Item]:
    """The map of distances is a second channel, so that both are turned alike."""
    side, turn, jitter = frames.images.shape[-1], _moved(), _jitter()
    near = [torch.from_numpy(distance_map(points, (side, side))) for points in frames.points]
    images, points = torch.from_numpy(frames.images), torch.from_numpy(frames.points)

    def item(number: int) -> Item:
        both = tv_tensors.Image(torch.stack([images[number] / 255, near[number]]))
        both, found = turn(both, tv_tensors.KeyPoints(points[number], canvas_size=(side, side)))
        image, distance = both.as_subclass(torch.Tensor).split(1)
        image = _by_itself(jitter(v2.functional.adjust_gamma(image, _bend())))
        return {"image": image, "distance": distance, "points": (2 * found.as_subclass(torch.Tensor) + 1) / side - 1}

    return item
