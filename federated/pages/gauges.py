"""Bars that compare: a share of one for a line of a table, and two measures beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from federated.pages.plots import BAR, FIGURES, FITS, ROW, WIDTH, room_for
from federated.pages.svg import Svg, drawing, line, rectangle, shortened, text, words

GAUGE = 110  # pixels


class Twin(NamedTuple):
    """Two bars side by side, of different measures, and what is written beside them."""

    name: str
    left: float
    right: float
    left_shown: str
    right_shown: str


def twin_bars(rows: Sequence[Twin], *, title: str, left: str, right: str, most: float | None = None) -> Svg:
    """Two measures of each name beside each other, each with its own scale from nought.

    Args:
        rows: from top to bottom.
        title: names the plot.
        left: what the first bars are.
        right: what the second bars are.
        most: what fills the first bars' width; the largest of them where it is not said.
    """
    begin = room_for(row.name for row in rows)
    middle = (WIDTH + begin) / 2
    room = middle - begin - FIGURES
    scales = [room / (full or 1.0) for full in (most or max((row.left for row in rows), default=0.0),
              max((row.right for row in rows), default=0.0))]  # fmt: skip
    drawn = [text(begin, 14, words(left), kind="quiet"), text(middle + 10, 14, words(right), kind="quiet")]
    for place, row in enumerate(rows):
        y = place * ROW + 20
        drawn.append(text(begin - 10, y + 17, shortened(row.name, FITS), anchor="end"))
        sides = ((begin, row.left, row.left_shown, "s0"), (middle + 10, row.right, row.right_shown, "s1"))
        for (x, value, shown, kind), scale in zip(sides, scales, strict=True):
            said = f"{words(row.name)}: {words(shown)}"
            drawn.append(rectangle(x, y + 6, room, BAR, "ground"))
            drawn.append(rectangle(x, y + 6, max(0.0, value) * scale, BAR, kind, said=said))
            drawn.append(text(x + room + 8, y + 17, shortened(shown, 12), kind="quiet"))
    desc = "; ".join(f"{row.name}: {left} {row.left_shown}, {right} {row.right_shown}" for row in rows)
    return drawing(WIDTH, 20 + max(1, len(rows)) * ROW, drawn, title=title, desc=desc or "nothing to show")


def gauge(share: float, *, title: str, kind: str = "s0", limit: float | None = None) -> Svg:
    """A share of one as a short bar for a line of a table; `limit` is marked in it."""
    inside = [rectangle(0, 2, GAUGE, 8, "ground"), rectangle(0, 2, GAUGE * min(max(share, 0.0), 1.0), 8, kind)]
    if limit is not None:
        inside.append(line(GAUGE * limit, 0, GAUGE * limit, 12, "axis"))
    return drawing(GAUGE, 12, inside, title=title, desc=f"{100 * share:.0f} %")
