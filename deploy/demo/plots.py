"""Two pictures: accuracy over arrivals, and each site's weights and contributions by class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deploy.demo.evaluation import Figures
from deploy.demo.results import Arrival, Part, Setting
from deploy.demo.table import FUSED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TICK = 22  # letters beneath an arrival
MARKERS = "osD^vP*X"
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#7f7f7f", "#b8a000")  # Okabe and Ito


def accuracy_over_arrivals(arrivals: Sequence[Arrival], setting: Setting, path: Path) -> None:
    """Left: every method over the clips of the sites so far. Right: the fused experts at each site."""
    figure, (left, right) = _panels(1, 2, width=13.5, height=5.4)
    for number, method in enumerate([row.method for row in arrivals[0].rows]):
        _draw_method(left, arrivals, method, number)
    left.set_title(setting.marked("Clips of all sites that have arrived"), loc="left")
    for number, site in enumerate(setting.sites):
        _draw_site(right, arrivals, site, number)
    right.set_title(setting.marked("Fused experts at each site (dashed: has not arrived)"), loc="left")
    for axes in (left, right):
        _arrival_axis(axes, arrivals, setting)
    left.set_ylabel("accuracy per clip, %")
    _save(figure, path)


def _draw_method(axes: Axes, arrivals: Sequence[Arrival], method: str, number: int) -> None:
    rows = [_row(arrival, method).accuracy for arrival in arrivals]
    x = np.arange(len(rows)) + 0.05 * (number - 2)
    values, low, high = (_percents([getattr(row, name) for row in rows]) for name in ("value", "low", "high"))
    fused = method == FUSED
    axes.errorbar(
        x,
        values,
        yerr=np.clip([values - low, high - values], 0, None),
        label=method,
        color=COLOURS[number % len(COLOURS)],
        marker=MARKERS[number % len(MARKERS)],
        linewidth=2.5 if fused else 1.3,
        elinewidth=1.0,
        capsize=2,
        zorder=3 if fused else 2,
    )


def _draw_site(axes: Axes, arrivals: Sequence[Arrival], site: str, number: int) -> None:
    values = _percents([_row(arrival, FUSED).site_accuracy[site].value for arrival in arrivals])
    came = next((step for step, arrival in enumerate(arrivals) if site in arrival.taught), len(arrivals) - 1)
    colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
    steps = np.arange(len(values))
    axes.plot(steps[: came + 1], values[: came + 1], color=colour, linestyle="--", linewidth=1.2)
    axes.plot(steps[came:], values[came:], color=colour, linewidth=2.0)
    axes.plot(steps, values, color=colour, marker=marker, linestyle="", label=site)


def _row(arrival: Arrival, method: str) -> Figures:
    return next(row for row in arrival.rows if row.method == method)


def _percents(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else 100 * value for value in values], dtype=float)


def _arrival_axis(axes: Axes, arrivals: Sequence[Arrival], setting: Setting) -> None:
    names = [f"{arrival.site}\n{_added(arrival, setting)}" for arrival in arrivals]
    axes.set_xticks(range(len(arrivals)), names, fontsize=8)
    axes.set_xlim(-0.4, len(arrivals) - 0.6)
    axes.set_ylim(-3, 103)
    axes.grid(axis="y", alpha=0.3)
    lines = max(name.count("\n") for name in names) + 1
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.06 - 0.04 * lines), ncols=3, fontsize=8, frameon=False)


def _added(arrival: Arrival, setting: Setting) -> str:
    labels = setting.named(arrival.labels_added)
    return fill(f"+ {labels}", TICK, break_on_hyphens=False) if labels else "no new label"


def parts_by_class(parts: Sequence[Part], setting: Setting, path: Path) -> None:
    """Mean weight and mean contribution to the true label of every site, over held-back clips of each true label."""
    sites = list(dict.fromkeys(part.site for part in parts))
    labels = list(dict.fromkeys(part.label for part in parts))
    figure, panels = _panels(2, 1, width=3.5 + 0.7 * len(labels), height=2.0 + 0.9 * len(sites))
    titles = ("Weight: how in-distribution the clip is for the site", "Contribution to the score of the true label")
    for axes, field, title in zip(panels, ("weight", "contribution"), titles, strict=True):
        values = {(part.site, part.label): getattr(part, field) for part in parts}
        grid = np.array([[np.nan if (v := values[s, c]) is None else v for c in labels] for s in sites], dtype=float)
        _heat(axes, grid, sites, diverging=field == "contribution")
        axes.set_title(setting.marked(title), loc="left", fontsize=10)
    counts = {part.label: part.clips for part in parts}
    shown = [f"{setting.names[label].replace('+', chr(10) + '+')}\n({counts[label]})" for label in labels]
    for axes in panels:
        axes.set_xticks(range(len(labels)), shown, fontsize=8)
    panels[-1].set_xlabel("true label of the held-back clip (clips)")
    _save(figure, path)


def _heat(axes: Axes, grid: NDArray[np.float64], sites: list[str], *, diverging: bool) -> None:
    top = 1.0 if np.isnan(grid).all() else max(float(np.nanmax(np.abs(grid))), 1e-9)
    limits = (-top, top) if diverging else (0.0, 1.0)
    axes.imshow(grid, cmap="RdBu_r" if diverging else "Blues", vmin=limits[0], vmax=limits[1], aspect="auto")
    axes.set_yticks(range(len(sites)), sites)
    for (row, column), value in np.ndenumerate(grid):
        dark = not np.isnan(value) and abs(value) > 0.6 * limits[1]
        text = "–" if np.isnan(value) else f"{value:.2f}"
        axes.text(column, row, text, ha="center", va="center", fontsize=8, color="white" if dark else "black")


def _panels(rows: int, columns: int, *, width: float, height: float) -> tuple[Figure, Sequence[Axes]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(rows, columns, squeeze=False).ravel())


def _save(figure: Figure, path: Path) -> None:
    part = path.with_suffix(".part.png")
    figure.savefig(part, dpi=130)
    part.replace(path)
