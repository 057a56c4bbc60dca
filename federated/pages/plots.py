"""Plots as small pictures in SVG: what a table would take a minute to tell.

Each names itself and says in words what it shows, for those who hear the page; colours are classes of the style sheet,
in light and dark and on paper. Every word that is given is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from federated.pages.svg import Svg, drawing, line, rectangle, shortened, text, words

KINDS = ("s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7")  # colours of things that have names
NOBODY, DIFFER, REST = "nobody", "differ", "rest"  # of what nobody knows, where sites differ, and of all others
ROW, BAR = 26, 14  # pixels: a line of bars, and the bar in it
WIDTH = 960
NAMES, FIGURES = 190, 90  # most room for names at the left, and for figures at the right
LETTER, LEAST = 7.2, 60  # pixels: room for a letter of a name, and least room for names
FITS = 24  # letters of a name
TINY = 1e-200  # spans below it would make a pixel of nothing infinitely long
KEY_ROW, KEY_COLUMN = 20, 180


class Value(NamedTuple):
    """One bar: whose it is, how long, and what is written beside it."""

    name: str
    value: float
    shown: str = ""
    kind: str = "s0"


class Part(NamedTuple):
    """One part of a bar, in a colour; `shown` is what is said of it."""

    name: str
    value: float
    kind: str
    shown: str = ""


class Line(NamedTuple):
    """One curve through points of x and y."""

    name: str
    points: Sequence[tuple[float, float]]
    kind: str = "s0"


class Mark(NamedTuple):
    """Something that happened, in a lane."""

    lane: str
    at: float
    kind: str
    said: str


def kinds(names: Iterable[str]) -> dict[str, str]:
    """A colour for each of the first names; the others share one."""
    return {name: KINDS[place] if place < len(KINDS) else REST for place, name in enumerate(dict.fromkeys(names))}


def figure(value: float) -> str:
    """A number as plots write it."""
    if value and abs(value) < 0.0005:
        return f"{value:.0e}"
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"


def bar(values: Sequence[Value], *, title: str, most: float | None = None, limit: float | None = None) -> Svg:
    """Horizontal bars from nought, one a line; what is negative goes to the left.

    Args:
        values: from top to bottom.
        title: names the plot.
        most: what fills the width; the largest value where it is not said.
        limit: a value that is marked by a line.
    """
    low = min([0.0, *(one.value for one in values)])
    high = max([0.0, most or 0.0, *(one.value for one in values)])
    left = room_for(one.name for one in values)
    scale = _room(high - low, left)
    drawn = []
    for place, one in enumerate(values):
        y = place * ROW
        shown = one.shown or figure(one.value)
        start, length = left + (min(one.value, 0) - low) * scale, abs(one.value) * scale
        said = f"{words(one.name)}: {words(shown)}"
        drawn += [
            text(left - 10, y + 17, shortened(one.name, FITS), anchor="end"),
            rectangle(start, y + 6, length, BAR, one.kind, said=said),
            text(WIDTH - FIGURES + 10, y + 17, shortened(shown, 14), kind="quiet"),
        ]
    height = max(1, len(values)) * ROW
    marks = [0.0, *([] if limit is None else [limit])]
    drawn += [
        line(x, 0, x, height, kind) for x, kind in zip(_at(marks, low, scale, left), ("axis", "limit"), strict=False)
    ]
    desc = "; ".join(f"{one.name} {one.shown or figure(one.value)}" for one in values)
    return drawing(WIDTH, height, drawn, title=title, desc=desc or "nothing to show")


def room_for(names: Iterable[str]) -> float:
    """Pixels at the left for the longest of some names."""
    return min(NAMES, max(LEAST, 14 + LETTER * max(map(len, names), default=0)))


def _room(span: float, left: float) -> float:
    return (WIDTH - left - FIGURES) / span if span > TINY else 0.0


def _at(values: Iterable[float], low: float, scale: float, left: float) -> list[float]:
    return [left + (value - low) * scale for value in values]


def stacked_bar(parts: Sequence[Part], *, title: str) -> Svg:
    """One bar of parts that together fill it, with a key that names them."""
    return stacked_bars([("", parts)], title=title)


def stacked_bars(rows: Sequence[tuple[str, Sequence[Part]]], *, title: str, most: float | None = None) -> Svg:
    """Bars of parts, one a line, with one key; each fills the width, unless `most` says what does."""
    left = room_for(name for name, _ in rows) if any(name for name, _ in rows) else 0
    tall = BAR if len(rows) > 1 else 2 * BAR
    row = tall + ROW - BAR
    drawn = []
    for place, (name, parts) in enumerate(rows):
        scale = (WIDTH - left) / (most or sum(max(0.0, part.value) for part in parts) or 1.0)
        if name:
            drawn.append(text(left - 10, place * row + tall, shortened(name, FITS), anchor="end"))
        drawn += _stack(parts, left, place * row + 3, tall, scale, name)
    key, height = _key((part for _, parts in rows for part in parts), len(rows) * row + 8, one=len(rows) == 1)
    said = (
        (f"{name}: " if name else "") + ", ".join(f"{part.name} {part.shown or figure(part.value)}" for part in parts)
        for name, parts in rows
    )
    return drawing(WIDTH, height, [*drawn, *key], title=title, desc="; ".join(said) or "nothing to show")


def _stack(parts: Sequence[Part], x: float, y: float, tall: float, scale: float, row: str) -> Iterator[str]:
    yield rectangle(x, y, WIDTH - x, tall, "ground")
    for part in parts:
        width = max(0.0, part.value) * scale
        if width:
            shown = words(part.shown or figure(part.value))
            yield rectangle(
                x, y, width, tall, f"part {part.kind}", said=f"{words(row)} {words(part.name)}: {shown}".strip()
            )
            if width > 9 * len(shown) and part.kind != REST:
                yield text(x + width / 2, y + tall / 2 + 4, shown, kind="on", anchor="middle")
        x += width


def _key(parts: Iterable[Part], y: float, *, one: bool) -> tuple[list[str], float]:
    """Names of the parts below the bars, and where they end; of a single bar with its figures."""
    named: dict[str, Part] = {}
    for part in parts:
        named.setdefault(part.name, part)
    columns, drawn = int(WIDTH // KEY_COLUMN), []
    for place, part in enumerate(named.values()):
        x, top = (place % columns) * KEY_COLUMN, y + (place // columns) * KEY_ROW
        figures = f" {words(part.shown or figure(part.value))}" if one else ""
        drawn += [rectangle(x, top + 2, 11, 11, part.kind), text(x + 17, top + 12, shortened(part.name, 18) + figures)]
    return drawn, y + KEY_ROW * -(-len(named) // columns)


def heat_map(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float | None]],
    *,
    title: str,
    most: float | None = None,
) -> Svg:
    """A grid of rows by columns whose strength of colour is the value; what is not known is left out of it.

    Args:
        rows: names at the left.
        columns: names at the top, written upwards.
        values: one for each row and column; None is drawn as a dot, negative values in the other colour.
        title: names the plot.
        most: the value with the full colour; the largest where it is not said.
    """
    known = [(value, row, column) for row, line_ in zip(rows, values, strict=True) for value, column in
             zip(line_, columns, strict=True) if value is not None]  # fmt: skip
    full = most or max((abs(value) for value, _, _ in known), default=0.0) or 1.0
    left = room_for(rows)
    side = min(64.0, max(16.0, (WIDTH - left - 60) / max(1, len(columns))))
    head = 26 + 5.0 * min(FITS, max(map(len, columns), default=0))
    cell = 22.0
    width, height = left + side * len(columns) + head * 0.8, head + cell * len(rows) + 34
    drawn = [
        text(left + side * place + side / 2, head - 8, shortened(name, FITS), turn=-48)
        for place, name in enumerate(columns)
    ]
    for place, (name, row) in enumerate(zip(rows, values, strict=True)):
        y = head + cell * place
        drawn.append(text(left - 10, y + 15, shortened(name, FITS), anchor="end"))
        drawn += _cells(name, columns, row, (left, y), side, cell, full)
    drawn += _scale(full, left, head + cell * len(rows) + 12)
    strongest = sorted(known, key=lambda one: -abs(one[0]))[:5]
    desc = f"{len(rows)} rows by {len(columns)} columns; the strongest: "
    desc += "; ".join(f"{row}, {column}: {figure(value)}" for value, row, column in strongest)
    return drawing(max(width, 320), height, drawn, title=title, desc=desc if known else "nothing is known")


def _cells(
    name: str,
    columns: Sequence[str],
    row: Sequence[float | None],
    at: tuple[float, float],
    side: float,
    cell: float,
    full: float,
) -> Iterator[str]:
    left, y = at
    yield rectangle(left, y + 1, side * len(columns) - 1, cell - 2, "ground")
    for place, (column, value) in enumerate(zip(columns, row, strict=True)):
        x = left + side * place
        if value is None:
            yield f'<circle class="rest" cx="{x + side / 2:.1f}" cy="{y + cell / 2:.1f}" r="3"/>'
        elif value:
            said = f"{words(name)}, {words(column)}: {figure(value)}"
            kind, fade = "heat" if value > 0 else "cold", min(1.0, 0.08 + 0.92 * abs(value) / full)
            yield rectangle(x, y + 1, side - 1, cell - 2, kind, said=said, fade=fade)
            if side >= 36:
                strong = "on" if fade > 0.66 else ""
                yield text(x + side / 2 - 0.5, y + 15, f"{value:.2f}", kind=strong, anchor="middle")


def _scale(full: float, left: float, y: float) -> Iterator[str]:
    """What the colours stand for."""
    yield text(left - 10, y + 11, "0", kind="quiet", anchor="end")
    for step in range(10):
        yield rectangle(left + 16 * step, y, 15, 14, "heat", fade=0.08 + 0.92 * step / 9)
    yield text(left + 168, y + 11, words(figure(full)), kind="quiet")


TALL, LEFT, FOOT = 240, 56, 44  # of a plot with axes


def lines(
    curves: Sequence[Line],
    *,
    title: str,
    x_axis: str,
    y_axis: str,
    ticks: Mapping[float, str] | None = None,
    low: float | None = None,
    high: float | None = None,
) -> Svg:
    """Curves over a common x, each point to be pointed at.

    Args:
        curves: drawn in this order; the key names them where there is more than one.
        title: names the plot.
        x_axis: what x is.
        y_axis: what y is.
        ticks: names of places on the x axis; the first and last x where they are not said.
        low: the bottom; the smallest y where it is not said.
        high: the top; the largest y where it is not said.
    """
    xs = [x for curve in curves for x, _ in curve.points] or [0.0]
    ys = [y for curve in curves for _, y in curve.points] or [0.0]
    bottom, top = min(ys) if low is None else low, max(ys) if high is None else high
    frame = _Frame(min(xs), max(xs), bottom, top if top > bottom else bottom + 1.0)
    drawn = list(_axes(frame, x_axis, y_axis, ticks or {x: figure(x) for x in {min(xs), max(xs)}}))
    for curve in curves:
        drawn += _curve(frame, curve)
    key, height = _key((Part(c.name, 0, c.kind) for c in curves if len(curves) > 1), TALL + FOOT + 6, one=False)
    said = (f"{c.name} from {figure(c.points[0][1])} to {figure(c.points[-1][1])}" for c in curves if c.points)
    desc = f"{y_axis} over {x_axis}: " + "; ".join(said)
    return drawing(WIDTH, height, [*drawn, *key], title=title, desc=desc)


class _Frame(NamedTuple):
    """From values to pixels."""

    first: float
    last: float
    low: float
    high: float

    def x(self, value: float) -> float:
        span = self.last - self.first
        return LEFT + (WIDTH - LEFT - 16) * ((value - self.first) / span if span else 0.5)

    def y(self, value: float) -> float:
        return TALL - (TALL - 16) * (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)


def _axes(frame: _Frame, x_axis: str, y_axis: str, ticks: Mapping[float, str]) -> Iterator[str]:
    for step in range(5):
        value = frame.low + (frame.high - frame.low) * step / 4
        y = frame.y(value)
        yield line(LEFT, y, WIDTH - 16, y, "rule" if step else "axis")
        yield text(LEFT - 8, y + 4, words(figure(value)), kind="quiet", anchor="end")
    for value, name in ticks.items():
        x = frame.x(value)
        anchor = "start" if x < LEFT + 20 else "end" if x > WIDTH - 50 else "middle"
        yield text(x, TALL + 17, words(name), kind="quiet", anchor=anchor)
    yield text((LEFT + WIDTH) / 2, TALL + 36, words(x_axis), kind="quiet", anchor="middle")
    yield text(0, 10, words(y_axis), kind="quiet")


MAX_DOTS = 120  # more points than that are a curve without dots


def _curve(frame: _Frame, curve: Line) -> Iterator[str]:
    points = [(frame.x(x), frame.y(y)) for x, y in curve.points]
    yield f'<polyline class="{curve.kind}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'
    if len(points) <= MAX_DOTS:
        for (x, y), (_, value) in zip(points, curve.points, strict=True):
            said = f"{words(curve.name)}: {figure(value)}"
            yield f'<circle class="{curve.kind}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"><title>{said}</title></circle>'


def timeline(
    lanes: Sequence[str],
    marks: Sequence[Mark],
    *,
    title: str,
    ticks: Mapping[float, str],
    key: Mapping[str, str] | None = None,
) -> Svg:
    """What happened when, one lane each; marks in the order of time, `ticks` names moments, `key` the colours.

    Raises:
        ValueError: a mark lies in no lane.
    """
    times = [mark.at for mark in marks] + list(ticks)
    frame = _Frame(min(times, default=0.0), max(times, default=1.0), 0.0, 1.0)
    left = room_for(lanes)
    shift = left - LEFT
    squeeze = (WIDTH - left - 16) / (WIDTH - LEFT - 16)

    def across(value: float) -> float:
        return LEFT + shift + (frame.x(value) - LEFT) * squeeze

    height = len(lanes) * ROW + 26
    drawn = []
    for place, lane in enumerate(lanes):
        y = place * ROW + ROW / 2
        drawn += [line(left, y, WIDTH - 16, y), text(left - 10, y + 4, shortened(lane, FITS), anchor="end")]
    for mark in marks:
        y = lanes.index(mark.lane) * ROW + ROW / 2
        said = words(mark.said)
        drawn.append(
            f'<circle class="{mark.kind}" cx="{across(mark.at):.1f}" cy="{y:.1f}" r="6"><title>{said}</title></circle>'
        )
    for value, name in ticks.items():
        anchor = "start" if across(value) < left + 30 else "end" if across(value) > WIDTH - 60 else "middle"
        drawn.append(text(across(value), height - 6, words(name), kind="quiet", anchor=anchor))
    named, bottom = _key([Part(name, 0, kind) for kind, name in (key or {}).items()], height + 6, one=False)
    drawn += named
    desc = "; ".join(f"{lane}: {sum(mark.lane == lane for mark in marks)}" for lane in lanes)
    return drawing(WIDTH, bottom, drawn, title=title, desc=f"how many dots in each lane: {desc}")
