"""Tables and claims of the segmentation at several hospitals, from scores of all seeds together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.claims import Claim, Row, told
from benchmarks.segmentation_data import EXTERNAL, SITES, STRUCTURES, Picture
from benchmarks.segmentation_scores import CLEAN, MEASURES, RAW, by_patient

Array = NDArray[np.float64]

HOME, ELSEWHERE = "each alone, own patients", "each alone, others' patients"
UNIFORM, WEIGHTED = "maps, uniform", "maps, in-distribution weights"
FEDAVG, FEDPROX, JOINT = "FedAvg", "FedProx", "joint (pooled images)"
GROUPS: Mapping[str, tuple[str, ...]] = {"hospitals that learn": SITES, "external hospitals": EXTERNAL}
DICE, HAUSDORFF, HD95 = range(len(MEASURES))
DRAWS, LEVELS = 1000, (0.025, 0.975)


@dataclass(frozen=True)
class Contest:
    """All seeds together; a patient's name tells the seed.

    Attributes:
        shown: n pictures.
        fits: contestant -> (n, 2, structures, measures), a mean over experts where there are several.
        ejection: contestant -> patient -> percent as each of its experts measures it; NaN where one cannot.
        truth, drawn: patient -> percent of the phantom's volumes, and of its true masks.
        shares: (n, structures, sites) of the weighted maps; NaN where nobody sees the structure.
        foreign: (n, sites) whether an image was foreign to a site's expert at 5 %.
        weightings: as fits, of maps fused by each rule for the weights.
    """

    shown: Sequence[Picture]
    fits: dict[str, Array]
    ejection: Mapping[str, Mapping[str, Array]]
    truth: Mapping[str, float]
    drawn: Mapping[str, float]
    shares: Array
    foreign: Array
    weightings: dict[str, Array]


@dataclass(frozen=True)
class Sample:
    """Values of patients, (patients, m), with the seed and the site of each patient."""

    values: Array
    seeds: NDArray[np.str_]
    sites: NDArray[np.str_]

    @property
    def mean(self) -> float:
        """Over columns, of means over patients."""
        return _mean(self.values)

    def interval(self) -> tuple[float, float]:
        """95 %, of patients drawn again within their hospitals."""
        generator, found = np.random.default_rng(0), []
        members = [np.flatnonzero(self.sites == site) for site in np.unique(self.sites)]
        for _ in range(DRAWS):
            rows = np.concatenate([generator.choice(own, len(own)) for own in members])
            found.append(_mean(self.values[rows]))
        there = np.array(found)[~np.isnan(found)]
        low, high = np.quantile(there, LEVELS) if there.size else (np.nan, np.nan)
        return float(low), float(high)

    def by_seed(self) -> Array:
        """The mean of each seed's patients."""
        return np.array([_mean(self.values[self.seeds == seed]) for seed in np.unique(self.seeds)])

    def less(self, other: Sample) -> Sample:
        """The paired difference; what either does not have is left out."""
        return Sample(self.values - other.values, self.seeds, self.sites)


def _mean(values: Array) -> float:
    there = ~np.isnan(values)
    count = there.sum(axis=0)
    if not count.any():
        return float("nan")
    columns = np.where(there, values, 0.0).sum(axis=0)[count > 0] / count[count > 0]
    return float(columns.mean())


def fit_sample(contest: Contest, name: str, group: Sequence[str], measure: int, cleaned: int = CLEAN) -> Sample:
    """A measure of a contestant, or of maps by a rule for weights, by patient and structure; Dice in percent."""
    scale = 100.0 if measure == DICE else 1.0
    rows = [row for row, picture in enumerate(contest.shown) if picture.site in group]
    fits = (contest.fits | contest.weightings)[name]
    values = by_patient(fits[rows][:, cleaned, :, measure] * scale, [contest.shown[row] for row in rows])
    return _sample(values)


def ejection_sample(
    contest: Contest, name: str, group: Sequence[str], against: Mapping[str, float], signed: bool = False
) -> Sample:
    """Errors of ejection fractions by patient, in points of percent; absolute, or signed."""
    values = {}
    for patient, found in contest.ejection[name].items():
        if patient.partition("-")[0] in group:
            error = found - against[patient]
            values[patient] = np.array([_mean((error if signed else np.abs(error))[:, None])])
    return _sample(values)


def _sample(values: Mapping[str, Array]) -> Sample:
    sites, seeds = (np.array([patient.split("-")[place] for patient in values]) for place in (0, 1))
    return Sample(np.stack(list(values.values())), seeds, sites)


def tables(contest: Contest) -> list[Row]:
    """All of them."""
    rows: list[Row] = []
    for place, group in GROUPS.items():
        names = [name for name in contest.fits if not (name == HOME and group == EXTERNAL)]
        rows += [_dice_row(contest, name, place) for name in names]
        rows += [_distance_row(contest, name, place) for name in names]
        rows += [_ejection_row(contest, name, place) for name in names]
        rows += [_cleaned_row(contest, name, place) for name in names]
    order = list(dict.fromkeys(str(row["table"]) for row in rows))
    rows.sort(key=lambda row: order.index(str(row["table"])))
    return [*rows, *_weighting_rows(contest), *_share_rows(contest), *_difference_rows(contest)]


def _dice_row(contest: Contest, name: str, place: str) -> Row:
    sample = fit_sample(contest, name, GROUPS[place], DICE)
    each = {structure: _mean(sample.values[:, [value - 1]]) for structure, value in STRUCTURES.items()}
    return (
        {"table": f"Dice after clean-up, %: {place}", "method": name}
        | {structure: None if np.isnan(value) else value for structure, value in each.items()}
        | {"mean": sample.mean, "95 % by patient": _text(sample.interval())}
    )


def _distance_row(contest: Contest, name: str, place: str) -> Row:
    largest, most = (fit_sample(contest, name, GROUPS[place], measure) for measure in (HAUSDORFF, HD95))
    cells = {
        structure: f"{_mean(largest.values[:, [value - 1]]):.1f} / {_mean(most.values[:, [value - 1]]):.1f}"
        for structure, value in STRUCTURES.items()
    }
    row: Row = {"table": f"Hausdorff distance / its 95th percentile after clean-up, mm: {place}", "method": name}
    return row | cells | {"mean": f"{largest.mean:.1f} / {most.mean:.1f}"}


def _cleaned_row(contest: Contest, name: str, place: str) -> Row:
    row: Row = {"table": f"What clean-up does, means over structures: {place}", "method": name}
    for title, measure in (("Dice, %", DICE), ("Hausdorff, mm", HAUSDORFF), ("HD95, mm", HD95)):
        for moment, cleaned in (("before", RAW), ("after", CLEAN)):
            row[f"{title}, {moment}"] = fit_sample(contest, name, GROUPS[place], measure, cleaned).mean
    return row


def _ejection_row(contest: Contest, name: str, place: str) -> Row:
    group = GROUPS[place]
    error = ejection_sample(contest, name, group, contest.truth)
    return {
        "table": f"Ejection fraction by Simpson's biplane method, points of percent: {place}",
        "method": name,
        "patients": len(error.values),
        "not measured": int(np.isnan(error.values).sum()),
        "mean absolute error": error.mean,
        "95 % by patient": _text(error.interval()),
        "bias": ejection_sample(contest, name, group, contest.truth, signed=True).mean,
        "against true masks": ejection_sample(contest, name, group, contest.drawn).mean,
        "true masks themselves": _of_truth(contest, group),
    }


def _of_truth(contest: Contest, group: Sequence[str]) -> float:
    errors = [
        abs(value - contest.truth[patient])
        for patient, value in contest.drawn.items()
        if patient.partition("-")[0] in group
    ]
    return float(np.nanmean(errors))


def _weighting_rows(contest: Contest) -> list[Row]:
    rows: list[Row] = []
    for name in contest.weightings:
        row: Row = {"table": "Weights side by side: Dice after clean-up, %", "weights": name}
        for place, group in GROUPS.items():
            sample = fit_sample(contest, name, group, DICE)
            row |= {place: sample.mean, f"{place}, 95 % by patient": _text(sample.interval())}
        rows.append(row)
    return rows


def _share_rows(contest: Contest) -> list[Row]:
    rows: list[Row] = []
    for hospital in (*SITES, *EXTERNAL):
        own = [row for row, picture in enumerate(contest.shown) if picture.site == hospital]
        row: Row = {
            "table": "Shares of the experts in the weighted maps, %, by whose image it is",
            "images of": hospital,
        }
        for structure in ("LV", "LA"):
            shares = np.nanmean(contest.shares[own, STRUCTURES[structure] - 1], axis=0) * 100
            row |= {f"{structure}: {site}": float(share) for site, share in zip(SITES, shares, strict=True)}
        foreign = contest.foreign[own].mean(axis=0) * 100
        rows.append(row | {f"foreign to {site}": float(share) for site, share in zip(SITES, foreign, strict=True)})
    return rows


def _difference_rows(contest: Contest) -> list[Row]:
    rows: list[Row] = []
    for place, group in GROUPS.items():
        for other in (UNIFORM, HOME, ELSEWHERE, FEDAVG, FEDPROX, JOINT):
            if other == HOME and group == EXTERNAL:
                continue
            row: Row = {
                "table": "In-distribution weighted maps less another method, paired",
                "less": other,
                "at": place,
            }
            for title, sample in _differences(contest, other, group).items():
                row[title] = (
                    f"{sample.mean:+.2f} ({_text(sample.interval())}; seeds {_text(_student(sample.by_seed()))})"
                )
            rows.append(row)
    return rows


def _differences(contest: Contest, other: str, group: Sequence[str]) -> dict[str, Sample]:
    def both(of: Callable[[str], Sample]) -> Sample:
        return of(WEIGHTED).less(of(other))

    return {
        "Dice, points": both(lambda name: fit_sample(contest, name, group, DICE)),
        "HD95, mm": both(lambda name: fit_sample(contest, name, group, HD95)),
        "ejection fraction's error, points": both(lambda name: ejection_sample(contest, name, group, contest.truth)),
    }


def claims(contest: Contest) -> list[Claim]:
    """What in-distribution weights are worth, and what the ejection fraction is off."""
    found = []
    for place, group in GROUPS.items():
        weighted = fit_sample(contest, WEIGHTED, group, DICE)
        found += [
            told(
                f"Dice, {WEIGHTED} less {other}: {place}",
                weighted.less(fit_sample(contest, other, group, DICE)).mean,
                "points",
            )
            for other in (UNIFORM, ELSEWHERE, FEDAVG, JOINT)
        ]
        for name in (WEIGHTED, FEDAVG):
            error = ejection_sample(contest, name, group, contest.truth).mean
            found.append(told(f"ejection fraction, mean absolute error of {name}: {place}", error, "points"))
    return found


def _text(interval: tuple[float, float]) -> str:
    return (
        f"{interval[0]:.1f} to {interval[1]:.1f}"
        if max(map(abs, interval)) >= 10
        else f"{interval[0]:.2f} to {interval[1]:.2f}"
    )


def _student(values: Array) -> tuple[float, float]:
    """95 % of the mean over seeds; of one seed nothing is known."""
    from scipy.stats import t

    if len(values) < 2:
        return -np.inf, np.inf
    half = float(t.ppf(LEVELS[1], len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return float(values.mean()) - half, float(values.mean()) + half
