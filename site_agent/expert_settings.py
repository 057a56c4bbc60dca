"""What kind of expert a site trains: a linear head on the federation's front end, or a network of its own."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from federated.contract import Frozen, Scalar
from federated.panel import MAX_COPIES

HEAD: Literal["linear_head"] = "linear_head"
SMALL, TIMM = "small_resnet18", "timm"


class ExpertSettings(Frozen):
    """``[expert]`` of ``config.toml``; the sizes are those of Bransby et al.

    Attributes:
        architecture: of `weights`; all below is about networks only.
        name: timm's, of a timm network.
        side: of the images that it sees, in pixels.
        width: channels of the first stage of the small ResNet.
        epochs: passes over the training images.
        copies: augmented copies of each training image in a consultation, beside the image itself.
        neural_means: whether consultations hold neural mean discrepancies, which a gate may read.
        augment: what becomes of what lies outside the sector while it learns, ``backmix`` or another background.
        augment_share: of the training images in which that is done, if their sector was found at intake.
        augment_strength: by which those count more than the others (lambda of wBackMix); 0 for all alike.
    """

    architecture: Literal["linear_head", "small_resnet18", "timm"] = HEAD
    name: Annotated[str, StringConstraints(max_length=100)] = ""
    side: Annotated[int, Field(ge=8, le=1024)] = 112
    width: Annotated[int, Field(ge=1, le=512)] = 64
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 200
    copies: Annotated[int, Field(ge=0, le=MAX_COPIES)] = 0
    neural_means: bool = False
    augment: Literal["none", "black", "noise", "bokeh", "shuffle", "backmix"] = "none"
    augment_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    augment_strength: Annotated[float, Field(ge=0, le=100)] = 0.0

    @model_validator(mode="after")
    def _names_a_network_of_timm(self) -> Self:
        if (self.architecture == TIMM) != bool(self.name):
            raise ValueError("'timm' needs the name of a network, and no other architecture has one")
        return self

    @model_validator(mode="after")
    def _says_what_is_done_to_backgrounds(self) -> Self:
        if self.augment == "none" and (self.augment_share != 1 or self.augment_strength):
            raise ValueError("a share or a strength is given, but no 'augment' that it is of")
        return self

    @property
    def is_network(self) -> bool:
        """Whether the expert is a network of its own."""
        return self.architecture != HEAD

    def config(self, classes: int) -> dict[str, Scalar]:
        """With which the registry of models builds the network for so many labels."""
        sizes: dict[str, Scalar] = {"classes": classes, "side": self.side}
        if self.architecture == SMALL:
            return sizes | {"width": self.width}
        return sizes | {"architecture": self.name, "channels": 1}
