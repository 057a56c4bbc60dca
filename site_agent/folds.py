"""Train, validation, calibration and test: a patient is put in one of them once, for ever.

Targets are shares of patients within each label. A patient with several labels goes where the rarest of them lacks
most (the order of iterative stratification; Sechidis et al., ECML PKDD 2011), so that a label's first patient trains.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

FOLDS = ("train", "validation", "calibration", "test")
# percent of the patients; where two folds lack as much, the one that stands first here is filled
TARGETS = {"train": 50, "test": 20, "validation": 15, "calibration": 15}


def assign_folds(
    new: Mapping[str, frozenset[str]], given: Mapping[str, str], counts: Mapping[tuple[str, str], int]
) -> dict[str, str]:
    """Folds of new patients, chosen in the order of their pseudonyms, which a site's secret shuffles.

    Args:
        new: pseudonym -> labels of that patient's images.
        given: pseudonym -> fold, for those whose fold is already settled by the hospital.
        counts: (fold, label) -> patients already there.
    """
    placed = Counter(dict(counts))
    folds = {}
    for patient in sorted(new, key=lambda patient: (patient not in given, patient)):
        folds[patient] = given.get(patient) or neediest(new[patient], placed)
        placed.update((folds[patient], label) for label in new[patient])
    return folds


def neediest(labels: Iterable[str], placed: Mapping[tuple[str, str], int]) -> str:
    """The fold that lacks most of the rarest label's patients, then of the next rarest, then the first in `TARGETS`."""

    def patients(label: str) -> int:
        return sum(placed.get((fold, label), 0) for fold in TARGETS)

    rarest_first = sorted(labels, key=lambda label: (patients(label), label))

    def deficits(fold: str) -> list[int]:
        """Hundredths of a patient, whole numbers so that ties are ties."""
        share = TARGETS[fold]
        return [share * (patients(label) + 1) - 100 * placed.get((fold, label), 0) for label in rarest_first]

    return max(TARGETS, key=deficits)
