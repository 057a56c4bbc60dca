"""A run of rounds: the global model goes out, updates come in and are verified, a strategy averages them.

The run is a loop over what the registry holds, so that one that was killed goes on where it was. A strategy sees an
update only after its signature, its round, its network, its shapes and its numbers were checked; what did not pass is
quarantined by name, and the round goes on without it if the plan's least number of sites is left.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from federated.averaging import AverageManifest
from federated.contract import Frozen, Tensors
from federated.errors import ConsiliumError
from server.event import Answer, exchange_once, have_witnessed, reachable
from server.intake import Acceptance

if TYPE_CHECKING:
    from server.averages import Update
    from server.contributions import Stored
    from server.coordinator import Coordinator
    from server.event import Route


class Strategy(Protocol):
    """Which sites a round asks, and how it averages what they answered."""

    def ask(self, average: AverageManifest, state: Tensors, sites: Sequence[str], /) -> list[str]:
        """Those of the sites that are to train from this global model."""
        ...

    def average(self, average: AverageManifest, updates: Sequence[Update], /) -> Tensors:
        """The next global model; every update was verified."""
        ...


class Round(Frozen):
    """What came of one round.

    Attributes:
        round: its number.
        asked: what passed with each site.
        accepted: every parcel that arrived, with its outcome; an update that did not pass is here with the reason.
        entered: sites whose updates were averaged, with the images that they were weighted by.
        average: digest of the global model after it; None where too few sites were left.
    """

    round: int
    asked: tuple[Answer, ...]
    accepted: tuple[Acceptance, ...]
    entered: dict[str, int]
    average: str | None


class AveragingSummary(Frozen):
    """What a run did since it was begun, or gone on with.

    Attributes:
        finished: digest of the last global model, or None where the run waits for more updates.
        trouble: why it waits, or empty.
        last: what passed with each site when the last global model was handed out.
        seconds: how long it took.
    """

    federation: str
    run: int
    model: str
    strategy: str
    rounds: tuple[Round, ...]
    finished: str | None
    trouble: str
    last: tuple[Answer, ...]
    seconds: float


def run_average(coordinator: Coordinator, route: Route, strategy: Strategy) -> AveragingSummary:
    """Rounds of the run that was begun, as many as its plan has and sites answer.

    Raises:
        ConsiliumError: no run was begun, or it was stopped meanwhile.
        ContractError: the strategy's answer is no state of the network.
    """
    began, average, rounds = time.monotonic(), _require_open(coordinator), list[Round]()
    manifest: AverageManifest = average.manifest
    while manifest.round + len(rounds) < manifest.plan.rounds:
        rounds.append(_round(coordinator, route, strategy, average))
        if rounds[-1].average is None:
            break
        average = coordinator.stored(rounds[-1].average)
    finished = rounds[-1].average
    last = exchange_once(coordinator, route, reachable(coordinator, route))[1] if finished else ()
    have_witnessed(coordinator, route)
    return AveragingSummary(
        federation=manifest.federation,
        run=manifest.run,
        model=manifest.plan.model,
        strategy=manifest.plan.strategy,
        rounds=tuple(rounds),
        finished=finished,
        trouble="" if finished else _trouble(rounds[-1], manifest.plan.least),
        last=last,
        seconds=time.monotonic() - began,
    )


def _require_open(coordinator: Coordinator) -> Stored:
    average = coordinator.open_average()
    if average is None:
        raise ConsiliumError(
            "no run of rounds waits for updates", where="average", cure="begin one: consilium coordinator average"
        )
    return average


def _round(coordinator: Coordinator, route: Route, strategy: Strategy, average: Stored) -> Round:
    """Asks, takes in, verifies, averages, keeps."""
    manifest: AverageManifest = average.manifest
    sites = strategy.ask(manifest, average.tensors, reachable(coordinator, route))
    accepted, answers = exchange_once(coordinator, route, sites)
    updates = coordinator.updates(average)
    after = None
    if len(updates) >= manifest.plan.least:
        state = as_declared(strategy.average(manifest, updates), average.tensors)
        after = coordinator.advance(average, state, updates)
    return Round(
        round=manifest.round + 1,
        asked=answers,
        accepted=tuple(accepted),
        entered={each.manifest.site: each.manifest.examples for each in updates},
        average=after,
    )


def as_declared(state: Tensors, like: Tensors) -> Tensors:
    """Averaged tensors in the types of the network's: a mean of whole numbers is rounded to the nearest.

    Args:
        state: as a strategy gave it.
        like: the global model before, whose types count; a tensor that it does not have stays as it is.
    """
    return {name: _typed(array, like.get(name, array).dtype) for name, array in state.items()}


def _typed(array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    return (np.rint(array) if dtype.kind in "iu" else array).astype(dtype)


def _trouble(last: Round, least: int) -> str:
    """One line: who answered, who did not and why."""
    refused = [f"{each.site} ({each.reason})" for each in last.accepted if each.kind == "update" and each.reason]
    silent = [f"{each.site} ({each.unreached})" for each in last.asked if each.unreached]
    rest = [f"refused: {', '.join(refused)}"] if refused else []
    rest += [f"not reached: {', '.join(silent)}"] if silent else []
    told = f"round {last.round} has updates of {len(last.entered)} sites, {least} are needed"
    return "; ".join([told, *rest, "run the command again to go on from here"])
