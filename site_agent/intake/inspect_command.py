"""``consilium inspect``: a table a file, and one line for a file that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from federated.errors import DataError, one_line
from site_agent.options import print_json
from site_agent.progress import track
from site_agent.tables import counted, print_table

if TYPE_CHECKING:
    from site_agent.intake.inspection import Blanking, Box, Inspection, Outcome, Values

Rows = Iterator[tuple[str, str]]
FATES = {
    "taken": "is taken in",
    "quarantined": "is set aside for a person: it",
    "apart": "is kept apart: it",
    "refused": "is refused: it",
}
COLOURS = {1: "grey", 3: "colour"}


def inspect(files: Sequence[Path], *, as_json: bool) -> None:
    """Shows every file that can be read; one that cannot is told, and ends in exit code 1.

    Raises:
        typer.Exit: some could not be read.
    """
    from site_agent.intake.inspection import inspect as inspect_file

    seen: list[Inspection] = []
    refused: list[tuple[str, str]] = []
    several = len(files) > 1
    for path in track(files, total=len(files), what="looking at files") if several else files:
        try:
            seen.append(inspect_file(path, watched=not several))
        except DataError as error:
            refused.append((str(path), f"{error.what}; {error.cure}" if error.cure else error.what))
    if as_json:
        print_json(
            {
                "files": [one.model_dump(mode="json") for one in seen],
                "refused": [{"file": name, "reason": reason} for name, reason in refused],
            }
        )
    else:
        for one in seen:
            print_table(one_line(one.file), ("what", "found"), rows(one))
    for name, reason in refused:
        typer.echo(one_line(f"consilium: {name}: {reason}"), err=True)
    if refused:
        raise typer.Exit(1)


def rows(seen: Inspection) -> Rows:
    """Everything that was seen in a file, in the order of reading."""
    form = seen.encoding.get("format", "")
    yield "format", f"{seen.format}{f' ({form})' if form else ''}, told by its {seen.told_by}; {seen.bytes} bytes"
    yield from ((name, found) for name, found in seen.encoding.items() if name != "format")
    machine = " ".join(f"{seen.maker} {seen.model}".split())
    yield from [("machine", machine)] if machine else []
    colours = COLOURS.get(seen.colours, counted(seen.colours, "channel"))
    yield "frames", f"{seen.frames} of {seen.width}x{seen.height} pixels, {colours}"
    if seen.stored is not None:
        yield "values as stored", _values(seen.stored)
    yield "values", _values(seen.shown)
    yield "pixel", _spacing(seen.spacing_mm)
    yield from [("frame rate", f"{seen.rate_hz:g} a second")] if seen.rate_hz else []
    for number, region in enumerate(seen.regions, start=1):
        yield f"region {number}", f"{region.data_type}, {_box(region.box)}, pixel {_spacing(region.spacing_mm)}"
    yield from _outcome(seen.outcome)
    yield from _header(seen)
    yield from (("not believed", line) for line in seen.doubts)


def _outcome(outcome: Outcome) -> Rows:
    if outcome.mode:
        yield "image mode", outcome.mode
    if outcome.sector is not None:
        sector = outcome.sector
        yield "sector", f"{sector.kind}, quality {sector.quality:.2f}, {_box(sector.box)}"
    elif outcome.state != "refused":
        yield "sector", "none found"
    if outcome.blanking is not None:
        yield "would be blanked", _blanking(outcome.blanking)
    yield from (("text inside", _box(box)) for box in outcome.text_inside)
    working = f", at {outcome.working[1]}x{outcome.working[0]} pixels" if outcome.working else ""
    yield "ingest", f"{FATES[outcome.state]} {outcome.reason}".rstrip() + working


def _blanking(gone: Blanking) -> str:
    boxes = "1 box" if gone.text_outside == 1 else f"{gone.text_outside} boxes"
    shares = f"{gone.pixels:.1%} of the pixels, {gone.bright:.1%} of the bright ones"
    return f"{shares}, {boxes} of text outside, {gone.marks_inside:.1%} of the sector as marks"


def _header(seen: Inspection) -> Rows:
    if seen.header is None:
        return
    header = seen.header
    yield "fields that identify", ", ".join(header.identifying) or "none"
    others = len({*header.removed, *header.changed} - set(header.identifying))
    yield "other fields", f"{others} removed or changed, {header.private} private ones removed"


def _values(values: Values) -> str:
    return f"{values.type}, {values.least:g} to {values.greatest:g}, mean {values.mean:.3f}"


def _spacing(spacing: tuple[float, float] | None) -> str:
    return f"{spacing[0]:.4g} mm high, {spacing[1]:.4g} mm wide" if spacing else "of unknown size"


def _box(box: Box) -> str:
    return f"columns {box[0]} to {box[2]}, rows {box[1]} to {box[3]}"
