"""Plots of the status page: small SVG pictures whose colours the page's style says, in light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 240, 14  # of a bar
COLUMN, TALL, FOOT = 42, 150, 18  # of a histogram


def stacked_bar(parts: Mapping[str, int], scale: int) -> str:
    """One bar of parts, each in the colour of its CSS class ``part-NAME``; `scale` fills the width."""
    x = 0.0
    rectangles = []
    for name, number in parts.items():
        width = WIDTH * number / max(1, scale)
        if number:
            rectangles.append(
                f'<rect class="part-{escape(name)}" x="{x:.2f}" y="0" width="{width:.2f}" height="{HEIGHT}">'
                f"<title>{escape(name)}: {number}</title></rect>"
            )
        x += width
    return _svg(WIDTH, HEIGHT, "".join(rectangles), ", ".join(f"{name} {number}" for name, number in parts.items()))


def histogram(counts: Sequence[int], first: float, last: float) -> str:
    """Columns over equal steps from `first` to `last`, with the steps' ends below."""
    most, width = max(1, *counts), COLUMN * len(counts)
    drawn = []
    for place, number in enumerate(counts):
        height = (TALL - FOOT) * number / most
        x = place * COLUMN
        drawn.append(
            f'<rect class="column" x="{x + 1}" y="{TALL - height:.2f}" width="{COLUMN - 2}" height="{height:.2f}">'
            f"<title>{number}</title></rect>"
        )
        if number:
            drawn.append(f'<text x="{x + COLUMN / 2}" y="{TALL - height - 4:.2f}">{number}</text>')
    for place in range(len(counts) + 1):
        value = first + (last - first) * place / len(counts)
        anchor = "start" if place == 0 else "end" if place == len(counts) else "middle"
        x = place * COLUMN
        drawn.append(f'<text class="end" style="text-anchor:{anchor}" x="{x}" y="{TALL + FOOT - 5}">{value:g}</text>')
    drawn.append(f'<line x1="0" y1="{TALL}" x2="{width}" y2="{TALL}"/>')
    return _svg(width, TALL + FOOT, "".join(drawn), f"histogram: {', '.join(map(str, counts))}")


def _svg(width: int, height: int, content: str, said: str) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{escape(said)}">{content}</svg>'
    )
