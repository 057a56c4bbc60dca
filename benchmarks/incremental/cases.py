"""One site's cases, and their way into folds: by patient, as a site itself would do it."""

from __future__ import annotations

import hmac
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.incremental.contestant import Fold, Images, Site
from federated.local_fold import LocalFold
from federated.statistics import Array
from site_agent.catalogue import Case
from site_agent.folds import FOLDS, assign_folds
from site_agent.tasks.blocks import class_balance, sample_weights

TEST = "test"


@dataclass(frozen=True)
class Cases:
    """n images of one site with features (n, M), labels, patients and clips; the images (n, S, S) or (n, 0, 0)."""

    site: str
    images: Images
    features: Array
    labels: tuple[str, ...]
    patients: tuple[str, ...]
    clips: tuple[str, ...]


def split_site(cases: Cases, seed: int, taught: Collection[str]) -> Site:
    """A site whose other folds than the test fold hold only the labels that it teaches.

    Patients who have none of these labels test. A patient weighs as in `site_agent.tasks.blocks`: labels are balanced.
    """
    labels: dict[str, set[str]] = defaultdict(set)
    for patient, label in zip(cases.patients, cases.labels, strict=True):
        labels[patient].add(label)
    folds = folds_of_patients(labels, seed, taught)
    placed = [folds[patient] for patient in cases.patients]
    rows = {fold: [row for row, its in enumerate(placed) if its == fold] for fold in FOLDS}
    kept = {
        fold: [row for row in chosen if fold == TEST or cases.labels[row] in taught] for fold, chosen in rows.items()
    }
    balance = class_balance(_as_cases(cases, kept["train"]), "site")
    return Site(cases.site, {fold: fold_of(cases, chosen, balance) for fold, chosen in kept.items()})


def folds_of_patients(labels: Mapping[str, Collection[str]], seed: int, taught: Collection[str]) -> dict[str, str]:
    """The fold of every patient by the labels of their images; the seed stands for the site's secret."""
    hidden = {patient: hmac.digest(f"seed {seed}".encode(), patient.encode(), "sha256").hex() for patient in labels}
    learning = {patient: frozenset(its) & frozenset(taught) for patient, its in labels.items()}
    folds = assign_folds({hidden[patient]: its for patient, its in learning.items() if its}, {}, {})
    return {patient: folds.get(hidden[patient], TEST) for patient in labels}


def external_site(cases: Cases) -> Site:
    """A site all of whose cases test."""
    rows = list(range(len(cases.labels)))
    return Site(cases.site, {fold: fold_of(cases, rows if fold == TEST else [], {}) for fold in FOLDS})


def fold_of(cases: Cases, rows: Sequence[int], balance: dict[str, float]) -> Fold:
    """Some of the cases; labels that are not balanced weigh one a patient."""
    chosen = _as_cases(cases, rows)
    weights = sample_weights(chosen, {case.label: balance.get(case.label, 1.0) for case in chosen})
    labels, patients, clips = (tuple(part[row] for row in rows) for part in (cases.labels, cases.patients, cases.clips))
    index = np.array(rows, dtype=np.int64)
    return Fold(cases.images[index], LocalFold(cases.features[index], labels, patients, clips, weights))


def _as_cases(cases: Cases, rows: Sequence[int]) -> list[Case]:
    return [
        Case(
            id=row,
            key=cases.clips[row],
            sha256=str(row),
            patient=cases.patients[row],
            label=cases.labels[row],
            clip=cases.clips[row],
            frame=0,
            place=0,
            fold=TEST,
            batch="b",
        )
        for row in rows
    ]
