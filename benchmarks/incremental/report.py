"""From answers to tables, and to words on what can and what cannot be told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.claims import Measured, Row
from benchmarks.incremental import figures
from benchmarks.incremental.answers import Answers
from benchmarks.incremental.contestants import CLOSED_FORM
from benchmarks.incremental.paired import Difference
from benchmarks.incremental.questions import ALL, Compared, Played, compare, deviations, mean_over, usual
from benchmarks.incremental.removal import Removals
from benchmarks.incremental.targets import targets
from federated.faithfulness import Faithfulness, faithfulness

BY_SITE = {"accuracy": "Accuracy", "balanced": "Balanced accuracy", "macro_f1": "Macro F1"}


def summarise(suite: str, preset: str, answers: Sequence[Answers], removed: Mapping[str, Removals]) -> Measured:
    """Tables, claims and notes of all cells of a suite."""
    played, orders = usual(answers), deviations(answers)
    found = compare(played)
    differences = found.differences
    displays = {name: faithfulness(one.displayed, one.effect, one.patients.tolist()) for name, one in removed.items()}
    rows = [
        *(_pairs_row(name, found, orders[name]) for name in played),
        *(row for what, of in differences.items() for row in _difference_rows(CLOSED_FORM, what, of)),
        *(row for what in BY_SITE for row in _site_rows(played, what)),
        *(_learning_row(name, cells) for name, cells in played.items()),
        *(_honesty_row(name, cells) for name, cells in played.items()),
        *(_confident_row(name, cells) for name, cells in played.items()),
        *(_cost_row(name, cells) for name, cells in played.items()),
        *(_display_row(name, one) for name, one in displays.items()),
    ]
    words = (_in_words(CLOSED_FORM, question, of) for question, of in differences.items())
    return Measured(
        rows=tuple(rows),
        claims=tuple(targets(suite, played, found, orders, displays)),
        notes=(_setting(preset, played), *words),
    )


def _pairs_row(name: str, found: Compared, order: float) -> Row:
    row: Row = {"table": "Balanced accuracy over (site, class) pairs after the last arrival, %", "contestant": name}
    for number, (question, of) in enumerate(found.sampled.items()):
        low, high = (_percent(end) for end in of[name].interval())
        row |= {question: _percent(of[name].value), f"95 % by patient{' ' * number}": f"{low} to {high}"}
    seeds = found.sampled[ALL][name].seeds
    return row | {
        "deviation over seeds": _percent(float(seeds.std(ddof=1))) if len(seeds) > 1 else None,
        "deviation over orders": _percent(order),
    }


def _difference_rows(first: str, question: str, of: Mapping[str, Difference]) -> list[Row]:
    return [
        {
            "table": f"{first} minus …, paired, points. {question.capitalize()}",
            "contestant": name,
            "points": _points(one),
            "95 % by patient": _bounds(one.by_patient),
            "95 % by seed": _bounds(one.by_seed),
            "told apart": one.told_apart,
        }
        for name, one in of.items()
    ]


def _site_rows(played: Played, what: str) -> list[Row]:
    """One figure of clips whose label was taught, by site."""
    first = next(iter(played.values()))[0]
    groups: dict[str, figures.Choose] = {site: figures.at(site) for site in (*first.order, *first.external)}
    groups["all that arrive"] = figures.last_known
    if first.external:
        groups["all that only test"] = figures.external_known
    return [
        {"table": f"{BY_SITE[what]} by site, %", "contestant": name}
        | {group: _percent(getattr(figures.scores(cells, choose), what)) for group, choose in groups.items()}
        for name, cells in played.items()
    ]


def _learning_row(name: str, cells: Sequence[Answers]) -> Row:
    found = [figures.learning(one) for one in cells]
    return {
        "table": "Learning in turn, %: answers are held to the labels that the clip's site teaches",
        "contestant": name,
        "average incremental": _percent(float(np.mean([one.average for one in found]))),
        "last": _percent(float(np.mean([one.last for one in found]))),
        "forgetting": _percent(float(np.mean([one.forgetting for one in found]))),
        "backward transfer": _percent(float(np.mean([one.backward_transfer for one in found]))),
        "just before a site arrives": _percent(mean_over(cells, figures.before_arrival)),
        "drift of other columns, in deviations": max(float(np.nanmax(one.drift)) for one in cells),
    }


def _honesty_row(name: str, cells: Sequence[Answers]) -> Row:
    never = all(np.isnan(one.p).all() for one in cells)

    def error(choose: figures.Choose) -> float | None:
        return _percent(mean_over(cells, lambda one: figures.calibration_error(one, choose(one))))

    return {
        "table": "Calibration and refusal, %",
        "contestant": name,
        "calibration error": error(figures.last_known),
        "calibration error at sites that only test": error(figures.external_known),
        "refused of what its site taught": None if never else _percent(mean_over(cells, figures.refused_known)),
        "refused of what nobody taught": None if never else _percent(mean_over(cells, figures.refused_unknown)),
        "AUROC, taught by its site against taught by nobody": _auroc(cells),
    }


def _confident_row(name: str, cells: Sequence[Answers]) -> Row:
    row: Row = {
        "table": f"Wrong, with a probability of {figures.CONFIDENT} or more, and not refused, %",
        "contestant": name,
    }
    for site in (*cells[0].order, *cells[0].external):
        rates = [figures.wrong_and_confident(one, one.sites == site) for one in cells]
        row[site] = _percent(float(np.mean(rates)))
    return row


def _cost_row(name: str, cells: Sequence[Answers]) -> Row:
    seconds = np.median([one.seconds for one in cells], axis=0)
    return {
        "table": "Cost",
        "contestant": name,
        **{f"seconds at arrival {step}": float(value) for step, value in enumerate(seconds, start=1)},
        "images answered a second": float(np.median([one.images_per_second[-1] for one in cells])),
        "kB from the site that shares most": mean_over(cells, lambda one: figures.kilobytes(one.sent)),
        "kB to the site that is sent most": mean_over(cells, lambda one: figures.kilobytes(one.received)),
    }


def _display_row(name: str, one: Faithfulness) -> Row:
    row: Row = {"table": "Rank correlation of displayed contributions with leaving the site out", "contestant": name}
    for what, found in (("over the sites of an image", one.per_image), ("over all images and sites", one.pooled)):
        row[what] = None if found.value is None else round(found.value, 2)
        bounded = found.low is not None and found.high is not None
        row[f"95 %, {what}"] = f"{found.low:.2f} to {found.high:.2f}" if bounded else None
    return row


def _auroc(cells: Sequence[Answers]) -> float | None:
    from sklearn.metrics import roc_auc_score

    known, unknown = (np.concatenate(part) for part in zip(*map(figures.sureness, cells), strict=True))
    if not known.size or not unknown.size:
        return None
    return round(float(roc_auc_score([1] * known.size + [0] * unknown.size, np.concatenate([known, unknown]))), 3)


def _setting(preset: str, played: Played) -> str:
    cells = next(iter(played.values()))
    patients = {(site, patient) for one in cells for site, patient in zip(one.sites, one.patients, strict=True)}
    return (
        f"Preset {preset}, {len(cells)} seeds, {len(patients)} patients with held-back clips. A pair is a site and a "
        "class: seen where that site teaches the class, unseen where only others do; every pair counts alike. Answers "
        "are judged whether they were refused or not. Intervals by patient draw patients within their sites, alike for "
        "both of a difference; those by seed are Student's. Told apart is what both leave zero out of; of as many "
        "comparisons as stand here, a few are told apart by chance. Orders of arrival are compared, and sites left "
        "out, on the first seed alone."
    )


def _in_words(first: str, question: str, of: Mapping[str, Difference]) -> str:
    apart = sorted(((name, one) for name, one in of.items() if one.told_apart), key=lambda item: -item[1].value)
    better, worse = (
        [f"{name} ({_points(one):+.1f})" for name, one in apart if (one.value > 0) == ahead] for ahead in (True, False)
    )
    same = [name for name, one in of.items() if not one.told_apart]
    parts = [
        f"better than {', '.join(better)}" if better else "",
        f"worse than {', '.join(worse)}" if worse else "",
        f"not told apart from {', '.join(same)}" if same else "",
    ]
    return f"{question.capitalize()}: {first} is {'; '.join(part for part in parts if part)}."


def _points(one: Difference) -> float:
    return round(100 * one.value, 1)


def _percent(value: float) -> float | None:
    return None if np.isnan(value) else round(100 * value, 1)


def _bounds(interval: tuple[float, float]) -> str:
    low, high = (f"{100 * end:+.1f}" if np.isfinite(end) else "–" for end in interval)
    return f"{low} to {high}"
