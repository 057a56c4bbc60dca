"""One event: everything that is waiting is taken in, fused, calibrated by the sites' reports, released and sent.

An event is at most three rounds of messages: contributions; candidate out, reports in; release out, adoptions in; and
one in which the sites witness the log that tells of it. It is keyed by digests throughout, so one that was killed
half-way is simply run again and ends the same.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from federated.envelope import parse_parcel
from federated.errors import ConsiliumError
from federated.manifest import Frozen
from server.change_plans import PlanError
from server.intake import Acceptance

if TYPE_CHECKING:
    from server.coordinator import Coordinator


WITNESS_ROUNDS = 2


@dataclass(frozen=True)
class ExchangeRequest:
    """What one site is handed: parcels for it, and what became of its own (digest; accepted or rejected).

    `status` is the list of releases that stand, which no number is used up for.
    """

    parcels: list[bytes]
    settled: list[tuple[str, str]]
    status: bytes = b""

    @property
    def handed(self) -> list[bytes]:
        """Everything that a route carries to the site."""
        return [*self.parcels, self.status] if self.status else self.parcels


@dataclass(frozen=True)
class Unreached:
    """A site that did not answer, and why, in a word or a code."""

    reason: str


class Route(Protocol):
    """A way to the sites: Flower, or folders on this machine."""

    def sites(self) -> list[str]:
        """Names of the sites that can be reached now."""
        ...

    def exchange(self, requests: Mapping[str, ExchangeRequest]) -> Mapping[str, list[bytes] | Unreached]:
        """One round of messages with all these sites at once: each one's outbox, or why it did not answer."""
        ...

    def witness(self, requests: Mapping[str, Sequence[bytes]]) -> Mapping[str, bytes]:
        """Checkpoints of the log to these sites, with entries about each, and what those say of them that answer."""
        ...


class Answer(Frozen):
    """What passed between the coordinator and one site in one round; `unreached` is empty where it answered."""

    site: str
    unreached: str
    parcels_sent: int
    bytes_sent: int
    bytes_received: int


class EventSummary(Frozen):
    """What an event did.

    Attributes:
        accepted: every parcel that arrived, with its outcome.
        rounds: the answers of each round.
        candidate, release: digests of what was made, or None.
        number: of the release.
        trouble: why no release was made although something arrived, or empty.
        witnessed: sites that signed the log as it is after the event.
        seconds: how long it took.
    """

    federation: str
    accepted: tuple[Acceptance, ...]
    rounds: tuple[tuple[Answer, ...], ...]
    candidate: str | None
    release: str | None
    number: int | None
    trouble: str
    witnessed: tuple[str, ...] = ()
    seconds: float


def run_event(coordinator: Coordinator, route: Route) -> EventSummary:
    """Contribute, propose, report, release, adopt, as far as there is anything to do."""
    event = _Event(coordinator, route)
    event.exchange()
    candidate = event.propose()
    if candidate is not None:
        event.exchange()
    release = event.release()
    if release is not None or event.is_anything_left():
        event.exchange()
    return event.summary(candidate, release, have_witnessed(coordinator, route))


class _Event:
    """The rounds of one event, and what came of them."""

    def __init__(self, coordinator: Coordinator, route: Route) -> None:
        self.coordinator, self.route = coordinator, route
        self.began = time.monotonic()
        self.accepted: list[Acceptance] = []
        self.rounds: list[tuple[Answer, ...]] = []
        self.trouble = ""

    def exchange(self) -> None:
        """One round with every enrolled site that can be reached."""
        accepted, answers = exchange_once(self.coordinator, self.route, reachable(self.coordinator, self.route))
        self.accepted += accepted
        self.rounds.append(answers)

    def propose(self) -> str | None:
        """A candidate, or none and the reason why what is here cannot be fused."""
        try:
            return self.coordinator.propose()
        except ConsiliumError as error:
            self.trouble = str(error)
            return None

    def release(self) -> str | None:
        """A release, or none, and the reason where a change plan does not let it be made."""
        try:
            return self.coordinator.release()
        except PlanError as error:
            self.trouble = self.trouble or str(error)
            return None

    def is_anything_left(self) -> bool:
        """Whether a site that can be reached has not been given something, or not been told what became of its own."""
        sites = reachable(self.coordinator, self.route)
        return any(self.coordinator.outgoing(site) or self.coordinator.settled(site) for site in sites)

    def summary(self, candidate: str | None, release: str | None, witnessed: tuple[str, ...]) -> EventSummary:
        """What came of it."""
        return EventSummary(
            federation=self.coordinator.home.config.federation,
            accepted=tuple(self.accepted),
            rounds=tuple(self.rounds),
            candidate=candidate,
            release=release,
            number=self.coordinator.number_of(release) if release is not None else None,
            trouble=self.trouble,
            witnessed=witnessed,
            seconds=time.monotonic() - self.began,
        )


def reachable(coordinator: Coordinator, route: Route) -> list[str]:
    """Enrolled sites that can be reached now, sorted."""
    return sorted(set(coordinator.sites()) & set(route.sites()))


def exchange_once(
    coordinator: Coordinator, route: Route, sites: Sequence[str]
) -> tuple[list[Acceptance], tuple[Answer, ...]]:
    """One round of messages with these sites: what arrived and became of it, and what passed with each."""
    status = coordinator.release_status() if sites else b""
    requests = {site: _request(coordinator, site, status) for site in sites}
    answers = dict(route.exchange(requests)) if requests else {}
    found = {site: answers.get(site, Unreached("no answer")) for site in sites}
    silent = {site: each.reason if isinstance(each, Unreached) else "" for site, each in found.items()}
    coordinator.note_contacts(silent)
    accepted = [each for site in sites for each in _take(coordinator, site, requests[site], found[site])]
    return accepted, tuple(_answer(site, requests[site], found[site]) for site in sites)


def have_witnessed(coordinator: Coordinator, route: Route) -> tuple[str, ...]:
    """Has the log's newest checkpoint signed by the sites that can be reached and have not signed it; who signed.

    A site that wants its proof from another size is asked once more.
    """
    asked, signed = reachable(coordinator, route), list[str]()
    for _ in range(WITNESS_ROUNDS):
        requests = coordinator.unwitnessed(asked)
        answers = route.witness(requests) if requests else {}
        signed += [site for site, answer in answers.items() if coordinator.take_cosignature(site, answer)]
        asked = [site for site in answers if site not in signed]
    return tuple(sorted(signed))


def _request(coordinator: Coordinator, site: str, status: bytes) -> ExchangeRequest:
    parcels = [parcel.to_bytes() for parcel in coordinator.outgoing(site)]
    return ExchangeRequest(parcels, coordinator.settled(site), status)


def _take(
    coordinator: Coordinator, site: str, request: ExchangeRequest, answer: list[bytes] | Unreached
) -> list[Acceptance]:
    """A site that answered has what it was handed; what it sent is taken in, in the order of its numbers."""
    if isinstance(answer, Unreached):
        return []
    for parcel in request.parcels:
        coordinator.acknowledge(site, parse_parcel(parcel).digest)
    coordinator.told(site, [digest for digest, _ in request.settled])
    return coordinator.accept_all(answer)


def _answer(site: str, request: ExchangeRequest, answer: list[bytes] | Unreached) -> Answer:
    reached = not isinstance(answer, Unreached)
    return Answer(
        site=site,
        unreached="" if isinstance(answer, list) else answer.reason,
        parcels_sent=len(request.parcels) if reached else 0,
        bytes_sent=sum(map(len, request.parcels)) if reached else 0,
        bytes_received=sum(map(len, answer)) if isinstance(answer, list) else 0,
    )
