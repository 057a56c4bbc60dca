"""How the networks of tasks on still images are trained here."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from federated.contract import Frozen
from site_agent.heart_planes import CODES, named


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
        width: channels of the first of its two levels.
        cells: along each edge of the image, over which means are taken; a quarter of the side at most.
        epochs: each sees as many windows as there are clips, and 400 at least where there are so many.
        batch: windows a step, beside each of which others are seen.
        beside: how many, of the same clip.
        rate: of learning, at its highest.
        temperature: of the loss; the lower, the more the frames count that are hardest to tell apart.
    """

    side: Annotated[int, Field(ge=16, le=512)] = 64
    width: Annotated[int, Field(ge=2, le=256)] = 8
    cells: Annotated[int, Field(ge=1, le=128)] = 16
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 3
    batch: Annotated[int, Field(ge=2, le=512)] = 8
    beside: Annotated[int, Field(ge=0, le=64)] = 11
    rate: Annotated[float, Field(gt=0, le=1)] = 2e-3
    temperature: Annotated[float, Field(ge=1e-3, le=1)] = 0.03


class RegistrationSettings(Frozen):
    """``[registration]`` of ``config.toml``.

    Attributes:
        side: of the frames that the network sees, in pixels.
        width: channels of the first of its levels.
        epochs: passes over the pairs of training clips, at most.
        batch: pairs a step.
        rate: of learning, at its highest.
        similarity: by which frames are to become alike.
        smoothness: what the roughness of velocities counts beside it.
    """

    side: Annotated[int, Field(ge=16, le=512)] = 96
    width: Annotated[int, Field(ge=1, le=64)] = 8
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 20
    batch: Annotated[int, Field(ge=2, le=512)] = 8
    rate: Annotated[float, Field(gt=0, le=1)] = 1e-3
    similarity: Literal["local_ncc", "mse", "self_similarity", "band_limited_mse"] = "local_ncc"
    smoothness: Annotated[float, Field(ge=0, le=1000)] = 0.5


class ReconstructionSettings(Frozen):
    """``[reconstruction]`` of ``config.toml``.

    Attributes:
        size: voxels a side of the volumes.
        views: that the network is built for, parted by commas; hearts may lack some of them.
        trunk: timm's name of the residual network that sees the pictures.
        shrink: by what all numbers of channels behind the trunk are divided.
        bottleneck: width of the dense layers.
        epochs: passes over the training hearts, at most.
        batch: hearts a step.
        rate: of learning, at its highest.
    """

    size: Literal[32, 64, 128] = 32
    views: Annotated[str, StringConstraints(max_length=200)] = "A4C,A2C"
    trunk: Literal["resnet50", "resnet18", "test_resnet"] = "resnet18"
    shrink: Literal[1, 2, 4, 8, 16, 32] = 4
    bottleneck: Annotated[int, Field(ge=1, le=2048)] = 256
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 100
    batch: Annotated[int, Field(ge=2, le=512)] = 4
    rate: Annotated[float, Field(gt=0, le=1)] = 1e-3

    @field_validator("views")
    @classmethod
    def _views_that_there_are(cls, views: str) -> str:
        names, known = named(views), list(CODES)
        if strange := [name for name in names if name not in known]:
            raise ValueError(f"there is no view '{strange[0]}', there are {', '.join(known)}")
        if len(set(names)) < len(names):
            raise ValueError("a view is named twice")
        return ",".join(sorted(names, key=known.index))
