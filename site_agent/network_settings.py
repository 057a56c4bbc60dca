"""How the networks of tasks on still images are trained here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from federated.contract import Frozen


class NetworkSettings(Frozen):
    """``[segmentation]`` or ``[contour]`` of ``config.toml``.

    Attributes:
        side: of the images that the network sees, in pixels; a multiple of 2 to the power of the levels less one.
        width: channels of the first level.
        levels: resolutions of the U-Net.
        epochs: passes over the training images, at most.
        batch: images a step.
        rate: of learning, at its highest.
        alpha: an image whose p-value for an expert is no larger is foreign to it.
    """

    side: Annotated[int, Field(ge=16, le=512)] = 128
    width: Annotated[int, Field(ge=2, le=128)] = 16
    levels: Annotated[int, Field(ge=2, le=8)] = 5
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 40
    batch: Annotated[int, Field(ge=2, le=512)] = 4
    rate: Annotated[float, Field(gt=0, le=1)] = 1e-2
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
