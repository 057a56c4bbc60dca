"""Answers of one period as floored sums: a cell behind which there are too few patients says nothing, and says so.

Totals are of what is told. Where a part could be had by subtracting the others from their total, as with the tenths of
p-values, one part more is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from federated.canonical import canonical, digest
from federated.decision import Decision
from federated.decision_summary import CONFIDENT, DRIFT_BINS, FLAGS, NOBODY_QUALIFIED, OTHERWISE, REASONS, REST
from federated.disclosure import Cell, Limits
from federated.hierarchy import ancestors
from federated.in_distribution import qualified
from federated.manifest import ReleaseManifest, Tensors
from federated.statistics import Array
from federated.vocabulary import Vocabulary

FOLD, FLAGGED, NO_LABEL = "decisions", "flagged", "(none)"
Key = TypeVar("Key")


@dataclass(frozen=True)
class Answer:
    """A clip's answer, by the number of its record, and whose it is."""

    number: int
    patient: str
    decision: Decision

    @property
    def cell(self) -> tuple[str, str]:
        """Where it is counted: answered with a label, or not, and why."""
        if self.decision.label is not None:
            return "answered", self.decision.label
        return "abstained", NOBODY_QUALIFIED if self.decision.abstained else OTHERWISE


@dataclass(frozen=True)
class Truth:
    """What somebody said of an answer, by the number of the flag's own record."""

    number: int
    answer: Answer
    label: str


@dataclass(frozen=True)
class Sums:
    """A period, as it may leave.

    Attributes:
        tensors: of the summary.
        suppressed: names of cells that say nothing.
        answers: those that are counted.
        truths: the same.
        cells: patients behind what is told, for the filters.
    """

    tensors: Tensors
    suppressed: tuple[str, ...]
    answers: tuple[Answer, ...]
    truths: tuple[Truth, ...]
    cells: dict[Cell, frozenset[str]]

    @property
    def patients(self) -> frozenset[str]:
        """Behind what is told."""
        return people(self.answers)

    def images(self) -> dict[str, str]:
        """For each patient a digest of the records that are counted."""
        numbers: dict[str, list[int]] = {}
        for answer in self.answers:
            numbers.setdefault(answer.patient, []).append(answer.number)
        for truth in self.truths:
            numbers.setdefault(truth.answer.patient, []).append(truth.number)
        return {patient: digest(canonical(sorted(each))) for patient, each in numbers.items()}


def sum_up(
    release: ReleaseManifest,
    labels: Sequence[str],
    site: str,
    answers: Sequence[Answer],
    truths: Sequence[Truth],
    limits: Limits,
) -> Sums:
    """Sums over answers of a release.

    Args:
        release: that answered.
        labels: that it may answer with.
        site: whose answers they are.
        answers: of clips.
        truths: about answers of this release, of this period or before; the last one of an answer counts.
        limits: of the hospital's policy.
    """
    kept, hidden = _enough(_by(answers, lambda each: each.cell), limits.cell)
    counted = [answer for each in kept.values() for answer in each]
    sheet = _Sheet([".".join(cell) for cell in hidden])
    sites = tuple(each.name for each in release.sites)
    tensors: Tensors = {
        "answered": np.array([len(kept.get(("answered", label), ())) for label in labels], dtype=np.int64),
        "abstained": np.array([len(kept.get(("abstained", reason), ())) for reason in REASONS], dtype=np.int64),
        **_parts(labels, sites, kept),
        "qualified": _qualified(sites, _own(release, site), counted, release.alpha, limits.cell, sheet),
        "drift": _drift(_own(release, site), counted, limits.cell, sheet),
        **_flagged(labels, release.vocabulary, truths, limits, sheet),
    }
    flagged = tuple(truth for each in sheet.flagged.values() for truth in each)
    return Sums(tensors, tuple(sorted(sheet.hidden)), tuple(counted), flagged, _cells(kept, sheet))


def _cells(kept: Mapping[tuple[str, str], Sequence[Answer]], sheet: _Sheet) -> dict[Cell, frozenset[str]]:
    """Patients behind what is told."""
    groups = _by_cell(kept)
    told = {(FOLD, label): people(each) for label, each in groups.items()}
    return told | {(FLAGGED, label): _whose(each) for label, each in sheet.flagged.items()}


def _by_cell(kept: Mapping[tuple[str, str], Sequence[Answer]]) -> dict[str, list[Answer]]:
    groups: dict[str, list[Answer]] = {}
    for (tensor, name), each in kept.items():
        groups.setdefault(name if tensor == "answered" else NO_LABEL, []).extend(each)
    return groups


def people(answers: Iterable[Answer]) -> frozenset[str]:
    """Whose they are."""
    return frozenset(answer.patient for answer in answers)


class _Sheet:
    """What is left out so far, and the truths that are told, by what was answered."""

    def __init__(self, hidden: list[str]) -> None:
        self.hidden = hidden
        self.flagged: dict[str, list[Truth]] = {}


def _by(answers: Iterable[Answer], key: Callable[[Answer], Key]) -> dict[Key, list[Answer]]:
    groups: dict[Key, list[Answer]] = {}
    for answer in answers:
        groups.setdefault(key(answer), []).append(answer)
    return groups


def _enough(groups: Mapping[Key, list[Answer]], least: int) -> tuple[dict[Key, list[Answer]], list[Key]]:
    """Groups that may be told, smallest first, and those that may not."""
    order = sorted(groups, key=lambda key: (len(people(groups[key])), str(key)))
    hidden = [key for key in order if len(people(groups[key])) < least]
    return {key: groups[key] for key in order if key not in hidden}, hidden


def _parted(groups: Mapping[Key, list[Answer]], least: int) -> tuple[dict[Key, list[Answer]], list[Key]]:
    """The same of parts whose total is told: what would give those away that are left out is left out as well."""
    kept, hidden = _enough(groups, least)
    rest = list(kept)
    while hidden and rest and len(people(answer for key in hidden for answer in groups[key])) < least:
        hidden.append(rest.pop(0))
    return {key: groups[key] for key in rest}, hidden


def _parts(
    labels: Sequence[str], sites: Sequence[str], kept: Mapping[tuple[str, str], Sequence[Answer]]
) -> dict[str, Array]:
    """(C, K) and (C, K + 3) sums of each site's part in what was answered."""
    weights, contributions = (np.zeros((len(labels), len(sites))) for _ in range(2))
    evidence = np.zeros((len(labels), len(sites) + len(REST)))
    for row, label in enumerate(labels):
        for answer in kept.get(("answered", label), ()):
            decision = answer.decision
            weights[row] += [decision.weights[site] for site in sites]
            contributions[row] += [decision.contributions[decision.best][site] for site in sites]
            evidence[row] += [decision.evidence.get(name, 0.0) for name in (*sites, *REST)]
    return {"weights": weights, "contributions": contributions, "evidence": evidence}


def _qualified(
    sites: Sequence[str], own: str | None, answers: Sequence[Answer], alpha: float, least: int, sheet: _Sheet
) -> NDArray[np.int64]:
    """(K,) clips for which each site is qualified; nothing where few patients are, or few are not.

    Of the own site neither where that would part the tenth of p-values that holds alpha into few and others.
    """
    found = np.zeros(len(sites), np.int64)
    for column, site in enumerate(sites):
        sides = _by(answers, partial(_is_qualified, site, alpha))
        parts = [*sides.values(), *(_parted_tenth(sides, site) if site == own else ())]
        if any(len(people(part)) < least for part in parts):
            sheet.hidden.append(f"qualified.{site}")
        else:
            found[column] = len(sides.get(True, ()))
    return found


def _is_qualified(site: str, alpha: float, answer: Answer) -> bool:
    return bool(qualified(np.asarray(answer.decision.qualified[site]), alpha))


def _parted_tenth(sides: Mapping[bool, list[Answer]], site: str) -> list[list[Answer]]:
    """Both parts of the tenth that has answers on both sides of alpha: told tenths and told sides differ by them."""
    tenths = [_by(side, partial(_tenth, site)) for side in sides.values()]
    both = set.intersection(*map(set, tenths)) if len(tenths) > 1 else set()
    return [each[tenth] for each in tenths for tenth in both]


def _tenth(site: str, answer: Answer) -> int:
    return min(int(answer.decision.qualified[site] * DRIFT_BINS), DRIFT_BINS - 1)


def _own(release: ReleaseManifest, site: str) -> str | None:
    """The site's name, where the release is calibrated for it."""
    return next((each.name for each in release.sites if each.name == site and each.calibration != "none"), None)


def _drift(site: str | None, answers: Sequence[Answer], least: int, sheet: _Sheet) -> NDArray[np.int64]:
    """(10,) clips by the site's own p-value."""
    found = np.zeros(DRIFT_BINS, np.int64)
    if site is None:
        return found
    kept, hidden = _parted(_by(answers, partial(_tenth, site)), least)
    for place, each in kept.items():
        found[place] = len(each)
    sheet.hidden += [f"drift.{place}" for place in hidden]
    return found


def _flagged(
    labels: Sequence[str], vocabulary: Vocabulary, truths: Sequence[Truth], limits: Limits, sheet: _Sheet
) -> dict[str, NDArray[np.int64]]:
    """(C,) answers whose truth is known, those that were wrong, and wrong with confidence."""
    last = {truth.answer.number: truth for truth in truths if truth.answer.decision.label is not None}
    groups: dict[str, list[Truth]] = {}
    for truth in last.values():
        groups.setdefault(truth.answer.cell[1], []).append(truth)
    enough = [label for label, each in groups.items() if len(_whose(each)) >= limits.cell]
    if len(_whose(truth for label in enough for truth in groups[label])) < limits.batch:
        enough = []
    sheet.hidden += [f"flagged.{label}" for label in groups if label not in enough]
    found = {name: np.zeros(len(labels), np.int64) for name in FLAGS}
    for label in enough:
        sheet.flagged[label] = groups[label]
        for name, count in _nested(groups[label], vocabulary, limits.cell).items():
            if count is None:
                sheet.hidden.append(f"{name}.{label}")
            else:
                found[name][labels.index(label)] = count
    return found


def _nested(truths: Sequence[Truth], vocabulary: Vocabulary, least: int) -> dict[str, int | None]:
    """Flagged, wrong, wrong with confidence: None where few patients are in it, or few are left of what it is in."""
    wrong = [truth for truth in truths if _is_wrong(truth, vocabulary)]
    sure = [truth for truth in wrong if _confidence(truth.answer.decision) >= CONFIDENT]
    found: dict[str, int | None] = {"flagged": len(truths)}
    around: Sequence[Truth] = truths
    for name, inside in (("wrong", wrong), ("wrong_confident", sure)):
        told = None not in found.values()
        outside = [truth for truth in around if truth not in inside]
        small = any(0 < len(_whose(side)) < least for side in (inside, outside))
        found[name] = len(inside) if not inside or (told and not small) else None
        around = inside
    return found


def _whose(truths: Iterable[Truth]) -> frozenset[str]:
    return people(truth.answer for truth in truths)


def _is_wrong(truth: Truth, vocabulary: Vocabulary) -> bool:
    """An answer above the truth is right as far as it goes."""
    above = ancestors(vocabulary, truth.label) if truth.label in vocabulary.codes else frozenset[str]()
    return truth.answer.decision.label not in {truth.label, *above}


def _confidence(decision: Decision) -> float:
    """Probability of what was answered."""
    if decision.label is None:
        return 0.0
    steps = {step.concept: step.probability for step in decision.path}
    return steps.get(decision.label, decision.probabilities.get(decision.label, 0.0))
