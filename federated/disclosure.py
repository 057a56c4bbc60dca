"""Disclosure filters: named rules that hold a contribution back where it would say too much about few patients.

The limits are published conventions in the manner of DataSHIELD's filters, not proofs, and count patients, not images.
Each filter finds one value, compares it with its limit and names the cure; `TABLE` says which filters a kind passes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from federated.isolation import TOO_MANY, Members, smallest_isolated
from federated.manifest import MAX_LABELS, MAX_TENSORS_BYTES, Frozen

Cell = tuple[str, str]
Minimum = Annotated[int, Field(ge=1, le=10**6)]


class Limits(Frozen):
    """One number a filter, named like it; the defaults are the published ones.

    Attributes:
        cell: least patients behind a label in a fold.
        batch: least patients behind a fold, which leaves as one sum.
        difference: least patients behind any difference to what left before.
        gram_share: at most so many features of a Gram or covariance matrix for each patient behind it.
        dominance: at most this share of a class sum from one patient.
        levels: at most so many labels.
        max_bytes: at most so many bytes of tensors.
    """

    cell: Minimum = 5
    batch: Minimum = 5
    difference: Minimum = 5
    gram_share: Annotated[float, Field(gt=0)] = 0.33
    dominance: Annotated[float, Field(gt=0, le=1)] = 0.5
    levels: Annotated[int, Field(ge=1, le=MAX_LABELS)] = 40
    max_bytes: Annotated[int, Field(ge=1, le=MAX_TENSORS_BYTES)] = 64 * 2**20


@dataclass(frozen=True)
class Facts:
    """What the filters have to know of a draft. It names patients by pseudonym and never leaves the site.

    Attributes:
        kind: as in the manifest.
        level: what the coordinator gets of statistics; None for other kinds.
        features: width of the largest Gram or covariance matrix inside; None where none leaves.
        cells: patients behind each (fold, label).
        largest_share: the largest share of one patient in any class sum, 0 to 1.
        size: bytes of tensors.
        images: for each patient a digest of the images used, so that other images of the same patient count as a
            change; empty where unknown.
        coarse: labels whose images have a Gram matrix of their own, so that what the others have can be subtracted.
        about: of an update the task and model, by which a standing approval counts what left; else empty.
    """

    kind: str
    level: int | None
    features: int | None
    cells: Mapping[Cell, frozenset[str]]
    largest_share: float
    size: int
    images: Mapping[str, str] = field(default_factory=dict)
    coarse: tuple[str, ...] = ()
    about: str = ""

    @property
    def folds(self) -> dict[str, frozenset[str]]:
        """Patients of each fold, over all labels."""
        folds: dict[str, frozenset[str]] = {}
        for (fold, _), patients in self.cells.items():
            folds[fold] = folds.get(fold, frozenset()) | patients
        return folds


@dataclass(frozen=True)
class Check:
    """One filter's verdict: the value found beside its limit, and what to do where it does not pass."""

    name: str
    passed: bool
    bound: Literal["at least", "at most"]
    limit: str
    found: str
    cure: str

    @property
    def line(self) -> str:
        """As the envelope holds it: ``5 <= 12`` for a least, ``0.21 <= 0.33`` for a most."""
        least = self.bound == "at least"
        return f"{self.limit} <= {self.found}" if least else f"{self.found} <= {self.limit}"


Filter = Callable[[Facts, Limits, Sequence[Facts]], Check]


def _cell(facts: Facts, limits: Limits, _: Sequence[Facts]) -> Check:
    counts = {cell: len(patients) for cell, patients in facts.cells.items() if patients}
    if not counts:
        return _least("cell", limits.cell, 0, "there is no patient in it")
    (fold, label), smallest = min(counts.items(), key=lambda item: (item[1], item[0]))
    cure = f"leave label '{label}' out of fold '{fold}', or wait for {limits.cell - smallest} more patients with it"
    return _least("cell", limits.cell, smallest, cure)


def _batch(facts: Facts, limits: Limits, _: Sequence[Facts]) -> Check:
    counts = {fold: len(patients) for fold, patients in facts.folds.items()}
    if not counts:
        return _least("batch", limits.batch, 0, "there is no patient in it")
    fold, smallest = min(counts.items(), key=lambda item: (item[1], item[0]))
    return _least("batch", limits.batch, smallest, f"wait for {limits.batch - smallest} more patients in '{fold}'")


def _difference(facts: Facts, limits: Limits, earlier: Sequence[Facts]) -> Check:
    found = [smallest_isolated(new, old, limits.difference) for new, old in _histories(facts, earlier)]
    smallest = min((number for number in found if number is not None), default=None)
    if smallest is None:
        return Check("difference", True, "at least", str(limits.difference), "none smaller", "")
    shown = "too many overlaps to tell" if smallest == TOO_MANY else str(smallest)
    cure = f"send the block as it was, or change {limits.difference} patients or more at once"
    return Check("difference", False, "at least", str(limits.difference), shown, cure)


def _gram_share(facts: Facts, limits: Limits, _: Sequence[Facts]) -> Check:
    behind = behind_matrix(facts)
    limit = f"{limits.gram_share:g}"
    if facts.features is None or facts.level == 1:
        return Check("gram_share", True, "at most", limit, "no matrix", "")
    share = facts.features / behind if behind else math.inf
    cure = (
        "set level_to_coordinator to 1 in the policy, where another site sends level 2, "
        f"wait for a batch with {math.ceil(facts.features / limits.gram_share)} patients in every fold, "
        f"or take a front end of at most {math.floor(limits.gram_share * behind)} features"
    )
    passed = share <= limits.gram_share
    return Check(
        "gram_share", passed, "at most", limit, f"{facts.features}/{behind}={share:.3g}", "" if passed else cure
    )


def _dominance(facts: Facts, limits: Limits, _: Sequence[Facts]) -> Check:
    cure = "give the images of that patient less weight, or leave some out"
    return _most("dominance", limits.dominance, facts.largest_share, cure)


def _levels(facts: Facts, limits: Limits, _: Sequence[Facts]) -> Check:
    labels = {label for (_, label), patients in facts.cells.items() if patients}
    return _most("levels", limits.levels, len(labels), "map labels to fewer, broader ones")


def _max_bytes(facts: Facts, limits: Limits, _: Sequence[Facts]) -> Check:
    return _most("max_bytes", limits.max_bytes, facts.size, "use fewer features, labels or samples")


def _least(name: str, limit: int, found: int, cure: str) -> Check:
    passed = found >= limit
    return Check(name, passed, "at least", str(limit), str(found), "" if passed else cure)


def _most(name: str, limit: float, found: float, cure: str) -> Check:
    passed = found <= limit
    shown = str(found) if isinstance(found, int) else f"{found:.3g}"
    limit_shown = str(limit) if isinstance(limit, int) else f"{limit:g}"
    return Check(name, passed, "at most", limit_shown, shown, "" if passed else cure)


FILTERS: dict[str, Filter] = {
    "cell": _cell,
    "batch": _batch,
    "difference": _difference,
    "gram_share": _gram_share,
    "dominance": _dominance,
    "levels": _levels,
    "max_bytes": _max_bytes,
}
TABLE: dict[str, tuple[str, ...]] = {
    "statistics": ("cell", "batch", "difference", "gram_share", "dominance", "levels", "max_bytes"),
    "features": ("cell", "batch", "difference", "dominance", "levels", "max_bytes"),
    "weights": ("cell", "batch", "difference", "dominance", "levels", "max_bytes"),
    "update": ("cell", "batch", "difference", "dominance", "levels", "max_bytes"),
    "synthetic": ("cell", "batch", "difference", "dominance", "levels", "max_bytes"),
    "consultation": ("cell", "batch", "difference", "dominance", "levels", "max_bytes"),
    "report": ("cell", "batch", "difference", "gram_share", "levels", "max_bytes"),
    "summary": ("cell", "batch", "difference", "levels", "max_bytes"),
    "decision": ("levels", "max_bytes"),  # it is one patient's by nature: the policy asks for an approver each time
    "adoption": ("max_bytes",),
    "withdrawal": ("max_bytes",),
}
COMPARABLE: dict[str, frozenset[str]] = {
    "features": frozenset({"statistics"}),
    "update": frozenset({"weights", "statistics"}),
}
"""Who has the features can take their sums, and subtract; an update is a network fitted to the same images, and the
first step of a linear one from zero is made of their class sums. Other kinds are compared with themselves."""


def evaluate(facts: Facts, limits: Limits, earlier: Sequence[Facts]) -> tuple[Check, ...]:
    """Every filter of the draft's kind.

    Args:
        facts: the draft's.
        limits: the hospital's for this kind.
        earlier: facts of everything that ever left this site, whether withdrawn since or not.

    Returns:
        One check a filter, in the order of `TABLE`.
    """
    return tuple(FILTERS[name](facts, limits, earlier) for name in TABLE[facts.kind])


def suppressed(cells: Mapping[Cell, frozenset[str]], limits: Limits) -> tuple[Cell, ...]:
    """The cells (fold, label) under the minimum, which a task leaves out before it drafts anything."""
    return tuple(sorted(cell for cell, patients in cells.items() if len(patients) < limits.cell))


def behind_matrix(facts: Facts) -> int:
    """Fewest patients behind a Gram matrix that can be read or, in a report, a covariance (of training images)."""
    classes = {label: patients for (fold, label), patients in facts.cells.items() if fold == "train"}
    sets = classes if facts.kind == "report" else gram_patients(facts)
    return min((len(patients) for patients in sets.values() if patients), default=0)


def gram_patients(facts: Facts) -> dict[str, frozenset[str]]:
    """Patients behind each Gram matrix that can be read: of a fold, of a coarse label, of the rest of a fold."""
    return {name: frozenset(patient for patient, _ in block) for name, block in _gram_blocks(facts).items()}


def _gram_blocks(facts: Facts) -> dict[str, frozenset[Cell]]:
    """(patient, label) behind each; what is left of a fold is got by subtracting the coarse labels' own."""
    found: dict[str, set[Cell]] = {}
    for (fold, label), patients in facts.cells.items():
        part = f"{fold}, label {label}" if label in facts.coarse else f"{fold}, other labels"
        for name in (fold, part) if facts.coarse else (fold,):
            found.setdefault(name, set()).update((patient, label) for patient in patients)
    return {name: frozenset(block) for name, block in found.items() if block}


def _histories(facts: Facts, earlier: Sequence[Facts]) -> Iterator[tuple[Members, list[Members]]]:
    """Each block of the draft beside the blocks of the same fold, or fold and label, that left before."""
    alike = [old for old in earlier if not _comparable(old.kind).isdisjoint(_comparable(facts.kind))]
    known = all(old.images for old in (facts, *alike))
    empty: frozenset[str] = frozenset()
    for cell, new in facts.cells.items():
        yield _members(facts, new, known), [_members(old, old.cells.get(cell, empty), known) for old in alike]
    for fold, new in facts.folds.items():
        yield _members(facts, new, known), [_members(old, old.folds.get(fold, empty), known) for old in alike]
    if any(each.coarse for each in (facts, *alike)):
        yield from _gram_histories(facts, alike, known)


def _comparable(kind: str) -> frozenset[str]:
    return COMPARABLE.get(kind, frozenset({kind}))


def _gram_histories(facts: Facts, alike: Sequence[Facts], known: bool) -> Iterator[tuple[Members, list[Members]]]:
    """Each Gram matrix that can be read beside all that could be read of the same fold before.

    Label by label, and whatever the label: the same images may have had another.
    """
    for name, new in _gram_blocks(facts).items():
        fold = name.partition(",")[0]
        before = [
            (old, block)
            for old in alike
            for other, block in _gram_blocks(old).items()
            if other.partition(",")[0] == fold
        ]
        for items in (_labelled, _unlabelled):
            yield items(facts, new, known), [items(old, block, known) for old, block in before]


def _unlabelled(facts: Facts, block: frozenset[Cell], images_known: bool) -> Members:
    return _members(facts, frozenset(patient for patient, _ in block), images_known)


def _labelled(facts: Facts, block: frozenset[Cell], images_known: bool) -> Members:
    """A patient's images of one label are one item: a Gram matrix of its own holds these and no others."""
    return frozenset(
        (patient, f"{label} {facts.images.get(patient, '') if images_known else ''}") for patient, label in block
    )


def _members(facts: Facts, patients: frozenset[str], images_known: bool) -> Members:
    return frozenset((patient, facts.images.get(patient, "") if images_known else "") for patient in patients)
