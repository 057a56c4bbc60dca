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
    """

    side: Annotated[int, Field(ge=16, le=512)] = 128
    width: Annotated[int, Field(ge=2, le=128)] = 16
    levels: Annotated[int, Field(ge=2, le=8)] = 5
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 100
    batch: Annotated[int, Field(ge=2, le=512)] = 4
    rate: Annotated[float, Field(gt=0, le=1)] = 1e-2


class EncoderSettings(Frozen):
    """``[retrieval]`` of ``config.toml``.

    Attributes:
        side: of the frames that the encoder sees, in pixels.
        width: channels of the first level.
        levels: of two convolutions each, of half the side of the one before.
        cells: along each edge of the image, over which means are taken.
        dense, projected: sizes of the layer after the means, and of the code.
        epochs: passes over the training windows, at most.
        batch: sweeps a step, of each of which `beside` windows more are seen.
        rate: of learning, at its highest.
    """

    side: Annotated[int, Field(ge=16, le=512)] = 64
    width: Annotated[int, Field(ge=2, le=256)] = 8
    levels: Annotated[int, Field(ge=1, le=8)] = 4
    cells: Annotated[int, Field(ge=1, le=16)] = 6
    dense: Annotated[int, Field(ge=2, le=4096)] = 256
    projected: Annotated[int, Field(ge=2, le=4096)] = 128
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 12
    batch: Annotated[int, Field(ge=2, le=512)] = 8
    beside: Annotated[int, Field(ge=0, le=64)] = 7
    rate: Annotated[float, Field(gt=0, le=1)] = 2e-3
