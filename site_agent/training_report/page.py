"""The report on a training as one page that needs nothing else: no script, no font, no picture from anywhere."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from federated.files import write_whole
from site_agent.page_parts import Cell, moment, page, paragraphs, picture, section, table, text, tiles
from site_agent.training_report.curves import curve

EPOCH = "epoch"
WIDE = 1.5  # times as wide as high is a picture that shows two side by side
LONGEST = 12  # letters of a fact that is shown in large letters
DIGITS, SMALL, LARGE = 3, 0.01, 1000  # so many behind the point for what lies between the two

Value = str | int | float | None


@dataclass(frozen=True)
class Table:
    """Figures beside each other; columns that hold numbers only stand to the right. `note` is a line below."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Value]]
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """An image of a patient with what was found in it.

    Attributes:
        caption: in a few words.
        pixels: (H, W) or (H, W, 3).
        group: the title that it stands under with others, as in ``the worst``.
    """

    caption: str
    pixels: NDArray[np.uint8]
    group: str = ""


@dataclass(frozen=True)
class Report:
    """What the page says.

    Attributes:
        title: what was trained.
        facts: names with values; short values become tiles, long ones lines.
        history: of every epoch its number as ``epoch``, and figures by name.
        tables: in their order.
        pictures: groups come in the order of their first picture.
        key: names of structures with the colours in which `overlay` draws them.
        best: the epoch whose weights were kept.
        about: lines beside the title.
        notes: what a person should know before believing the rest.
    """

    title: str
    facts: Sequence[tuple[str, Value]] = ()
    history: Sequence[Mapping[str, float]] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    key: Sequence[tuple[str, tuple[int, int, int]]] = ()
    best: int | None = None
    about: Sequence[str] = ()
    notes: Sequence[str] = ()


def write_report(path: Path, report: Report) -> None:
    """The page, whole or not at all, for its owner only.

    Raises:
        ConsiliumError: it cannot be written.
    """
    write_whole(path, report_page(report, datetime.now(UTC)).encode(), mode=0o600)


def report_page(report: Report, when: datetime) -> str:
    """The page as HTML."""
    return page(
        title=report.title,
        heading=report.title,
        about=[*report.about, moment(when)],
        content="\n".join(_content(report)),
        command="consilium site train",
    )


def _content(report: Report) -> Iterator[str]:
    told = [(name, _written(value)) for name, value in report.facts]
    if short := [(value, name) for name, value in told if len(value) <= LONGEST]:
        yield tiles(short)
    if long := [*report.notes, *(f"{name}: {value}" for name, value in told if len(value) > LONGEST)]:
        yield section("About", paragraphs(long))
    if curves := "".join(_curves(report)):
        yield section("Training", f'<div class="curves">{curves}</div>')
    for each in report.tables:
        yield section(each.title, _table(each))
    if report.pictures:
        yield section("Examples", _key(report) + "".join(_galleries(report.pictures)))


def _curves(report: Report) -> Iterator[str]:
    """A picture for every figure of the history that any epoch has."""
    for name in dict.fromkeys(name for epoch in report.history for name in epoch if name != EPOCH):
        points = [(int(epoch[EPOCH]), float(epoch[name])) for epoch in report.history if name in epoch]
        if any(math.isfinite(value) for _, value in points):
            last = points[-1]
            said = f"{name}: {_written(last[1])} in epoch {last[0]}"
            kept = dict(points).get(report.best) if report.best is not None else None
            if kept is not None and report.best != last[0]:
                said += f", {_written(kept)} in epoch {report.best}, which was kept"
            yield f"<figure>{curve(points, report.best)}<figcaption>{escape(said)}</figcaption></figure>"


def _table(given: Table) -> str:
    numeric = [all(isinstance(row[at], int | float | None) for row in given.rows) for at in range(len(given.columns))]
    kinds = ["number" if is_number and at else "" for at, is_number in enumerate(numeric)]
    rows = ([_cell(kind, value) for kind, value in zip(kinds, row, strict=True)] for row in given.rows)
    note = f'<p class="quiet">{escape(given.note)}</p>' if given.note else ""
    return table(list(zip(kinds, given.columns, strict=True)), rows) + note


def _cell(kind: str, value: Value) -> Cell:
    return kind, text(_written(value))[1]


def _written(value: Value) -> str:
    """As a person reads it; a dash for what is not known."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if isinstance(value, float):
        small = value and abs(value) < SMALL
        return f"{value:.{DIGITS}g}" if small else f"{value:.{DIGITS}f}" if abs(value) < LARGE else f"{value:,.0f}"
    return value if isinstance(value, str) else f"{value:,}"


def _key(report: Report) -> str:
    colours = ((name, "rgb({},{},{})".format(*colour)) for name, colour in report.key)
    names = "".join(f'<span><i style="background:{colour}"></i>{escape(name)}</span>' for name, colour in colours)
    return f'<div class="key">{names}</div>' if names else ""


def _galleries(pictures: Sequence[Picture]) -> Iterator[str]:
    for group in dict.fromkeys(each.group for each in pictures):
        its = [each for each in pictures if each.group == group]
        wide = any(each.pixels.shape[1] > WIDE * each.pixels.shape[0] for each in its)
        title = f"<h3>{escape(group)}</h3>" if group else ""
        yield f'{title}<div class="gallery{" pairs" * wide}">{"".join(map(_figure, its))}</div>'


def _figure(each: Picture) -> str:
    return f"<figure>{picture(png(each.pixels))}<figcaption>{escape(each.caption)}</figcaption></figure>"


def png(pixels: NDArray[np.uint8]) -> bytes:
    """(H, W) or (H, W, 3) pixels as a file."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return file.getvalue()
