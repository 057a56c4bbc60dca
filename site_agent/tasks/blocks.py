"""Which cases of a batch enter what leaves, with which sample weights, and what the filters must know of them."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from federated.disclosure import Cell, Facts, Limits, suppressed
from federated.errors import DisclosureError
from federated.statistics import Array

if TYPE_CHECKING:
    from site_agent.catalogue import Case

TRAIN = "train"
Cells = dict[Cell, frozenset[str]]


@dataclass(frozen=True)
class Selection:
    """Cases of a batch that may leave together.

    Attributes:
        folds: fold -> cases, in the order they came; a fold left empty is not there.
        left_out: (fold, label) -> patients, of the cells and folds under the minimum.
    """

    folds: dict[str, list[Case]]
    left_out: dict[Cell, int]

    def keeps(self, case: Case) -> bool:
        """Whether an image may leave in its fold, by any of the labels that it came with."""
        return (case.fold, case.key, case.frame) in self._images

    @cached_property
    def _images(self) -> set[tuple[str, str, int]]:
        return {(fold, case.key, case.frame) for fold, cases in self.folds.items() for case in cases}


def cells_of(cases: Iterable[Case]) -> Cells:
    """Patients behind each (fold, label)."""
    cells: dict[Cell, set[str]] = defaultdict(set)
    for case in cases:
        cells[case.fold, case.label].add(case.patient)
    return {cell: frozenset(patients) for cell, patients in cells.items()}


def select(cases: Sequence[Case], limits: Limits, *, where: str) -> Selection:
    """The cases that are left when cells under the minimum are dropped, and with them labels that nothing trains.

    Raises:
        DisclosureError: no label has patients enough in the training fold.
    """
    cells = cells_of(cases)
    small = set(suppressed(cells, limits))
    trained = {label for fold, label in cells if fold == TRAIN and (fold, label) not in small}
    if not trained:
        largest = max((len(patients) for (fold, _), patients in cells.items() if fold == TRAIN), default=0)
        raise DisclosureError(
            f"no label has {limits.cell} training patients (the largest has {largest})",
            filter_name="cell",
            where=where,
            cure="wait for more patients and take them in together",
        )
    kept = [case for case in cases if (case.fold, case.label) not in small and case.label in trained]
    folds = _folds_of_size(kept, limits)
    shown = {(case.fold, case.label) for group in folds.values() for case in group}
    return Selection(folds, {cell: len(patients) for cell, patients in cells.items() if cell not in shown})


def _folds_of_size(cases: Sequence[Case], limits: Limits) -> dict[str, list[Case]]:
    """Folds with patients enough; the training fold stays in any case, for the gate to judge."""
    folds: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        folds[case.fold].append(case)
    return {fold: group for fold, group in folds.items() if fold == TRAIN or _patients(group) >= limits.batch}


def _patients(cases: Iterable[Case]) -> int:
    return len({case.patient for case in cases})


def class_balance(train: Sequence[Case], rule: str) -> dict[str, float]:
    """Factor of each label's weights: 1 with rule "none"; with "site", n / (C n_c) over the training patients."""
    counts = {label: len(patients) for (_, label), patients in sorted(cells_of(train).items())}
    if rule == "none":
        return dict.fromkeys(counts, 1.0)
    return {label: _patients(train) / (len(counts) * number) for label, number in counts.items()}


def sample_weights(cases: Sequence[Case], balance: Mapping[str, float]) -> Array:
    """(n,) weights of the cases of one fold: a patient weighs `balance` in each label, with however many images."""
    images = Counter((case.patient, case.label) for case in cases)
    return np.array([balance[case.label] / images[case.patient, case.label] for case in cases])


def largest_share(cases: Sequence[Case], weights: Array) -> float:
    """The largest share that one patient has in a class sum of one fold."""
    by_patient: dict[tuple[str, str], float] = defaultdict(float)
    by_label: dict[str, float] = defaultdict(float)
    for case, weight in zip(cases, weights.tolist(), strict=True):
        by_patient[case.patient, case.label] += weight
        by_label[case.label] += weight
    return max((weight / by_label[label] for (_, label), weight in by_patient.items()), default=0.0)


def facts_of(
    kind: str,
    folds: Mapping[str, Sequence[Case]],
    weights: Mapping[str, Array],
    *,
    size: int,
    level: int | None = None,
    features: int | None = None,
    coarse: tuple[str, ...] = (),
) -> Facts:
    """What the gate judges; pseudonyms in it never leave."""
    used = [case for cases in folds.values() for case in cases]
    shares = [largest_share(cases, weights[fold]) for fold, cases in folds.items()]
    return Facts(
        kind=kind,
        level=level,
        features=features,
        cells=cells_of(used),
        largest_share=max(shares, default=0.0),
        size=size,
        images=images_digests(used),
        coarse=coarse,
    )


def images_digests(cases: Iterable[Case]) -> dict[str, str]:
    """For each patient a digest of the images used, whatever their order."""
    images: dict[str, list[str]] = defaultdict(list)
    for case in cases:
        images[case.patient].append(case.sha256)
    return {patient: hashlib.sha256("".join(sorted(found)).encode()).hexdigest() for patient, found in images.items()}


def shuffled(cases: Sequence[Case], secret: bytes) -> list[Case]:
    """The cases in an order that the site's secret gives and that says nothing to others, the same each time."""
    return sorted(cases, key=lambda case: hmac.digest(secret, f"row {case.sha256}".encode(), "sha256"))


def numbered(cases: Sequence[Case], secret: bytes) -> list[int]:
    """A number from 0 for each case's patient, in an order that says nothing."""
    patients = {case.patient for case in cases}
    order = sorted(patients, key=lambda patient: hmac.digest(secret, f"patient {patient}".encode(), "sha256"))
    number = {patient: index for index, patient in enumerate(order)}
    return [number[case.patient] for case in cases]
