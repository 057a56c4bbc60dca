"""Curves of a training: a small SVG picture of each figure over the epochs, in the colours of the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 320, 170
LEFT, RIGHT, TOP, FOOT = 52, 12, 10, 22
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
LINES = 4  # at most, between the least and the greatest
NAMES = 6  # of epochs, at most
LEAST, FLAT = 1e-3, 1e-6  # what is smaller counts as nought, as does a change of so small a share


def curve(points: Sequence[tuple[int, float]], best: int | None = None) -> str:
    """Epochs with their figures; what is not finite breaks the line.

    Args:
        points: at least one of them finite, in the order of epochs.
        best: the epoch that was kept, which is marked.
    """
    ticks = nice_ticks([value for _, value in points if math.isfinite(value)])
    first, last = points[0][0], points[-1][0]

    def place(epoch: float, value: float) -> tuple[float, float]:
        across = (epoch - first) / max(1, last - first) if last > first else 0.5
        up = (value - ticks[0]) / (ticks[-1] - ticks[0])
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - FOOT - up * (HEIGHT - FOOT - TOP)

    drawn = []
    for tick in ticks:
        y = place(first, tick)[1]
        drawn.append(f'<line x1="{LEFT}" y1="{y:.2f}" x2="{WIDTH - RIGHT}" y2="{y:.2f}"/>')
        drawn.append(f'<text style="text-anchor:end" x="{LEFT - 7}" y="{y + 3.5:.2f}">{tick:g}</text>')
    names = _epochs(first, last)
    drawn += [f'<text x="{place(epoch, 0)[0]:.2f}" y="{HEIGHT - 6}">{epoch}</text>' for epoch in names]
    drawn += [_line([place(*each) for each in part]) for part in _unbroken(points)]
    marked = [(epoch, value) for epoch, value in points if epoch == best and math.isfinite(value)]
    for epoch, value in marked:
        x, y = place(epoch, value)
        title = f"<title>epoch {epoch}: {value:.4g}</title>"
        drawn.append(f'<circle class="best" cx="{x:.2f}" cy="{y:.2f}" r="4">{title}</circle>')
    said = f"from {points[0][1]:.4g} in epoch {first} to {points[-1][1]:.4g} in epoch {last}"
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return f'<svg {size} role="img" aria-label="{escape(said)}">{"".join(drawn)}</svg>'


def nice_ticks(values: Sequence[float]) -> list[float]:
    """From 2 to 6 round numbers at equal steps, the first not above the least value, the last not below the greatest.

    Raises:
        ValueError: there is no value.
    """
    if not values:
        raise ValueError("no epoch has a figure that is a number")
    low, high = min(values), max(values)
    size = max(abs(low), abs(high), LEAST)
    span = high - low if high - low > FLAT * size else size
    power = 10.0 ** math.floor(math.log10(span / LINES))
    step = next(each * power for each in STEPS if each * power * LINES >= span * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, max(last, first + 1) + 1)]


def _epochs(first: int, last: int) -> list[int]:
    """Some of them, at equal steps from the first on, and the last."""
    step = max(1, math.ceil((last - first) / (NAMES - 1)))
    some = [epoch for epoch in range(first, last + 1, step) if last - epoch >= step / 2]
    return [*some, last]


def _unbroken(points: Sequence[tuple[int, float]]) -> list[list[tuple[int, float]]]:
    """Stretches of points that are finite."""
    parts: list[list[tuple[int, float]]] = [[]]
    for epoch, value in points:
        if math.isfinite(value):
            parts[-1].append((epoch, value))
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if part]


def _line(points: Sequence[tuple[float, float]]) -> str:
    """Through points of the picture; a dot where there is but one."""
    if len(points) == 1:
        return f'<circle class="best" cx="{points[0][0]:.2f}" cy="{points[0][1]:.2f}" r="3"/>'
    path = " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
    return f'<polyline class="curve" points="{path}"/>'
