"""Figures without a screen, written whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS = 110  # to the inch


def canvas(width: float, height: float) -> Figure:
    """An empty one of so many inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> None:
    """As a PNG, which replaces an older one when it is done."""
    part = path.with_suffix(".part.png")
    figure.savefig(part, dpi=DOTS)
    part.replace(path)
