"""What the demonstration found, as it is written to ``OUT/results.json``."""

from __future__ import annotations

from collections.abc import Iterable

from deploy.demo.evaluation import Figures, Interval
from federated.manifest import Digest, Frozen, Name


class Received(Frozen):
    """Parcels of one kind that the coordinator accepted from one site during an arrival."""

    site: Name
    kind: str
    parcels: int
    bytes: int


class Arrival(Frozen):
    """One site's arrival, from its first image to the release that every online site evaluated.

    Seconds of `local` are the site's own work (ingest, features, experts), those of `exchange` the messages, the fusion
    and every site's report. `calibrated` are the patients, of its own or pooled, by whom each site's p-values are
    calibrated; with fewer than `calibration_needed` a site can neither be silenced nor refuse.
    """

    number: int
    site: Name
    received: tuple[Received, ...]
    local_seconds: float
    exchange_seconds: float
    taught: dict[str, tuple[str, ...]]
    labels: tuple[str, ...]
    labels_added: tuple[str, ...]
    release: Digest
    ridge: float
    scatter: float
    outside: float
    calibrated: dict[str, int]
    calibration_needed: int
    rows: tuple[Figures, ...]
    over_joint: Interval


class Part(Frozen):
    """One site's mean part in the answers to held-back clips of one true label."""

    site: Name
    label: str
    weight: float | None
    contribution: float | None
    clips: int


class Incremental(Frozen):
    """Metrics over all arrivals of one method."""

    method: str
    average: float | None
    last: float | None
    forgetting: float | None


class Setting(Frozen):
    """Who takes part and how things are called.

    Attributes:
        kind: a word that every table and picture bears, such as ``phantom``, or none.
        order: sites in the order in which they arrive.
        testing: sites that never arrive: their images only test.
        names: code -> what is shown in its place.
    """

    kind: str
    order: tuple[Name, ...]
    testing: tuple[Name, ...]
    names: dict[str, str]

    @property
    def sites(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.order, *self.testing)

    def marked(self, title: str) -> str:
        """A title that bears the word."""
        return f"{title} ({self.kind})" if self.kind else title

    def named(self, codes: Iterable[str]) -> str:
        """Labels in a row."""
        return ", ".join(self.names[code] for code in codes)


class Results(Setting):
    """Everything the demonstration measured."""

    about: str
    route: str
    arrivals: tuple[Arrival, ...]
    incremental: tuple[Incremental, ...]
    parts: tuple[Part, ...]
