"""Gated fusion of frozen experts, for any number of them (Bransby et al., steps 7 to 12), as it answers.

For the label set Y_j of expert j and what expert k sees of an image,

    u_jj = own logits of expert j,        u_jk = W_jk h_k + b_jk  for k other than j        (step 7)
    A = softmax(MLP(input)), input -> 64 -> 16 -> T, of experts that saw the image          (step 8)
    z_j = sum_k A_k u_jk                                                                    (step 9)
    f_c = max over j with c in Y_j of z_jc                                                  (step 10)

The gate reads the features of all experts (attn-wSF), their neural mean discrepancies (nmd-wSF), or nothing: then A_k
is 1 for every expert (SF). With j* the label set that gives f_c, the contribution of expert k to c is A_k u_{j*k,c};
they add up to f_c. An expert that did not see an image has weight 0, and its labels are answered by what the others
have learnt of them. The own logit of an expert of one label says nothing, for its cross-entropy is 0 whatever it is:
that label is known by the cross heads of the others, and the gate learns what the expert is worth. Labels merge by
code, and no label lies above another here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import prod
from typing import Literal

import numpy as np
from scipy.special import softmax

from federated.errors import ContractError
from federated.fusion.experts import Consulted, Floats, Pooled, check_experts, merged_labels
from federated.manifest import MAX_LABELS, Tensors
from federated.statistics import Array

Reads = Literal["features", "discrepancy", "none"]
HIDDEN = (64, 16)
MAX_EXPERTS = 64
CHUNK = 1024  # images whose discrepancies are held in float64 at once


@dataclass(frozen=True)
class GatedShape:
    """What a gated model is made for.

    Attributes:
        names: of the experts, in order of arrival; `labels` of each.
        reads: what the gate sees.
        features: D, of one expert.
        means: N, neural means of one expert; 0 where the gate does not read them.
    """

    names: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    reads: Reads
    features: int
    means: int = 0

    def __post_init__(self) -> None:
        check_experts(self.names, self.labels)
        if len(self.names) > MAX_EXPERTS or self.stacked > MAX_LABELS * MAX_EXPERTS:
            raise ContractError(f"{len(self.names)} experts, at most {MAX_EXPERTS} are taken", where="gated model")
        if self.features < 1 or (self.reads == "discrepancy") != (self.means > 0):
            raise ContractError(f"does not read '{self.reads}' of {self.means} neural means", where="gated model")

    @property
    def stacked(self) -> int:
        """S, the sizes of all label sets together."""
        return sum(len(held) for held in self.labels)

    @property
    def inputs(self) -> int:
        """Numbers that the gate reads of an image."""
        return len(self.names) * {"features": self.features, "discrepancy": self.means, "none": 0}[self.reads]

    @property
    def floats_an_image(self) -> int:
        """What a site uploads of an image: features and own logits of every expert, discrepancies where they count."""
        return len(self.names) * (self.features + self.means) + self.stacked

    @property
    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Shapes: ``heads.{k}``, linear map of expert k to all other label sets; ``gate.{i}``, the gate's layers."""
        shapes: dict[str, tuple[int, ...]] = {}
        for expert, held in enumerate(self.labels):
            if len(self.names) > 1:
                shapes |= _layer(f"heads.{expert}", self.features, self.stacked - len(held))
        if self.reads != "none":
            for layer, (before, after) in enumerate(pairwise((self.inputs, *HIDDEN, len(self.names)))):
                shapes |= _layer(f"gate.{layer}", before, after)
        return shapes

    @property
    def parameters(self) -> int:
        """Numbers that are learnt."""
        return sum(prod(shape) for shape in self.tensors.values())

    def slice_of(self, expert: int) -> slice:
        """Columns of an expert's own labels among the S."""
        start = sum(len(held) for held in self.labels[:expert])
        return slice(start, start + len(self.labels[expert]))


@dataclass(frozen=True)
class GatedModel:
    """A gated model in memory: its shape, and the tensors that `GatedShape.tensors` lists, float32 or float64."""

    shape: GatedShape
    state: Tensors

    @classmethod
    def from_tensors(cls, shape: GatedShape, tensors: Mapping[str, Floats]) -> GatedModel:
        """The model of tensors that came from outside.

        Raises:
            ContractError: other tensors than the shape asks for, of another type or shape, or not finite.
        """
        expected = shape.tensors
        if set(tensors) != set(expected):
            names = ", ".join(sorted(set(tensors) ^ set(expected))[:5])
            raise ContractError("other tensors than this gated model has", where=names)
        for name, wanted in expected.items():
            found = tensors[name]
            if found.dtype not in {np.dtype(np.float32), np.dtype(np.float64)} or found.shape != wanted:
                raise ContractError(f"is {found.dtype}{found.shape}, a gated model has float{wanted}", where=name)
            if not np.isfinite(found).all():
                raise ContractError("holds a number that is not finite", where=name)
        return cls(shape, {name: tensors[name] for name in expected})

    def to_tensors(self) -> Tensors:
        """What `from_tensors` takes."""
        return dict(self.state)

    @property
    def labels(self) -> tuple[str, ...]:
        """The G merged labels."""
        return merged_labels(self.shape.labels)

    def cross_head(self, label_set: int, expert: int) -> tuple[Array, Array]:
        """W_jk (D, C_j) and b_jk (C_j,), for j other than k."""
        columns = self._cross_columns(expert)
        chosen = np.isin(columns, np.arange(self.shape.stacked)[self.shape.slice_of(label_set)])
        weight, bias = self._linear(f"heads.{expert}")
        return weight[:, chosen], bias[chosen]

    def weights(self, consulted: Consulted) -> Array:
        """A, (n, T): adds up to one over the experts that saw the image; 1 for each of these if the gate reads nothing.

        Raises:
            ContractError: other experts than the model's, or no discrepancies for a gate that reads them.
        """
        return np.concatenate([self._weights(part) for part in self._parts(consulted)])

    def stacks(self, consulted: Consulted) -> Array:
        """u, (n, T, S): the scores that expert k gives to the labels of all label sets, side by side by j."""
        return np.concatenate([self._stacks(part) for part in self._parts(consulted)])

    def answer(self, consulted: Consulted) -> Pooled:
        """Scores, weights, and contributions that add up to each score.

        Raises:
            ContractError: as of `weights`.
        """
        answers = [self._answer(part) for part in self._parts(consulted)]
        scores, contributions, weights = (np.concatenate(parts) for parts in zip(*answers, strict=True))
        return Pooled(self.labels, scores, contributions, weights, consulted.present)

    def _answer(self, consulted: Consulted) -> tuple[Array, Array, Array]:
        weights = self._weights(consulted)
        parts = weights[:, :, None] * self._stacks(consulted)
        winners = self._winners(parts.sum(axis=1))
        contributions = np.take_along_axis(parts, winners[:, None, :], axis=2)
        return contributions.sum(axis=1), contributions, weights

    def _weights(self, consulted: Consulted) -> Array:
        present = consulted.present
        if self.shape.reads == "none":
            return present.astype(np.float64)
        source = consulted.features if self.shape.reads == "features" else consulted.discrepancy
        assert source is not None
        values = _seen(source, present).reshape(consulted.images, self.shape.inputs)
        for layer in range(len(HIDDEN)):
            weight, bias = self._linear(f"gate.{layer}")
            values = np.maximum(values @ weight + bias, 0.0)
        weight, bias = self._linear(f"gate.{len(HIDDEN)}")
        return np.asarray(softmax(np.where(present, values @ weight + bias, -np.inf), axis=1))

    def _stacks(self, consulted: Consulted) -> Array:
        stacks = np.zeros((consulted.images, len(self.shape.names), self.shape.stacked))
        features = _seen(consulted.features, consulted.present)
        for expert, own in enumerate(consulted.logits):
            if len(self.shape.names) > 1:
                weight, bias = self._linear(f"heads.{expert}")
                stacks[:, expert, self._cross_columns(expert)] = features[:, expert] @ weight + bias
            stacks[:, expert, self.shape.slice_of(expert)] = np.where(consulted.present[:, expert, None], own, 0.0)
        return stacks

    def _winners(self, mixed: Array) -> np.ndarray[tuple[int, ...], np.dtype[np.intp]]:
        """(n, G) which of the S columns each merged label takes its score from; the first of equals."""
        first = mixed[:, self._holding].argmax(axis=2)
        return np.asarray(self._holding[np.arange(len(self.labels)), first])

    @cached_property
    def _holding(self) -> np.ndarray[tuple[int, ...], np.dtype[np.intp]]:
        """(G, m) columns that hold each merged label, the first of them repeated where there are fewer than m."""
        stacked = np.array([label for held in self.shape.labels for label in held])
        columns = [np.flatnonzero(stacked == label) for label in self.labels]
        most = max(found.size for found in columns)
        return np.array([np.r_[found, np.full(most - found.size, found[0])] for found in columns])

    def _cross_columns(self, expert: int) -> np.ndarray[tuple[int, ...], np.dtype[np.intp]]:
        return np.delete(np.arange(self.shape.stacked), self.shape.slice_of(expert))

    def _linear(self, name: str) -> tuple[Array, Array]:
        return self.state[f"{name}.weight"].T.astype(np.float64), self.state[f"{name}.bias"].astype(np.float64)

    def _parts(self, consulted: Consulted) -> Iterator[Consulted]:
        self._check(consulted)
        for start in range(0, max(consulted.images, 1), CHUNK):
            yield consulted.rows(slice(start, start + CHUNK))

    def _check(self, consulted: Consulted) -> None:
        if (consulted.names, consulted.labels) != (self.shape.names, self.shape.labels):
            raise ContractError("are not the experts of this gated model", where=", ".join(consulted.names))
        if consulted.features.shape[2] != self.shape.features:
            raise ContractError(f"are {consulted.features.shape[2]}, not {self.shape.features}", where="features")
        found = 0 if consulted.discrepancy is None else consulted.discrepancy.shape[2]
        if self.shape.reads == "discrepancy" and found != self.shape.means:
            raise ContractError(f"{found} neural means an expert, not {self.shape.means}", where="discrepancy")


def _layer(name: str, before: int, after: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (after, before), f"{name}.bias": (after,)}


def _seen(values: Floats, present: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Array:
    """(n, T, …) in float64, zero for experts that did not see the image."""
    return np.where(present[:, :, None], values, 0.0).astype(np.float64, copy=False)
