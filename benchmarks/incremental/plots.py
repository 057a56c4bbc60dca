"""Pictures of a contest: accuracy over arrivals, cost over arrivals, refusal, and what displayed shares are worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.canvas import canvas, save
from benchmarks.incremental import figures
from benchmarks.incremental.answers import Answers
from benchmarks.incremental.contestants import CLOSED_FORM, GATED, JOINT, MOST_FREQUENT
from benchmarks.incremental.heads import MAX_SOFTMAX, SITE_ALONE
from benchmarks.incremental.linear_rules import JOINT_RIDGE, SCATTERED
from benchmarks.incremental.network_experts import NETWORK_GATED
from benchmarks.incremental.network_rivals import COMBINED
from benchmarks.incremental.questions import Played
from benchmarks.incremental.removal import Removals
from federated.statistics import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#7f7f7f", "#b8a000")  # Okabe and Ito
MARKERS = "osD^vP*X"
DRAWN = (  # a picture of everybody would show nothing
    (
        CLOSED_FORM,
        "closed form (refit)",
        JOINT_RIDGE,
        "streaming LDA",
        SCATTERED,
        JOINT,
        GATED,
        "gated fusion, cross heads in closed form",
        MAX_SOFTMAX,
        SITE_ALONE,
        MOST_FREQUENT,
    ),
    (
        "closed form, base expert's features beside",
        "discriminant with scatter, base expert's features beside",
        "discriminant with scatter, all experts' features beside",
        NETWORK_GATED,
        "gated fusion of expert networks (discrepancy)",
        "gated fusion of expert networks, cross heads in closed form",
        COMBINED,
        "fine-tune expand (network)",
        "learning without forgetting (network)",
        "FedAvg (network)",
    ),
)
FASTEST = 1e-3  # seconds: less is drawn as this


def draw_all(suite: str, played: Played, removals: Mapping[str, Removals], path: Path) -> list[Path]:
    """Pictures beside a file, named after it."""
    unknown = any(not one.known.all() for one in next(iter(played.values())))
    pictures: dict[str, Callable[[Axes, Played], None]] = {"accuracy": _accuracy, "cost": _cost}
    pictures |= {"refusal": _refusal} if unknown else {}
    written = [path.with_name(f"{path.stem}-{name}.png") for name in (*pictures, "removal")]
    for into, where in zip(pictures.values(), written, strict=False):
        groups = [chosen for group in DRAWN if (chosen := {name: played[name] for name in group if name in played})]
        figure, panels = _panels(len(groups))
        for axes, chosen in zip(panels, groups, strict=True):
            into(axes, chosen)
            axes.set_title(f"{suite}: {'shared front end' if chosen is groups[0] else 'trained networks'}", loc="left")
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, fontsize=8, frameon=False)
        save(figure, where)
    figure, panels = _panels(len(removals))
    for axes, (name, one) in zip(panels, removals.items(), strict=True):
        _scatter(axes, name, one)
    save(figure, written[-1])
    return written


def _accuracy(axes: Axes, played: Played) -> None:
    """Mean over seeds, bars of one deviation."""
    for number, (name, cells) in enumerate(played.items()):
        values = 100 * np.array([figures.over_arrivals(one) for one in cells])
        _line(axes, name, number, values.mean(axis=0), values.std(axis=0))
    axes.set_ylabel("balanced accuracy over (site, class) pairs so far, %")
    axes.set_ylim(0, 100)
    _arrivals(axes, next(iter(played.values())))


def _cost(axes: Axes, played: Played) -> None:
    """Median over seeds."""
    for number, (name, cells) in enumerate(played.items()):
        seconds = np.median([one.seconds for one in cells], axis=0)
        _line(axes, name, number, np.maximum(seconds, FASTEST), None)
    axes.set_yscale("log")
    axes.set_ylabel("seconds of training")
    _arrivals(axes, next(iter(played.values())))


def _refusal(axes: Axes, played: Played) -> None:
    """Every threshold on the largest p-value, or where there is none, on the probability of the answer."""
    for number, (name, cells) in enumerate(played.items()):
        known, unknown = (np.concatenate(part) for part in zip(*map(figures.sureness, cells), strict=True))
        wrong, right = refusals(known, unknown)
        axes.plot(100 * wrong, 100 * right, label=name, **_style(name, number))
    axes.axvline(5, color="black", linewidth=0.8, linestyle=":")
    axes.plot([0, 100], [0, 100], color="black", linewidth=0.8, linestyle=":")
    axes.set_xlabel("refused of what the clip's own site taught, %")
    axes.set_ylabel("refused of what nobody taught, %")
    axes.grid(alpha=0.3)


def refusals(known: Array, unknown: Array) -> tuple[Array, Array]:
    """Shares of known and of unknown clips that are less sure than each threshold, from none to all."""
    thresholds = np.append(np.unique(np.concatenate([known, unknown])), np.inf)
    ordered = np.sort(known), np.sort(unknown)
    wrong, right = (np.searchsorted(values, thresholds, side="left") / values.size for values in ordered)
    return wrong, right


def _scatter(axes: Axes, name: str, one: Removals) -> None:
    """One point an image and site."""
    for number, site in enumerate(one.order):
        axes.plot(
            one.displayed[:, number],
            100 * one.effect[:, number],
            MARKERS[number % len(MARKERS)],
            color=COLOURS[number % len(COLOURS)],
            markersize=3.5,
            alpha=0.35,
            label=site,
            markeredgewidth=0,
        )
    axes.axhline(0, color="black", linewidth=0.8, linestyle=":")
    axes.set_title(name, loc="left", fontsize=9)
    axes.set_xlabel("displayed contribution of the site to the answer")
    axes.set_ylabel("probability of the answer without the site, minus with it, points")
    axes.legend(fontsize=8, markerscale=3)


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
    """A colour for each of eight; the closed form stands out."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": "-" if number < len(COLOURS) else "--",
        "linewidth": 2.8 if name == CLOSED_FORM else 1.3,
        "zorder": 3 if name == CLOSED_FORM else 2,
    }


def _arrivals(axes: Axes, cells: Sequence[Answers]) -> None:
    names = [f"{site}\n{len(cells[0].taught[site])} labels" for site in cells[0].order]
    axes.set_xticks(range(len(names)), names, fontsize=8)
    axes.grid(axis="y", alpha=0.3)


def _panels(count: int) -> tuple[Figure, Sequence[Axes]]:
    figure = canvas((6.6 if count < 3 else 4.8) * count, 6.6)
    return figure, list(figure.subplots(1, count, squeeze=False).ravel())
