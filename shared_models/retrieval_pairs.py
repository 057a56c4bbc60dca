"""Pairs of clips that show the same view or another (muscle views, c.3), by a rule over sections, legs and visits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement, product

import numpy as np
from numpy.typing import NDArray

from shared_models.clip_windows import Clips, Rows

Flags = NDArray[np.bool_]
LEFT, RIGHT = "l", "r"
OF_A_SECTION, SAME, OTHER = 20, 100, 50  # clips of the standard view; pairs a leg; pairs of each kind


@dataclass(frozen=True)
class Labelled:
    """Clips of sections, n of them.

    Attributes:
        clips: (n, T, S, S).
        patients, sections: (n,) numbers.
        right: (n,) whether it is the right leg.
        standard: (n,) whether it shows the standard view.
    """

    clips: Clips
    patients: Rows
    sections: Rows
    right: Flags
    standard: Flags


@dataclass(frozen=True)
class Pairs:
    """Two clips each, by number, and whether they show the same view."""

    first: Rows
    second: Rows
    same: Flags


def published_pairs(clips: Labelled, patients: Rows, seed: int) -> Pairs:
    """Those of some patients by the authors' rule: both of the standard view of a leg, in whatever section, or not.

    Clips may be paired with themselves. Other views are paired with the right leg's standard view alone, with the left
    leg's by nobody; a fourth kind pairs other views of both legs.
    """
    random = np.random.default_rng(seed)
    found: list[tuple[Rows, bool]] = []
    for patient in patients:
        left, right = (_leg(clips, patient, is_right) for is_right in (False, True))
        found += [(_some(combinations_with_replacement(leg[0], 2), SAME, random), True) for leg in (left, right)]
        kinds = (right[0], right[1]), (right[0], left[1]), (right[0], left[0]), (right[1], left[1])
        found += [(_some(product(*kind), OTHER, random), False) for kind in kinds]
    return _joined(found)


def pairs_across_sections(clips: Labelled, patients: Rows, seed: int) -> Pairs:
    """Those of some patients as retrieval meets them: a leg's standard view, and what another section of it shows.

    The same view of another section of the leg; another view of another section; either view of the other leg.
    """
    random = np.random.default_rng(seed)
    found: list[tuple[Rows, bool]] = []
    for patient, right in product(patients, (False, True)):
        (standard, others), (mirrored, _) = _leg(clips, patient, right), _leg(clips, patient, not right)
        apart = _apart(clips, combinations(standard, 2)), _apart(clips, product(standard, others))
        found += [(_some(apart[0], SAME, random), True), (_some(apart[1], SAME, random), False)]
        found.append((_some(product(standard, mirrored), OTHER // 2, random), False))
    return _joined(found)


def across_visits(clips: Labelled, patients: Rows, seed: int) -> Rows:
    """(n, 2) clips of the standard view of a leg, of two of its sections each, once for any two sections."""
    random = np.random.default_rng(seed)
    found: list[tuple[int, int]] = []
    for patient, right in product(patients, (False, True)):
        standard = np.array(_leg(clips, patient, right)[0], dtype=np.int64)
        for two in combinations(np.unique(clips.sections[standard]), 2):
            one, other = (int(random.choice(standard[clips.sections[standard] == section])) for section in two)
            found.append((one, other) if random.random() < 1 / 2 else (other, one))
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def _leg(clips: Labelled, patient: int, right: bool) -> tuple[list[int], list[int]]:
    """The standard views of a leg, so many of a section, and its other views."""
    own = (clips.patients == patient) & (clips.right == right)
    standard: list[int] = []
    for section in np.unique(clips.sections[own]):
        standard += np.flatnonzero(own & clips.standard & (clips.sections == section))[-OF_A_SECTION:].tolist()
    return standard, np.flatnonzero(own & ~clips.standard).tolist()


def _apart(clips: Labelled, pairs: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    return (pair for pair in pairs if clips.sections[pair[0]] != clips.sections[pair[1]])


def _some(pairs: Iterator[tuple[int, int]], most: int, random: np.random.Generator) -> Rows:
    """(k, 2) of them, at most so many."""
    every = np.array(list(pairs), dtype=np.int64).reshape(-1, 2)
    return every[np.sort(random.permutation(len(every))[:most])]


def _joined(parts: list[tuple[Rows, bool]]) -> Pairs:
    rows = np.concatenate([np.zeros((0, 2), np.int64), *(rows for rows, _ in parts)])
    same = np.concatenate([np.zeros(0, np.bool_), *(np.full(len(rows), same) for rows, same in parts)])
    return Pairs(rows[:, 0], rows[:, 1], same)
