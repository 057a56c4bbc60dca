"""What frozen experts say of images, as the training of their fusion reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Reads = Literal["features", "discrepancy", "none"]
Floats = NDArray[np.floating[Any]]
Rows = NDArray[np.int64]


class Consultation(Protocol):
    """What T experts say of n images."""

    @property
    def labels(self) -> tuple[tuple[str, ...], ...]:
        """Of each expert's logits."""

    @property
    def merged(self) -> tuple[str, ...]:
        """The G labels that some expert holds."""

    @property
    def features(self) -> Floats:
        """(n, T, D)."""

    @property
    def logits(self) -> tuple[Floats, ...]:
        """(n, C_k) of each expert."""

    @property
    def discrepancy(self) -> Floats | None:
        """(n, T, N), where the gate reads them."""

    @property
    def present(self) -> NDArray[np.bool_]:
        """(n, T) which experts saw the image; what stands for one that did not is not read."""


@dataclass(frozen=True)
class Lesson:
    """Images to learn from or to validate on.

    Attributes:
        consulted: what all experts say of n images.
        answers: (n,) number of each image's label among `consulted.merged`.
        weights: (n,) sample weights; only their proportions count. All one is as published.
    """

    consulted: Consultation
    answers: Rows
    weights: NDArray[np.float64]

    def __post_init__(self) -> None:
        images = self.consulted.features.shape[0]
        if self.answers.shape != (images,) or self.weights.shape != (images,):
            raise ValueError(
                f"{images} images, {self.answers.shape} answers and {self.weights.shape} weights do not fit"
            )
        if images and not 0 <= self.answers.min() <= self.answers.max() < len(self.consulted.merged):
            raise ValueError(f"an answer is none of the {len(self.consulted.merged)} merged labels")


def read_by(consulted: Consultation, reads: Reads) -> Floats | None:
    """(n, T, …) what the gate reads.

    Raises:
        ValueError: discrepancies that are not there.
    """
    if reads == "discrepancy" and consulted.discrepancy is None:
        raise ValueError("the gate reads neural mean discrepancies, and the experts' answers hold none")
    return {"features": consulted.features, "discrepancy": consulted.discrepancy, "none": None}[reads]
