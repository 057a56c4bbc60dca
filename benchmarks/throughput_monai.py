"""What a user of MONAI loads: dictionary transforms one by one, and MONAI's `DataLoader`.

Augmentations are those of this project as near as MONAI has them. Its trainer needs a further package, and its own
tutorials write the loop of PyTorch instead, which is the one that these batches are given to.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from monai import transforms
from monai.data import DataLoader, Dataset

from benchmarks.throughput_ours import DEVIATION, MEAN
from benchmarks.throughput_subjects import ANGLE, BEND, GREY, SHIFT, ZOOM, Frames, Subject, frames_of
from shared_models.contour_targets import distance_map
from shared_models.segmentation import AT_ONCE

Item = dict[str, Any]
AS_GREY = transforms.ScaleIntensityRanged("image", 0, 255, 0, 1)
BY_ITSELF = transforms.NormalizeIntensityd("image")


def monai_loader(subject: Subject, workers: int) -> DataLoader:
    """Of augmented batches, each image once."""
    frames = frames_of(subject.images, subject.side)
    items = [_item(subject, frames, number) for number in range(len(frames.images))]
    changes = {"views": _views, "backmix": _mixed, "masks": _masks, "contours": _contours}[subject.kind]
    data = Dataset(items, transforms.Compose([AS_GREY, *changes(frames)]))
    return DataLoader(data, batch_size=subject.batch, shuffle=True, num_workers=workers, persistent_workers=workers > 0)


def monai_asked(subject: Subject) -> DataLoader:
    """Of batches as they are, at once as many as ours."""
    frames = frames_of(subject.images, subject.side)
    normalised = _at_site() if subject.kind in ("views", "backmix") else BY_ITSELF
    data = Dataset([{"image": image[None]} for image in frames.images], transforms.Compose([AS_GREY, normalised]))
    return DataLoader(data, batch_size=AT_ONCE)


def _item(subject: Subject, frames: Frames, number: int) -> Item:
    found: Item = {"image": frames.images[number][None]}
    if subject.kind == "masks":
        return found | {"mask": frames.masks[number][None]}
    if subject.kind == "contours":
        near, points = distance_map(frames.points[number], frames.images.shape[1:]), frames.points[number][:, ::-1]
        return found | {"distance": near[None], "points": points[None].copy()}  # rows come first
    sector = {"sector": frames.sectors[number][None].astype("uint8")} if subject.kind == "backmix" else {}
    return found | {"label": int(frames.labels[number])} | sector


def _at_site() -> transforms.Transform:
    return transforms.NormalizeIntensityd("image", subtrahend=np.array(MEAN), divisor=np.array(DEVIATION))


def _views(_frames: Frames) -> list[transforms.Transform]:
    return [*_turned(["image"], ["bicubic"]), *_graded(), _at_site()]


def _turned(keys: list[str], between: list[str]) -> list[transforms.Transform]:
    return [
        transforms.RandRotated(keys, range_x=ANGLE, prob=1, mode=between, padding_mode="border"),
        transforms.RandFlipd(keys, prob=0.5, spatial_axis=1),
    ]


def _graded() -> list[transforms.Transform]:
    return [
        transforms.RandScaleIntensityd("image", factors=GREY, prob=1),
        transforms.RandShiftIntensityd("image", offsets=GREY, prob=1),
    ]


def _mixed(frames: Frames) -> list[transforms.Transform]:
    turned = _turned(["image", "sector"], ["bicubic", "nearest"])
    return [*turned, *_graded(), _BackMixd(frames), _at_site()]


class _BackMixd(transforms.MapTransform, transforms.Randomizable):
    """BackMix: the background of another image, where it is none of that image's sector."""

    def __init__(self, frames: Frames) -> None:
        super().__init__(["image"])
        self._outside = torch.from_numpy(frames.images * ~frames.sectors).unsqueeze(1)

    def __call__(self, data: Mapping[str, Any]) -> Item:
        outside = self._outside[self.R.randint(len(self._outside))] / 255
        sector = data["sector"]
        return {"image": sector * data["image"] + (1 - sector) * outside, "label": data["label"]}


def _masks(frames: Frames) -> list[transforms.Transform]:
    return [_moved(["image", "mask"], ["bilinear", "nearest"], frames), _bent(), *_graded(), BY_ITSELF]


def _contours(frames: Frames) -> list[transforms.Transform]:
    side = frames.images.shape[-1]
    return [
        _moved(["image", "distance"], ["bilinear", "bilinear"], frames),
        transforms.ApplyTransformToPointsd("points", refer_keys="image"),
        transforms.Lambdad("points", lambda points: (2 * points[0].flip(1) + 1) / side - 1),
        _bent(),
        *_graded(),
        BY_ITSELF,
    ]


def _moved(keys: list[str], between: list[str], frames: Frames) -> transforms.Transform:
    shift = SHIFT * frames.images.shape[-1]
    return transforms.RandAffined(
        keys,
        prob=1,
        rotate_range=ANGLE,
        scale_range=ZOOM,
        translate_range=shift,
        mode=between,
        padding_mode="zeros",
    )


def _bent() -> transforms.Transform:
    return transforms.RandAdjustContrastd("image", prob=1, gamma=(math.exp(-BEND), math.exp(BEND)))
