"""The picture of the contest of reconstruction: overlap and volume error over the number of views."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.canvas import canvas, save
from benchmarks.reconstruction_found import Array, Found
from benchmarks.reconstruction_methods import COMPLETION, DISCS, FUSED, SHAPES, UNFUSED
from benchmarks.reconstruction_report import PEAK_IOU, VOLUME_ERROR
from benchmarks.reconstruction_settings import VENTRICLE, WALLS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINES = {  # Okabe and Ito
    FUSED: ("#0072b2", "o"),
    UNFUSED: ("#56b4e9", "s"),
    COMPLETION: ("#d55e00", "D"),
    SHAPES: ("#009e73", "^"),
    DISCS: ("#7f7f7f", "v"),
}


def draw(found: Sequence[Found], file: Path) -> Path:
    """Beside the result, named after it."""
    path = file.with_name(f"{file.stem}-views.png")
    save(over_views(found), path)
    return path


def over_views(found: Sequence[Found]) -> Figure:
    """Means with 95 % intervals: the peak IoU of walls, and the volume error of the ventricle."""
    figure = canvas(11.0, 5.0)
    walls, ventricle = figure.subplots(1, 2)
    _lines(walls, [one for one in found if one.target == WALLS], Found.at_peak)
    _lines(ventricle, [one for one in found if one.target == VENTRICLE], Found.volume_error)
    for axes, label, wanted in (
        (walls, "peak IoU of the heart's walls", PEAK_IOU),
        (ventricle, "error of the left ventricle's volume, %", VOLUME_ERROR),
    ):
        axes.axhline(wanted, color="black", linewidth=0.8, linestyle=":", label="asked for, from two views")
        axes.set_xlabel("views")
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, frameon=False)
    return figure


def _lines(axes: Axes, found: Sequence[Found], values_of: Callable[[Found, str], Array]) -> None:
    for method, (colour, marker) in LINES.items():
        drawn = [one for one in found if method in one.scores and _has(one, method, values_of)]
        if not drawn:
            continue
        each = [values_of(one, method) for one in drawn]
        means = [float(values.mean()) for values in each]
        ends = [one.interval(values) for one, values in zip(drawn, each, strict=True)]
        bars = [[mean - low for mean, (low, _) in zip(means, ends, strict=True)]]
        bars.append([high - mean for mean, (_, high) in zip(means, ends, strict=True)])
        views = [one.views for one in drawn]
        axes.errorbar(views, means, bars, color=colour, marker=marker, capsize=2, elinewidth=0.8, label=method)
    axes.set_xticks(sorted({one.views for one in found}))


def _has(found: Found, method: str, values_of: Callable[[Found, str], Array]) -> bool:
    """Discs find a volume, and no solid."""
    return values_of is not Found.at_peak or found.ious(method) is not None
