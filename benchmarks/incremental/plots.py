"""Pictures of a contest: accuracy over arrivals, cost over arrivals, refusal, and what displayed shares are worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.incremental import figures
from benchmarks.incremental.answers import Answers
from benchmarks.incremental.contestants import CLOSED_FORM
from benchmarks.incremental.questions import Played
from federated.statistics import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#7f7f7f", "#b8a000")  # Okabe and Ito
MARKERS = "osD^vP*X"
FASTEST = 1e-3  # seconds: less is drawn as this


def draw_all(suite: str, played: Played, path: Path) -> list[Path]:
    """Pictures beside a file, named after it."""
    pictures: dict[str, Callable[[Axes, Played], None]] = {
        "accuracy": _accuracy,
        "cost": _cost,
        "refusal": _refusal,
    }
    written = []
    for name, into in pictures.items():
        figure, axes = _panel()
        into(axes, played)
        axes.set_title(f"{suite}: {axes.get_title()}", loc="left", fontsize=10)
        written.append(path.with_name(f"{path.stem}-{name}.png"))
        _save(figure, written[-1])
    return written


def _accuracy(axes: Axes, played: Played) -> None:
    """Mean over seeds, bars of one deviation."""
    for number, (name, cells) in enumerate(played.items()):
        values = 100 * np.array([figures.over_arrivals(one) for one in cells])
        _line(axes, name, number, values.mean(axis=0), values.std(axis=0))
    axes.set_title("balanced over the pairs of the sites so far")
    axes.set_ylabel("balanced accuracy over (site, class) pairs, %")
    axes.set_ylim(0, 100)
    _arrivals(axes, next(iter(played.values())))


def _cost(axes: Axes, played: Played) -> None:
    """Median over seeds."""
    for number, (name, cells) in enumerate(played.items()):
        seconds = np.median([one.seconds for one in cells], axis=0)
        _line(axes, name, number, np.maximum(seconds, FASTEST), None)
    axes.set_yscale("log")
    axes.set_title("what an arrival costs")
    axes.set_ylabel("seconds of training")
    _arrivals(axes, next(iter(played.values())))


def _refusal(axes: Axes, played: Played) -> None:
    """Every threshold on the largest p-value, or where there is none, on the probability of the answer."""
    for number, (name, cells) in enumerate(played.items()):
        known, unknown = (np.concatenate(part) for part in zip(*map(figures.sureness, cells), strict=True))
        if not known.size or not unknown.size:
            axes.text(0.5, 0.5, "every label has been taught", ha="center", transform=axes.transAxes)
            break
        wrong, right = refusals(known, unknown)
        axes.plot(100 * wrong, 100 * right, label=name, **_style(name, number))
    axes.axvline(5, color="black", linewidth=0.8, linestyle=":")
    axes.plot([0, 100], [0, 100], color="black", linewidth=0.8, linestyle=":")
    axes.set_title("refusing")
    axes.set_xlabel("refused of what the clip's own site taught, %")
    axes.set_ylabel("refused of what nobody taught, %")
    axes.grid(alpha=0.3)
    axes.legend(**LEGEND)


def refusals(known: Array, unknown: Array) -> tuple[Array, Array]:
    """Shares of known and of unknown clips that are less sure than each threshold, from none to all."""
    thresholds = np.append(np.unique(np.concatenate([known, unknown])), np.inf)
    ordered = np.sort(known), np.sort(unknown)
    wrong, right = (np.searchsorted(values, thresholds, side="left") / values.size for values in ordered)
    return wrong, right


LEGEND: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1.02, 0.5), "fontsize": 8, "frameon": False}


def _line(axes: Axes, name: str, number: int, values: Array, deviation: Array | None) -> None:
    x = np.arange(len(values)) + 0.01 * (number % 9 - 4)
    axes.errorbar(
        x,
        values,
        yerr=deviation,
        label=name,
        marker=MARKERS[number % len(MARKERS)],
        markersize=5,
        capsize=2,
        elinewidth=0.8,
        **_style(name, number),
    )


def _style(name: str, number: int) -> dict[str, Any]:
    """A colour for eight, then another kind of line; the closed form stands out."""
    styles = ("-", "--", ":", "-.")
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": styles[number // len(COLOURS) % len(styles)],
        "linewidth": 2.8 if name == CLOSED_FORM else 1.3,
        "zorder": 3 if name == CLOSED_FORM else 2,
    }


def _arrivals(axes: Axes, cells: Sequence[Answers]) -> None:
    names = [f"{site}\n{len(cells[0].taught[site])} labels" for site in cells[0].order]
    axes.set_xticks(range(len(names)), names, fontsize=8)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(**LEGEND)


def _panel() -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 5.6), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


def _save(figure: Figure, path: Path) -> None:
    part = path.with_suffix(".part.png")
    figure.savefig(part, dpi=110)
    part.replace(path)
