"""A model averaged in rounds: the global model that the coordinator signs, and the updates of sites that answer it.

The global model after round t is a parcel of kind `average`; it asks every site for an update until the last round. An
update names the digest of the average that it was trained from, so that it can answer no other. Both hold the state of
one network: the same names, types and shapes, finite numbers of a plausible size. McMahan et al. 2017, Communication-
efficient learning of deep networks from decentralized data, algorithm 1; the proximal term is that of Li et al. 2020,
Federated optimization in heterogeneous networks, equation 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from federated.contract import (
    MAX_LABELS,
    Contribution,
    Digest,
    Frozen,
    Label,
    Manifest,
    Name,
    Scalar,
    Tensors,
    TensorSpec,
)
from federated.errors import ContractError

MAX_ROUNDS = 10_000
MAX_VALUE = 1e6  # of a weight, a running mean or variance: no training gives more, and a mean of them does not overflow
MEAN_ROUNDING = 1e-5  # of the largest value: means are computed in the network's own type, as float32
MAX_WHOLE = 2**53  # of a count: a mean of them is exact
MAX_IMAGES = 10**9  # behind an update

StrategyName = Literal["fedavg", "fedprox"]
"""Flower's strategies that a run may name; `server.flower_app` has a line for each."""


class Plan(Frozen):
    """What a run of rounds does, the same from its first average to its last.

    Attributes:
        model, config: the network, by its name and configuration in the list of models that are trained in rounds.
        rounds: how many there will be.
        epochs: passes over a site's training images in a round.
        proximal: μ of the proximal term, 0 unless the strategy is fedprox.
        least: updates without which a round is not averaged.
    """

    task: Name
    front_end: Digest
    labels: tuple[Label, ...] = Field(min_length=2, max_length=MAX_LABELS)
    model: Name
    config: dict[str, Scalar]
    strategy: StrategyName
    rounds: Annotated[int, Field(ge=1, le=MAX_ROUNDS)]
    epochs: Annotated[int, Field(ge=1, le=1000)]
    proximal: Annotated[float, Field(ge=0, le=1e9)]
    least: Annotated[int, Field(ge=1, le=10_000)]

    @model_validator(mode="after")
    def _only_fedprox_pulls(self) -> Self:
        if (self.strategy == "fedprox") != (self.proximal > 0):
            raise ValueError("fedprox needs a proximal term above 0, and no other strategy has one")
        return self


class Averaged(Frozen):
    """An update that entered an average, and the images that it was weighted by."""

    site: Name
    update: Digest
    images: Annotated[int, Field(ge=1, le=MAX_IMAGES)]


class AverageManifest(Manifest):
    """The global model of a run after `round` rounds; below `plan.rounds` it asks for updates. Tensors: its state.

    `previous` is the average before, from which `updates` were trained; the first has neither.
    """

    kind: Literal["average"] = "average"
    run: Annotated[int, Field(ge=1, le=10**9)]
    plan: Plan
    round: Annotated[int, Field(ge=0, le=MAX_ROUNDS)]
    previous: Digest | None
    updates: tuple[Averaged, ...]

    @model_validator(mode="after")
    def _rounds_follow_each_other(self) -> Self:
        if self.round > self.plan.rounds:
            raise ValueError("there are more rounds behind it than its plan has")
        if (self.previous is None) != (self.round == 0) or bool(self.updates) != (self.round > 0):
            raise ValueError("the first average, and no other, has nothing before it")
        if len({each.site for each in self.updates}) != len(self.updates):
            raise ValueError("a site entered it twice")
        if self.round and len(self.updates) < self.plan.least:
            raise ValueError("fewer sites entered it than its plan demands")
        return self

    @property
    def is_finished(self) -> bool:
        """Whether it is the last of its run, and asks for nothing."""
        return self.round == self.plan.rounds


class UpdateManifest(Contribution):
    """A site's state of the network after training from one average; `batch` says that it is of all batches.

    `images` are those that it was trained on, by which the coordinator weights it.
    """

    kind: Literal["update"] = "update"
    batch: Literal["all"] = "all"
    average: Digest
    run: Annotated[int, Field(ge=1, le=10**9)]
    round: Annotated[int, Field(ge=1, le=MAX_ROUNDS)]
    model: Name

    @property
    def examples(self) -> int:
        """Images it was trained on."""
        return sum(self.images.values())


def check_average(manifest: AverageManifest, tensors: Tensors, expected: Mapping[str, TensorSpec]) -> None:
    """Whether an average is a sound state of the network that it names.

    Args:
        manifest: its manifest, whose signature was checked.
        tensors: as `unpack_tensors` gives them.
        expected: types and shapes of that network's state.

    Raises:
        ContractError: other tensors than the network has, or numbers that no training gives.
    """
    _check_specs(manifest.tensors, expected, f"a '{manifest.plan.model}'")
    check_values(tensors)


def check_update(update: UpdateManifest, tensors: Tensors, name: str, average: AverageManifest) -> None:
    """Whether an update answers exactly this average, with a sound state of the same network.

    Args:
        update: its manifest, whose signature was checked.
        tensors: as `unpack_tensors` gives them.
        name: the digest of the average.
        average: the global model of the round, not the last.

    Raises:
        ContractError: it answers another model, round or run, or its state is not one of this network.
    """
    if update.average != name:
        raise ContractError(
            "answers another global model than this round's", where=f"round {update.round}", cure="answer the newest"
        )
    if (update.run, update.round, update.model) != (average.run, average.round + 1, average.plan.model):
        raise ContractError(
            f"is round {update.round} of run {update.run} with '{update.model}', wanted is round {average.round + 1} "
            f"of run {average.run} with '{average.plan.model}'",
            where="update",
        )
    unknown = sorted(set(update.labels) - set(average.plan.labels))
    if unknown:
        raise ContractError(f"'{unknown[0]}' is not among the labels of the run", where="labels")
    if not 1 <= update.examples <= MAX_IMAGES:  # more would fit no average
        few = "no image" if not update.examples else f"{update.examples} images, at most {MAX_IMAGES} are believed"
        raise ContractError(f"was trained on {few}", where="images")
    _check_specs(update.tensors, average.tensors, "the global model")
    check_values(tensors)


def recompute_average(
    average: AverageManifest, tensors: Tensors, updates: Mapping[str, tuple[UpdateManifest, Tensors]]
) -> str:
    """Whether a global model is the mean of the updates that it names, weighted by their images.

    Args:
        average: the global model's manifest, with updates.
        tensors: its state.
        updates: by digest, at least those that it names.

    Returns:
        What was found, in a line.

    Raises:
        ContractError: it names an update otherwise than it is, or its state is another than the mean.
    """
    total = sum(each.images for each in average.updates)
    mean = {name: np.zeros(array.shape) for name, array in tensors.items()}
    for each in average.updates:
        update, state = updates[each.update]
        told = (update.site, update.examples, update.average, update.round)
        if told != (each.site, each.images, average.previous, average.round) or _shapes(state) != _shapes(mean):
            raise ContractError("is not what the global model says of it", where=f"update {each.update[:23]}")
        mean = {name: mean[name] + each.images / total * state[name] for name in mean}
    for name, array in tensors.items():
        slack = MEAN_ROUNDING * float(np.abs(mean[name]).max(initial=1.0)) + (0.5 if array.dtype.kind in "iu" else 0.0)
        if array.size and np.abs(array - mean[name]).max() > slack:
            raise ContractError("is not the mean of the updates", where=f"tensor {name}")
    return f"the mean of {len(average.updates)} updates, weighted by {total} images"


def check_values(tensors: Tensors) -> None:
    """Whether numbers are finite and of a size that training gives.

    Raises:
        ContractError: one is not.
    """
    for name, array in sorted(tensors.items()):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ContractError("holds NaN or infinity", where=f"tensor {name}")
        limit = MAX_VALUE if array.dtype.kind == "f" else MAX_WHOLE
        if array.size and not -limit <= array.min() <= array.max() <= limit:
            raise ContractError(f"holds numbers above {limit:g}, which no training gives", where=f"tensor {name}")


def _shapes(state: Tensors) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in state.items()}


def _check_specs(found: Mapping[str, TensorSpec], expected: Mapping[str, TensorSpec], what: str) -> None:
    for name in sorted(set(found) | set(expected)):
        if found.get(name) != expected.get(name):
            raise ContractError(
                f"is {_shown(found.get(name))}, {what} has {_shown(expected.get(name))}", where=f"tensor {name}"
            )


def _shown(spec: TensorSpec | None) -> str:
    return f"{spec.dtype}{spec.shape}" if spec is not None else "not there"
