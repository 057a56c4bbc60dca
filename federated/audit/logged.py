"""What a log tells of parcels, releases and approvals, as an auditor looks it up: small, whatever was logged."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from federated.log.entries import Entry
from federated.log.verification import TELLS_OF
from federated.manifest import SITE_KINDS


@dataclass(frozen=True, slots=True)
class Logged:
    """The entry that tells of a parcel.

    Attributes:
        number: of the entry.
        concerns: what the parcel answers.
        choice: of an adoption.
        envelope: SHA-256 of the site's envelope; None of a parcel of the coordinator's own.
    """

    number: int
    concerns: str | None
    choice: str | None
    envelope: bytes | None


@dataclass
class LogIndex:
    """Entries by what they tell of.

    Attributes:
        size: entries.
        releases: their entries, in order.
        withdrawn: digests of contributions that were taken back, and the number of the entry that says so.
        plans: digests of the change plans that there were.
        recalled: release -> number of the entry that says so.
        made: release of a candidate -> number of its entry.
        reports: (site, candidate) -> number of the entry and digest of each report, in order.
    """

    size: int = 0
    releases: list[Entry] = field(default_factory=list)
    withdrawn: dict[str, int] = field(default_factory=dict)
    plans: list[str] = field(default_factory=list)
    recalled: dict[str, int] = field(default_factory=dict)
    made: dict[str, int] = field(default_factory=dict)
    reports: dict[tuple[str, str], list[tuple[int, str]]] = field(default_factory=dict)
    _told: dict[tuple[str, str, str], Logged] = field(default_factory=dict)

    def add(self, number: int, entry: Entry) -> None:
        """One more entry, of which everything was verified."""
        self.size = number + 1
        kind = entry.kind if entry.event == "accepted" else TELLS_OF.get(entry.event)
        if kind is not None and entry.subject is not None:
            sealed = None if entry.envelope is None else hashlib.sha256(entry.envelope.encode()).digest()
            logged = Logged(number, entry.concerns, entry.choice, sealed)
            self._told.setdefault((kind, entry.site or "", entry.subject), logged)
        if kind == "report":
            about = (entry.site or "", str(entry.concerns))
            self.reports.setdefault(about, []).append((number, str(entry.subject)))
        if kind == "release":
            self.releases.append(entry)
        if entry.event == "release":
            self.made[str(entry.subject)] = number
        if entry.event == "recall":
            self.recalled.setdefault(str(entry.concerns), number)
        if entry.event == "withdraw":
            self.withdrawn.setdefault(str(entry.subject), number)
        if entry.event == "plan":
            self.plans.append(str(entry.subject))

    def find(self, kind: str, sender: str, digest: str) -> Logged | None:
        """The entry that tells of a parcel; None where there is none."""
        return self._told.get((kind, sender if kind in SITE_KINDS else "", digest))

    def report(self, site: str, candidate: str, before: int) -> str | None:
        """The last report of a site on a candidate that had come before an entry; None where none had."""
        came = [digest for number, digest in self.reports.get((site, candidate), ()) if number < before]
        return came[-1] if came else None

    def counts(self) -> dict[str, int]:
        """How many parcels of each kind were logged."""
        return dict(sorted(Counter(kind for kind, _, _ in self._told).items()))

    def digests(self, kind: str) -> list[str]:
        """Parcels of a kind, in the order in which they were logged."""
        return [digest for each, _, digest in self._told if each == kind]

    def senders(self, kind: str) -> Iterator[tuple[str, str]]:
        """Sender and digest of each parcel of a kind."""
        return ((sender, digest) for each, sender, digest in self._told if each == kind)
