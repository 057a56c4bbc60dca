"""Which score knows what an expert has not learned: another site, another label, or nothing of the kind.

Each score is asked twice. As a score: how well one site's tells its own test images from others (area, FPR95). As a
refusal: calibrated by patient, refusing where no site is qualified, how many of the known and of the rest go.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.claims import Claim, Measured, Row, at_least, at_most, told
from benchmarks.refusal_data import COUNTED, PROBLEMS, TESTED, Problem
from benchmarks.refusal_experts import (
    LEARNED,
    NORMALISED,
    USED,
    WITH_DISTANCE,
    Experts,
    contenders,
    experts,
)
from benchmarks.refusal_reasons import LABEL, MACHINE, reasons
from federated.in_distribution import qualified
from federated.in_distribution_scores import SCORES, Look
from federated.metrics import auroc, fpr95, refused_at
from federated.statistics import Array
from site_agent.progress import track

SEEDS = {"digits, pixels": 10, "digits, gradients": 10, "phantom": 6, "lung": 8}  # every label is once the unknown one
FIRST_SEED, QUICK = 101, ("digits, pixels", "phantom")
ALPHA = 0.05
CONTENDERS = (*SCORES, NORMALISED, USED, WITH_DISTANCE, LEARNED)
OTHER_SITE, NOT_HERE, UNKNOWN = "another site, labels of its own", "label taught elsewhere", "label nobody teaches"
WRONG, POWER = "known images refused", f"{UNKNOWN}, at {ALPHA:.0%} of the known"
TIE = 1e-9  # of a score, so that images of one p-value stand in some order

Site = Callable[[Look], Array]
Found = dict[tuple[str, str, str], float]  # (table, row, column)


def measure(*, quick: bool) -> Measured:
    """Every score on every problem, several seeds; two at a time where there are cores."""
    counts = dict.fromkeys(QUICK, 1) if quick else SEEDS
    asked = [(name, FIRST_SEED + number) for name, count in counts.items() for number in range(count)]
    with ProcessPoolExecutor(min(len(os.sched_getaffinity(0)), len(asked))) as pool:
        done = list(track(pool.map(partial(_one, quick=quick), asked), total=len(asked), what="problems"))
    found: dict[str, list[Found]] = {}
    for (name, _), one in zip(asked, done, strict=True):
        found.setdefault(name, []).append(one)
    return Measured(rows=tuple(_rows(found)), claims=_claims(found), notes=(NOTE,))


NOTE = (
    "Means over seeds, standard deviation in brackets, of means over sites. Area under the curve (AUROC, %) and share "
    "of strange images that pass where 95 % of the known do (FPR95, %). Sums are of z-scores over validation patients; "
    "Fisher's weights come from validation patients of labels that are left out in turn. Patients are never divided "
    "between folds and one image a patient calibrates. Digits and lungs are real; which site of digits teaches which "
    "labels is drawn by seed, and the unknown one is each in turn; the phantom's hospitals are simulated. In lungs the "
    "calibration patients of all sites together are too few for a p-value of 5 %, so that nothing is refused there. "
    "Nearest neighbours need training images' features and cannot leave a site."
)


@threadpool_limits.wrap(1)
def _one(asked: tuple[str, int], *, quick: bool) -> Found:
    name, seed = asked
    return answered(PROBLEMS[name](seed, quick=quick))


def answered(problem: Problem) -> Found:
    """All figures of one problem."""
    found = experts(problem)
    result: Found = {}
    for name, sites in contenders(found).items():
        for question, (area, passed) in _told_apart(found, sites).items():
            result |= {("areas", name, question): 100 * area, ("passed", name, question): 100 * passed}
        for question, share in refusals(found, sites).items():
            result["refused", name, question] = 100 * share
    for question, share in reasons(found).items():
        result["captions", question, "right"] = 100 * share
    return result


def _told_apart(found: Experts, sites: Mapping[str, Site]) -> dict[str, tuple[float, float]]:
    """Question -> area and FPR95 of one site's score, mean over the sites that can be asked."""
    pairs: dict[str, list[tuple[float, float]]] = {}
    for site, score in sites.items():
        inside = score(found.look(found.rows(site, TESTED)))
        for question, look in _strange(found, site).items():
            outside = score(look)
            if len(inside) and len(outside):
                pairs.setdefault(question, []).append((auroc(inside, outside), fpr95(inside, outside)))
    return {
        question: (_mean(areas), _mean(shares))
        for question, both in pairs.items()
        for areas, shares in [zip(*both, strict=True)]
    }


def _strange(found: Experts, site: str) -> dict[str, Look]:
    """What a site's expert has not learned, by kind."""
    unknown = found.problem.rows(site, TESTED, [found.problem.unknown])
    rows = {OTHER_SITE: found.elsewhere(site, TESTED), NOT_HERE: found.not_here(site, TESTED), UNKNOWN: unknown}
    strangers = {f"no such thing: {name}": found.look_at(them) for name, them in found.problem.strangers.items()}
    return {name: found.look(chosen) for name, chosen in rows.items()} | strangers


def refusals(found: Experts, sites: Mapping[str, Site]) -> dict[str, float]:
    """Question -> share that no site is qualified for, mean over the sites whose images they are."""
    counted = {site: score(found.look(found.one_a_patient(site, COUNTED))) for site, score in sites.items()}
    pooled = np.concatenate(list(counted.values()))
    calibrations = {site: own if len(own) + 1 >= 1 / ALPHA else pooled for site, own in counted.items()}

    def largest(look: Look) -> Array:
        return np.stack([_p_value(score(look), calibrations[site]) for site, score in sites.items()]).max(axis=0)

    p = {site: {name: largest(look) for name, look in _asked(found, site).items()} for site in sites}
    known = np.concatenate([one[WRONG] for one in p.values()])
    shares = {
        name: _mean([_refused(one[name]) for one in p.values() if len(one[name])])
        for name in (WRONG, NOT_HERE, UNKNOWN)
    }
    shares[POWER] = _mean([refused_at(known, one[UNKNOWN], ALPHA) for one in p.values() if len(one[UNKNOWN])])
    unknown = np.concatenate([one[UNKNOWN] for one in p.values()])
    shares["area of the largest p"] = auroc(known, unknown) if len(unknown) else float("nan")
    strangers = {name: _refused(largest(found.look_at(rows))) for name, rows in found.problem.strangers.items()}
    return shares | {f"no such thing: {name}": share for name, share in strangers.items()}


def _asked(found: Experts, site: str) -> dict[str, Look]:
    unknown = found.problem.rows(site, TESTED, [found.problem.unknown])
    rows = {WRONG: found.rows(site, TESTED), NOT_HERE: found.not_here(site, TESTED), UNKNOWN: unknown}
    return {name: found.look(chosen) for name, chosen in rows.items()}


def _p_value(values: Array, calibration: Array) -> Array:
    """(1 + #{calibration <= s}) / (n + 1), and less than any difference of two such by the score."""
    below = np.searchsorted(np.sort(calibration), values, side="right")
    return np.asarray((1 + below) / (len(calibration) + 1) + TIE * np.tanh(values / 100))


def _refused(p: Array) -> float:
    return float((~qualified(np.round(p, 6), ALPHA)).mean())


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _rows(found: Mapping[str, Sequence[Found]]) -> list[Row]:
    rows: list[Row] = []
    for problem, parts in found.items():
        rows += [_area_row(problem, parts, name, _columns(parts, "areas")) for name in CONTENDERS]
        rows += [_refusal_row(problem, parts, name, _columns(parts, "refused")) for name in CONTENDERS]
    return rows + [_caption_row(problem, parts) for problem, parts in found.items()]


def _columns(parts: Sequence[Found], table: str) -> list[str]:
    """What was asked in any of the problems."""
    return list(dict.fromkeys(column for part in parts for one, _, column in part if one == table))


def _area_row(problem: str, parts: Sequence[Found], name: str, columns: Sequence[str]) -> Row:
    cells = {
        column: f"{_shown(parts, 'areas', name, column)} / {_shown(parts, 'passed', name, column)}"
        for column in columns
    }
    return {"table": f"{problem}: one site's score, AUROC / FPR95 (%)", "score": name, **cells}


def _refusal_row(problem: str, parts: Sequence[Found], name: str, columns: Sequence[str]) -> Row:
    cells = {column: _shown(parts, "refused", name, column) for column in columns}
    return {"table": f"{problem}: refused at alpha {ALPHA:.0%} by all experts together, %", "score": name, **cells}


def _caption_row(problem: str, parts: Sequence[Found]) -> Row:
    cells = {question: _shown(parts, "captions", question, "right") for question in (MACHINE, LABEL)}
    return {
        "table": "Why an image was refused: right answers, mean of both kinds, % (chance is 50)",
        "data": problem,
        **cells,
    }


def _shown(parts: Sequence[Found], table: str, name: str, column: str) -> str:
    values = _values(parts, table, name, column)
    return f"{values.mean():.1f} ({values.std():.1f})" if len(values) else "-"


def _values(parts: Sequence[Found], table: str, name: str, column: str) -> Array:
    values = np.array([part.get((table, name, column), np.nan) for part in parts])
    return values[np.isfinite(values)]


def _claims(found: Mapping[str, Sequence[Found]]) -> tuple[Claim, ...]:
    claims: list[Claim] = []
    for problem, parts in found.items():
        known = float(_values(parts, "refused", USED, WRONG).mean())
        power = {name: float(_values(parts, "refused", name, UNKNOWN).mean()) for name in (USED, LEARNED)}
        claims.append(at_most(f"{problem}: known images refused, score in use", known, "%", 100 * ALPHA + 1))
        for name, value in power.items():
            claim = f"{problem}: images of the unknown label refused, {name}"
            target = problem == "digits, gradients"
            claims.append(at_least(claim, value, "%", 80.0) if target else told(claim, value, "%"))
    return tuple(claims)
