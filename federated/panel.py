"""The panel: the expert networks that a federation consults, in order of arrival, and what they say of a site's images.

An expert network that the coordinator has taken in from one site travels to every other as a parcel of kind `expert`.
Each site asks the whole panel that it holds about its own images, and a `consultation` takes the answers back (Bransby
et al., step 6). Side by side stand, of each expert that was asked, the D features, the C logits over its own labels,
and, where the site sends them, the N neural mean discrepancies of an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from federated.contract import MAX_LABELS, Contribution, Digest, Fold, Frozen, Label, Manifest, Name, Scalar
from federated.errors import ContractError
from federated.fusion.experts import Consulted, Floats

MAX_WIDTH = 65_536
MAX_PANEL = 64
MAX_COPIES = 16

Size = Annotated[int, Field(ge=1, le=MAX_WIDTH)]


class ExpertManifest(Manifest):
    """A site's expert network on its way to another site. Tensors: its state.

    Attributes:
        site, contribution: whose it is, and the digest of the `weights` that it came as.
        place: in the order of arrival, from 1.
        replaces: earlier ones of the same batch, which are not asked any more.
        network: digest of architecture, configuration and state, which a receiver computes again.
    """

    kind: Literal["expert"] = "expert"
    site: Name
    contribution: Digest
    place: Annotated[int, Field(ge=1, le=10**6)]
    replaces: tuple[Digest, ...] = Field(default=(), max_length=1000)
    task: Name
    architecture: Name
    config: dict[str, Scalar]
    labels: tuple[Label, ...] = Field(min_length=1, max_length=MAX_LABELS)
    network: Digest


class Asked(Frozen):
    """An expert that was asked: D features, C logits and N discrepancies of an image, 0 where these are not there."""

    contribution: Digest
    features: Size
    logits: Annotated[int, Field(ge=1, le=MAX_LABELS)]
    means: Annotated[int, Field(ge=0, le=MAX_WIDTH)]

    @property
    def width(self) -> int:
        """Numbers an image."""
        return self.features + self.logits + self.means


class ConsultationManifest(Contribution):
    """What the experts of a panel say of a site's images.

    Tensors, for each fold, a row an image, or an augmented copy of one: ``{fold}.said`` (n, B) float32, of each expert
    of `panel` features, logits and discrepancies; ``{fold}.label`` (n,) int64 index into labels; ``{fold}.weight`` (n,)
    float64; ``{fold}.patient`` (n,) int64, numbered from 0 in an order that says nothing. Each training image has
    `copies` augmented ones.
    """

    kind: Literal["consultation"] = "consultation"
    panel: tuple[Asked, ...] = Field(min_length=1, max_length=MAX_PANEL)
    copies: Annotated[int, Field(ge=0, le=MAX_COPIES)]
    folds: tuple[Fold, ...] = Field(min_length=1, max_length=2)

    @model_validator(mode="after")
    def _is_within_bounds(self) -> Self:
        if len({each.contribution for each in self.panel}) != len(self.panel):
            raise ValueError("an expert was asked twice")
        if width_of(self.panel) > MAX_WIDTH:
            raise ValueError(f"{width_of(self.panel)} numbers an image, at most {MAX_WIDTH} are taken")
        return self


class Unasked(Frozen):
    """An expert that was not asked about a site's images, so that the gate has not learnt from it there."""

    site: Name
    expert: Digest


class PanelCard(Frozen):
    """The panel of a release.

    Attributes:
        experts: in order of arrival; each is among the release's experts.
        consultations: digests of those that the gate was trained on.
        unasked: what the gate lacked.
    """

    experts: tuple[Asked, ...] = Field(min_length=1, max_length=MAX_PANEL)
    consultations: tuple[Digest, ...]
    unasked: tuple[Unasked, ...] = ()


def width_of(panel: Sequence[Asked]) -> int:
    """B, numbers that a panel says of an image."""
    return sum(each.width for each in panel)


def consulted_in(
    panel: Sequence[Asked],
    names: Sequence[str],
    labels: Sequence[tuple[str, ...]],
    said: Floats,
    *,
    features: int,
    means: int = 0,
) -> Consulted:
    """What a panel says of images, taken apart.

    Args:
        panel: as its numbers stand.
        names: of the experts, in the same order.
        labels: of each expert's logits.
        said: (n, B).
        features: D, to which those of narrower networks are filled up.
        means: N, the same of discrepancies; 0 where they are not asked for.

    Raises:
        ContractError: another number of numbers than the panel says.
    """
    if said.ndim != 2 or said.shape[1] != width_of(panel):
        raise ContractError(f"says {said.shape}, (n, {width_of(panel)}) expected", where="panel")
    parts = np.split(said, np.cumsum([size for each in panel for size in (each.features, each.logits, each.means)]), 1)
    logits, apart = tuple(parts[1:-1:3]), filled_up(parts[2::3], means) if means else None
    return Consulted(tuple(names), tuple(labels), filled_up(parts[:-1:3], features), logits, apart)


def filled_up(parts: Sequence[Floats], width: int) -> Floats:
    """(n, T, width) of (n, D_k) of each expert, zeros to the right: no answer depends on them."""
    return np.stack([np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in parts], axis=1)
