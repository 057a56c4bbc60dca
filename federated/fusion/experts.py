"""What all experts say of the same images, and what is made of it: the inputs and the answer of every rule of experts.

Symbols as in Bransby et al.: T experts in order of arrival, expert k with features h_k, logits over its own C_k labels,
and the neural mean discrepancy g_k. Labels of different experts are the same where their codes are the same; the G
merged labels stand in the order in which experts brought them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from federated.errors import ContractError
from federated.statistics import Array

Floats = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Consulted:
    """What T experts say of n images.

    Attributes:
        names: of the experts, in order of arrival.
        labels: of each expert, those of its logits.
        features: (n, T, D); on one shared front end all experts have the same.
        logits: of each expert, (n, C_k).
        discrepancy: (n, T, N) neural means less the expert's own mean; None where no rule asks for it.
        asked: (n, T) which experts saw the image, at least one; None where all did. What stands in the other arrays
            for one that did not is not read.
    """

    names: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    features: Floats
    logits: tuple[Floats, ...]
    discrepancy: Floats | None = None
    asked: Flags | None = None

    def __post_init__(self) -> None:
        check_experts(self.names, self.labels)
        images, count = self.features.shape[0], len(self.names)
        _check(self.features.ndim == 3 and self.features.shape[1] == count, "features", self.features.shape)
        expected = [(images, len(held)) for held in self.labels]
        _check([own.shape for own in self.logits] == expected, "logits", [own.shape for own in self.logits])
        if self.discrepancy is not None:
            _check(self.discrepancy.shape[:-1] == (images, count), "discrepancy", self.discrepancy.shape)
        if self.asked is not None:
            _check(self.asked.shape == (images, count), "asked", self.asked.shape)
        if not self.present.any(axis=1).all():
            raise ContractError("no expert was asked about some image", where="consulted")

    @property
    def images(self) -> int:
        """Their number, n."""
        return int(self.features.shape[0])

    @property
    def present(self) -> Flags:
        """(n, T) which experts saw the image."""
        return np.ones(self.features.shape[:2], dtype=np.bool_) if self.asked is None else self.asked

    @property
    def merged(self) -> tuple[str, ...]:
        """The G labels that some expert holds."""
        return merged_labels(self.labels)

    def rows(self, chosen: Rows | slice) -> Consulted:
        """Some of the images."""
        discrepancy = None if self.discrepancy is None else self.discrepancy[chosen]
        asked = None if self.asked is None else self.asked[chosen]
        logits = tuple(own[chosen] for own in self.logits)
        return Consulted(self.names, self.labels, self.features[chosen], logits, discrepancy, asked)


@dataclass(frozen=True)
class Pooled:
    """What a rule makes of n images.

    Attributes:
        labels: the G merged ones.
        scores: (n, G), the label of an image has the largest; -inf where a label cannot be answered.
        contributions: (n, T, G) by expert; they add up to each finite score, and are 0 where it is not.
        weights: (n, T) of the experts; 0 for one that did not see the image.
        present: (n, T) which experts saw the image: what the answer lacks is said with it.
    """

    labels: tuple[str, ...]
    scores: Array
    contributions: Array
    weights: Array
    present: Flags

    @property
    def best(self) -> Rows:
        """(n,) column of the label of each image."""
        return np.asarray(self.scores.argmax(axis=1), dtype=np.int64)


def merged_labels(labels: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Every label once, in the order in which experts brought them."""
    return tuple(dict.fromkeys(chain.from_iterable(labels)))


def stacked(parts: Sequence[Floats]) -> Floats:
    """(n, T, D) of features, or neural means, (n, D_k) of each expert.

    Those of narrower networks are filled up with zeros, which nothing can be learnt from: no answer depends on them.
    """
    widest = max(part.shape[1] for part in parts)
    return np.stack([np.pad(part, ((0, 0), (0, widest - part.shape[1]))) for part in parts], axis=1)


def together(experts: Mapping[str, tuple[str, ...]], parts: Sequence[Consulted]) -> Consulted:
    """The images of several sites under one list of experts; a site that lacked an expert did not ask it.

    Args:
        experts: labels by name, in order of arrival; those of every part are among them.
        parts: with the same number of features; all with discrepancies, or none.

    Raises:
        ContractError: parts that do not go together.
    """
    for part in parts:
        for name, held in zip(part.names, part.labels, strict=True):
            if experts.get(name) != held:
                raise ContractError("is not the expert of that name and these labels", where=name)
    _check(len({part.features.shape[2] for part in parts}) == 1, "features", [part.features.shape for part in parts])
    readable = [part.discrepancy for part in parts if part.discrepancy is not None]
    _check(len(readable) in {0, len(parts)}, "discrepancy", f"of {len(readable)} of {len(parts)} parts")
    names = tuple(experts)
    return Consulted(
        names,
        tuple(experts.values()),
        np.concatenate([_spread(part.features, part.names, names) for part in parts]),
        tuple(np.concatenate([_logits(part, name, len(held)) for part in parts]) for name, held in experts.items()),
        np.concatenate([_spread(part.discrepancy, part.names, names) for part in parts]) if readable else None,
        np.concatenate([_spread(part.present, part.names, names) for part in parts]),
    )


def check_experts(names: Sequence[str], labels: Sequence[Sequence[str]]) -> None:
    """Whether these can be experts.

    Raises:
        ContractError: none, a name or a label of one expert that occurs twice, an expert without labels.
    """
    if not names or len(set(names)) != len(names) or len(labels) != len(names):
        raise ContractError(
            f"{len(names)} names and {len(labels)} sets of labels are no list of experts", where="names"
        )
    for name, held in zip(names, labels, strict=True):
        if not held or len(set(held)) != len(held):
            raise ContractError("has no label, or one that occurs twice", where=name)


def _spread(array: Any, held: Sequence[str], names: Sequence[str]) -> Any:
    """(n, T', …) over more experts, zero for those that are not there."""
    spread = np.zeros((array.shape[0], len(names), *array.shape[2:]), dtype=array.dtype)
    spread[:, [names.index(name) for name in held]] = array
    return spread


def _logits(part: Consulted, name: str, columns: int) -> Floats:
    if name in part.names:
        return part.logits[part.names.index(name)]
    return np.zeros((part.images, columns))


def _check(fits: bool, where: str, found: object) -> None:
    if not fits:
        raise ContractError(f"is {found}, which does not fit the experts or images", where=where)
