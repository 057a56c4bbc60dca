"""What an ingest tells a person at the hospital, in the hospital's own names: it is shown, and never stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BeforeValidator

from federated.errors import one_line
from federated.manifest import Frozen
from site_agent.catalogue import State

Line = Annotated[str, BeforeValidator(one_line)]  # a file's name may hold anything


class Aside(Frozen):
    """Something listed that was not taken in, with the reason; `key` names it to ``site quarantine``."""

    name: Line
    state: State
    reason: Line
    key: str


class Doubt(Frozen):
    """Something that an item says and that was not believed."""

    name: Line
    line: Line


class IngestReport(Frozen):
    """What an ingest did.

    Attributes:
        format: name of the source, and `recognised` whether it was found without being named.
        batches: new ones; none where nothing was new.
        images, clips, patients, labels: new ones.
        skipped: images that were there already.
        blanked: clips of which something bright outside the sector was taken away.
        aside: what was refused, set aside for a person or kept apart.
        doubts: what was not believed.
        notes: what is to be said aloud.
    """

    format: str
    recognised: bool
    batches: tuple[str, ...]
    images: int
    clips: int
    patients: int
    labels: dict[str, int]
    skipped: int
    blanked: int
    aside: tuple[Aside, ...]
    doubts: tuple[Doubt, ...]
    notes: tuple[Line, ...]


@dataclass
class Findings:
    """What became of the items so far."""

    aside: list[Aside] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    skipped: int = 0
