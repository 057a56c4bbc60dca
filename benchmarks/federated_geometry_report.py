"""Tables and claims of geometry at several hospitals, from the cells of all seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.claims import Claim, Row, at_least, told
from benchmarks.federated_geometry_data import SITES
from benchmarks.federated_geometry_methods import RECONSTRUCTION, REGISTRATION, TASKS
from shared_models.reconstruction.volume_metrics import THRESHOLDS, peak_iou

Array = NDArray[np.float64]
JOINT, ALONE, UNMOVED = "joint (all data pooled)", "mean of sites alone", "not registered"
FEDAVG, RE_ESTIMATED = "FedAvg", "FedAvg, batch norms re-estimated"
AVERAGED_NORMS = "FedAvg, batch norms averaged"
FUSED, EQUAL = "experts, in-distribution weights", "experts, equal weights"
RESAMPLES = 1000
HALF = THRESHOLDS.index(0.5)
MAIN = {REGISTRATION: "Dice, %", RECONSTRUCTION: "IoU at 0.5"}
UNITS = {REGISTRATION: "points", RECONSTRUCTION: ""}
MIB = 2**20


@dataclass(frozen=True)
class Scores:
    """Of one case.

    Attributes:
        site: of the patient.
        patient: whose.
        values: Dice in percent, end-point error in mm and folded percent; or overlap at each of `THRESHOLDS`.
    """

    site: str
    patient: str
    values: list[float]


@dataclass(frozen=True)
class Cell:
    """What a part of a seed came to.

    Attributes:
        task, part: names.
        seed: of patients and learning.
        rounds: of averaging; none where nothing was averaged.
        state_bytes: of a network, packed.
        seconds: that it took.
        scores: method -> of every case, in one order for all methods.
    """

    task: str
    part: str
    seed: int
    rounds: int
    state_bytes: int
    seconds: float
    scores: dict[str, list[Scores]]


def of_one_site(site: str) -> str:
    """The method's name."""
    return f"{site} alone"


@dataclass(frozen=True)
class Found:
    """All seeds of a task together; the name of a patient tells the seed.

    Attributes:
        task: which.
        values: method -> (n, measures).
        sites, patients: (n,) of the cases.
    """

    task: str
    values: Mapping[str, Array]
    sites: NDArray[np.str_]
    patients: NDArray[np.str_]

    def measures(self, method: str) -> dict[str, Array]:
        """Name -> (n,) of a method."""
        values = self.values[method]
        if self.task == REGISTRATION:
            return dict(zip((MAIN[REGISTRATION], "end point, mm", "folded, %"), values.T, strict=True))
        peak = THRESHOLDS.index(peak_iou(values).threshold)
        return {MAIN[RECONSTRUCTION]: values[:, HALF], "peak IoU": values[:, peak]}

    def main(self, method: str) -> Array:
        """(n,) of the measure by which methods are compared."""
        return self.measures(method)[MAIN[self.task]]

    def interval(self, values: Array) -> tuple[float, float]:
        """95 % of the mean of (n,) values, patients drawn again within their hospitals."""
        generator, times = np.random.default_rng(0), np.zeros((RESAMPLES, len(values)))
        for site in np.unique(self.sites):
            rows = np.flatnonzero(self.sites == site)
            _, patient = np.unique(self.patients[rows], return_inverse=True)
            count = int(patient.max()) + 1
            picks = generator.integers(0, count, (RESAMPLES, count))
            times[:, rows] = np.stack([np.bincount(pick, minlength=count) for pick in picks])[:, patient]
        low, high = np.quantile((times @ values) / times.sum(axis=1), [0.025, 0.975])
        return float(low), float(high)


def together(task: str, cells: Sequence[Cell]) -> Found:
    """Cells of a task, seeds one after the other."""
    own = sorted((cell for cell in cells if cell.task == task), key=lambda cell: cell.seed)
    scores: dict[str, list[Scores]] = {}
    for cell in own:
        for method, each in cell.scores.items():
            scores.setdefault(_named(task, method), []).extend(each)
    values = {method: np.array([one.values for one in each], np.float64) for method, each in scores.items()}
    values[ALONE] = np.mean([values[of_one_site(site)] for site in SITES], axis=0)
    first = next(iter(scores.values()))
    sites, patients = (np.array([getattr(one, name) for one in first]) for name in ("site", "patient"))
    return Found(task, {method: values[method] for method in _order(task)}, sites, patients)


def _named(task: str, method: str) -> str:
    return AVERAGED_NORMS if task == RECONSTRUCTION and method == FEDAVG else method


def _averages(task: str) -> tuple[str, ...]:
    return (FEDAVG,) if task == REGISTRATION else (RE_ESTIMATED, AVERAGED_NORMS)


def _order(task: str) -> list[str]:
    still = [UNMOVED] if task == REGISTRATION else []
    return [*still, *map(of_one_site, SITES), ALONE, EQUAL, FUSED, *_averages(task), JOINT]


def tables(cells: Sequence[Cell]) -> list[Row]:
    """Of both tasks: how good, what methods differ by, and what travels."""
    every = [together(task, cells) for task in TASKS]
    rows = [_row(found, method) for found in every for method in found.values]
    rows += [_difference(found, *pair) for found in every for pair in _pairs(found.task)]
    return [*rows, *(row for task in TASKS for row in _bytes(task, cells))]


def _row(found: Found, method: str) -> Row:
    count = len(np.unique(found.patients))
    row: Row = {"table": f"{found.task}, {len(found.sites)} cases of {count} patients held back", "method": method}
    for name, values in found.measures(method).items():
        row[name] = _text(values.mean(), found.interval(values))
    for site in SITES:
        row[f"{MAIN[found.task]}: {site}"] = float(found.main(method)[found.sites == site].mean())
    return row


def _pairs(task: str) -> list[tuple[str, str]]:
    averages = _averages(task)
    return [
        *((average, other) for average in averages for other in (ALONE, JOINT)),
        (FUSED, EQUAL),
        (FUSED, ALONE),
        (FUSED, JOINT),
    ]


def _difference(found: Found, method: str, other: str) -> Row:
    gain = found.main(method) - found.main(other)
    return {
        "table": f"{found.task}, paired differences of {MAIN[found.task]}",
        "method": method,
        "less": other,
        "difference": _text(gain.mean(), found.interval(gain)),
    }


def _bytes(task: str, cells: Sequence[Cell]) -> Iterator[Row]:
    size = {cell.part: cell.state_bytes for cell in cells if cell.task == task}
    rounds = max(cell.rounds for cell in cells if cell.task == task)
    table, others = "What travels, MiB of packed states", len(SITES) - 1
    averaged, sent = (size[part] / MIB for part in ("rounds", "experts"))
    yield {
        "table": table,
        "task": task,
        "way": "FedAvg",
        "rounds": rounds,
        "a site sends in a round": averaged,
        "a site is sent in a round": averaged,
        "all sites in a round": 2 * averaged * len(SITES),
        "in total": averaged * len(SITES) * (2 * rounds + 1),
    }
    yield {
        "table": table,
        "task": task,
        "way": "experts",
        "rounds": 1,
        "a site sends in a round": sent,
        "a site is sent in a round": sent * others,
        "all sites in a round": sent * len(SITES) * (1 + others),
        "in total": sent * len(SITES) * (1 + others),
    }


def claims(cells: Sequence[Cell]) -> list[Claim]:
    """Averages against hospitals alone, weights against none, and what both lack of pooled data."""
    said: list[Claim] = []
    for found in (together(task, cells) for task in TASKS):
        said.extend(_no_worse(found, average, ALONE) for average in _averages(found.task))
        said.append(_no_worse(found, FUSED, EQUAL))
        for method in (*_averages(found.task), FUSED):
            gap = float((found.main(method) - found.main(JOINT)).mean())
            said.append(told(f"{found.task}, {MAIN[found.task]}: {method} less {JOINT}", gap, UNITS[found.task]))
    return said


def _no_worse(found: Found, method: str, other: str) -> Claim:
    low, high = found.interval(found.main(method) - found.main(other))
    name = f"{found.task}, {MAIN[found.task]}: {method} less {other}, upper end of 95 % (lower {low:.3g})"
    return at_least(name, high, UNITS[found.task], 0.0)


def _text(mean: float, interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{mean:.3g} ({low:.3g} to {high:.3g})"
