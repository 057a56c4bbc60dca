"""Pictures of the contest of registration: overlap over what a pair costs, and a pair by methods that learn nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.canvas import canvas, save
from benchmarks.registration_cells import Contest, Costs, chosen
from benchmarks.registration_cost import Cost
from benchmarks.registration_learned import LEARNED
from benchmarks.registration_ours import ALONE, FORCES, HALF_FORCES, OURS, PATCH
from benchmarks.registration_peers import AFFINE, CLASSICAL, DEMONS, IDENTITY, SYN, still
from benchmarks.registration_problems import problem
from benchmarks.registration_report import Asked
from benchmarks.registration_scores import Floats, dice, moved, moved_labels
from benchmarks.registration_starts import Started

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = (SYN, DEMONS, PATCH, FORCES, HALF_FORCES)
EVERY = 3  # voxels from line to line of a drawn grid
COLOURS = ("#d55e00", "#e69f00", "#0072b2", "#56b4e9", "#009e73")  # Okabe and Ito: of labels, in their order
MARKERS = "osD^vPX*h"


class Family(NamedTuple):
    """Methods that are drawn alike."""

    name: str
    colour: str
    methods: Sequence[str]


FAMILIES = (
    Family("networks, ours", "#0072b2", tuple(OURS)),
    Family("a pair alone, ours", "#009e73", ALONE),
    Family("networks, rivals", "#d55e00", tuple(LEARNED)),
    Family("without learning, rivals", "#7f7f7f", tuple(name for name in CLASSICAL if name not in ALONE)),
)


def draw_all(contest: Contest, sets: Sequence[Asked], spent: Costs, file: Path) -> list[Path]:
    """Pictures beside the result, named after it: one for each pair whose cost was measured, and one of a pair."""
    written = []
    for pair, costs in spent.items():
        (asked,) = (each for each in sets if each.name == each.problem == pair.partition(",")[0])
        written.append(_saved(overlap_over_cost(asked, pair, costs), file, f"{asked.name}-cost"))
    name = contest.problems[0]
    return [*written, _saved(one_pair(contest, name), file, f"{name}-pair")]


def overlap_over_cost(asked: Asked, pair: str, costs: Mapping[str, Cost]) -> Figure:
    """Mean Dice over seconds of a pair; bars are 95 % intervals."""
    figure = canvas(9.6, 5.4)
    axes = figure.subplots()
    for family in FAMILIES:
        for marker, name in zip(MARKERS, (name for name in family.methods if name in costs), strict=False):
            values = asked.dice(name)
            mean, (low, high) = values.mean(), asked.interval(values)
            bars = [[mean - low], [high - mean]]
            axes.errorbar(
                costs[name].median, mean, bars, fmt=marker, color=family.colour, capsize=2, elinewidth=0.7, label=name
            )
    axes.axhline(asked.dice(AFFINE).mean(), color="black", linewidth=0.8, linestyle=":", label=AFFINE)
    axes.set_xscale("log")
    axes.set_xlabel(f"seconds of a pair of {pair.rpartition(', ')[2]} voxels, one thread")
    axes.set_ylabel("mean Dice, %")
    axes.set_title(f"{asked.name}: {len(asked.patients)} pairs", loc="left")
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8, frameon=False)
    return figure


def one_pair(contest: Contest, name: str) -> Figure:
    """The first pair that is asked: outlines of its labels on what is moved, and the field as a grid."""
    given = problem(name, contest.setting, contest.folder)
    one = given.asked[name][0]
    fields = {IDENTITY: still(one.pair.moving, one.fixed), AFFINE: one.whole(still(one.moving, one.fixed))}
    for method in (method for method in SHOWN if method in contest.methods):
        settings = CLASSICAL[method].choices[chosen(contest, name, method)[0]]
        fields[method] = one.whole(CLASSICAL[method].field(one.moving, one.fixed, **settings))
    figure = canvas(2.6 * len(fields), 6.0)
    for (method, field), column in zip(fields.items(), figure.subplots(2, len(fields)).T, strict=True):
        _overlaid(column[0], one, field, given.labels)
        _grid(column[1], field)
        column[0].set_title(method.replace(", ", ",\n"), fontsize=8)
    return figure


def _overlaid(axes: Axes, one: Started, field: Floats, labels: Sequence[int]) -> None:
    """What is moved, with outlines of its labels; those of the fixed image are white."""
    axes.imshow(_slice(moved(one.pair.moving, field)), cmap="gray", vmin=0, vmax=1)
    axes.set_axis_off()
    if one.pair.moving_labels is None or one.pair.fixed_labels is None:
        return
    found = moved_labels(one.pair.moving_labels, field, labels)
    for label, colour in zip(labels, COLOURS, strict=False):
        for values, line in ((one.pair.fixed_labels, "white"), (found, colour)):
            mask = _slice(values == label)
            if mask.any() and not mask.all():
                axes.contour(mask, [0.5], colors=line, linewidths=1.0)
    overlap = 100 * float(np.nanmean(dice(found, one.pair.fixed_labels, labels)))
    axes.text(0.5, -0.06, f"Dice {overlap:.1f} %", transform=axes.transAxes, ha="center", fontsize=8)


def _grid(axes: Axes, field: Floats) -> None:
    """Lines of the fixed image's voxels where they are in the moving one, as far as they stay in the slice's plane."""
    rows, columns = (_slice(part) for part in field[-2:])
    down, right = np.indices(rows.shape) + np.stack([rows, columns])
    for lines in ((right[::EVERY].T, down[::EVERY].T), (right[:, ::EVERY], down[:, ::EVERY])):
        axes.plot(*lines, color="#444444", linewidth=0.6)
    axes.set_aspect("equal")
    axes.invert_yaxis()
    axes.set_axis_off()


def _slice(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """The middle one along the first axis of a volume; an image as it is."""
    return values if values.ndim == 2 else values[values.shape[0] // 2]


def _saved(figure: Figure, file: Path, name: str) -> Path:
    path = file.with_name(f"{file.stem}-{name.replace(' ', '_')}.png")
    save(figure, path)
    return path
