"""An auditor's draw: which records of a site's decision log are to be opened, and whether these were.

The site has said how far its log goes, by a root that it signed, before anybody drew; so it cannot choose what is
drawn, and what it opens hangs in that tree or does not. The numbers follow from the draw alone, by SHA-256 in counter
mode, without bias and without replacement. Whoever draws could try seeds until a record that they want is drawn; that
is for the site's approver to judge, who decides on each record that leaves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import count as numbers_from
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from federated.audit.outcome import Check, outcome
from federated.canonical import canonical, digest
from federated.contract import Count, Digest, Frozen, Name
from federated.decision_record import Hash, check_included, check_opened
from federated.envelope import Opened
from federated.errors import ContractError, cannot_read
from federated.faults import first_fault
from federated.manifest import DecisionManifest, SummaryManifest

MAX_DRAWN = 1000
MAX_DRAW_BYTES = 4096
WORD = 2**64
DOMAIN = b"consilium draw 1\n"


class Draw(Frozen):
    """What is drawn.

    Attributes:
        federation, site: whose decision log.
        summary: digest of the summary that named the tree.
        size, root: the tree.
        seed: 32 random bytes, chosen after the summary was sent.
        count: how many records; all of them where there are no more.
    """

    version: Literal[1] = 1
    federation: Name
    site: Name
    summary: Digest
    size: Annotated[Count, Field(ge=1)]
    root: Hash
    seed: Hash
    count: Annotated[int, Field(ge=1, le=MAX_DRAWN)]

    def to_bytes(self) -> bytes:
        """As it is handed over."""
        return canonical(self.model_dump(mode="json"))

    @property
    def digest(self) -> str:
        """By which opened decisions name it."""
        return digest(self.to_bytes())


def draw_from(summary: Opened, *, seed: bytes, count: int) -> Draw:
    """A draw from the tree that a summary names.

    Raises:
        ContractError: it is no summary, or so many are never drawn.
    """
    manifest = summary.manifest
    if not isinstance(manifest, SummaryManifest):
        raise ContractError(f"is a '{manifest.kind}', not a summary", where="draw")
    facts = {name: getattr(manifest, name) for name in ("federation", "site", "size", "root")}
    try:
        return Draw(**facts, summary=summary.digest, seed=seed.hex(), count=count)
    except ValidationError as error:
        raise ContractError(first_fault(error), where="draw") from error


def read_draw(path: Path) -> Draw:
    """A draw from its file.

    Raises:
        ConsiliumError: it cannot be read, or is none.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_DRAW_BYTES + 1)
    except OSError as error:
        raise cannot_read(path, error) from error
    return parse_draw(data, where=str(path))


def parse_draw(data: bytes, *, where: str) -> Draw:
    """A draw.

    Raises:
        ContractError: it is none.
    """
    if len(data) > MAX_DRAW_BYTES:
        raise ContractError(f"more than {MAX_DRAW_BYTES} bytes are no draw", where=where)
    try:
        return Draw.model_validate_json(data)
    except ValidationError as error:
        raise ContractError(first_fault(error), where=where, cure="make one with: consilium audit draw") from error


def indices(draw: Draw) -> tuple[int, ...]:
    """The numbers drawn, sorted: the first of a shuffle (Fisher and Yates) by numbers that the draw's digest gives."""
    words, moved, found = _words(draw), dict[int, int](), []
    for place in range(min(draw.count, draw.size)):
        chosen = place + _below(draw.size - place, words)
        found.append(moved.get(chosen, chosen))
        moved[chosen] = moved.get(place, place)
    return tuple(sorted(found))


def _words(draw: Draw) -> Iterator[int]:
    start = DOMAIN + draw.to_bytes()
    for number in numbers_from():
        yield int.from_bytes(hashlib.sha256(start + number.to_bytes(8, "big")).digest()[:8], "big")


def _below(bound: int, words: Iterator[int]) -> int:
    """Uniform below a bound: words beyond its largest multiple are left out."""
    limit = WORD - WORD % bound
    return next(word for word in words if word < limit) % bound


def verify_opened(draw: Draw, summary: Opened, opened: Sequence[Opened]) -> tuple[Check, ...]:
    """One check of the draw, one of each record that was drawn, and one of each parcel that nobody drew.

    Args:
        draw: what was drawn.
        summary: the parcel that it was drawn from; whose signatures it bears is asked elsewhere.
        opened: parcels of kind ``decision`` that the site answered with; the same.
    """
    by_number: dict[int, list[Opened]] = {}
    for each in opened:
        number = each.manifest.record.number if isinstance(each.manifest, DecisionManifest) else -1
        by_number.setdefault(number, []).append(each)
    drawn = indices(draw)
    strange = {number: found for number, found in by_number.items() if number not in drawn}
    instead = f"; {_listed(strange)} opened instead" if strange else ""
    return (
        outcome("draw", lambda: _drawn(draw, summary)),
        *(outcome(f"record {each}", lambda n=each: _answered(draw, by_number.get(n, []), instead)) for each in drawn),  # type: ignore[misc]
        *(Check(name=f"record {each}", ok=None, found="was not drawn") for each in sorted(strange)),
    )


def _listed(numbers: dict[int, list[Opened]]) -> str:
    shown = ", ".join(str(number) for number in sorted(numbers)[:5])
    return f"record {shown} was" if len(numbers) == 1 else f"records {shown} were"


def _drawn(draw: Draw, summary: Opened) -> str:
    manifest = summary.manifest
    if not isinstance(manifest, SummaryManifest) or draw.summary != summary.digest:
        raise ContractError("was drawn from another summary than this one", where="draw")
    for name in ("federation", "site", "size", "root"):
        if getattr(draw, name) != getattr(manifest, name):
            raise ContractError(f"names another {name} than the summary", where="draw")
    return f"{min(draw.count, draw.size)} of {draw.size} records of {draw.site}"


def _answered(draw: Draw, parcels: Sequence[Opened], instead: str) -> str:
    """What was opened under a number that was drawn."""
    if not parcels:
        raise ContractError(f"was drawn and is not opened{instead}")
    if len({each.digest for each in parcels}) > 1:
        raise ContractError("was opened twice, differently")
    manifest, tensors = parcels[0].manifest, parcels[0].tensors
    if (manifest.federation, manifest.site) != (draw.federation, draw.site):
        raise ContractError(f"is of another site, '{manifest.site}'")
    if (manifest.size, manifest.root) != (draw.size, draw.root):
        raise ContractError("is shown in another tree than the one that the summary named")
    check_included(manifest.record, manifest.size, manifest.root, manifest.proof)
    check_opened(manifest.record, manifest.decision, tensors.get("features"))
    if manifest.release != manifest.record.release:
        raise ContractError("names another release than its record")
    if manifest.draw != draw.digest:
        raise ContractError("was opened for another draw")
    return f"the {manifest.record.event} that was logged at {manifest.record.at}"
