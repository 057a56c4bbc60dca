"""From the top of the vocabulary down: probabilities of nested concepts, the way to the best one, and where it is sure.

Columns of a release may lie within each other (PSAX above its levels). Those right below the same one exclude each
other and share one softmax; the probability of a column is that of the one above it times its own among its siblings.
Concepts that are no column but lie above several siblings are derived: their probability is the sum of what is below.

A step down is judged by its margin: by how much the best score below the concept gone to exceeds the best of its
siblings, with nobody silenced. Of a calibration patient whose label tells what would have been right, the score is the
margin of a wrong step, or nothing of a right one; with n such patients

    doubt(m) = (1 + #{wrong steps with a margin >= m}) / (n + 1),

and the step is sure where doubt <= alpha. For a patient who is exchangeable with them, the chance that a step down is
taken and wrong, from a concept that is right, is then at most alpha (split conformal prediction). Where only one
concept lies below, nobody has labelled what else an image could be, and no step is sure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from federated.hierarchy import ancestors, target
from federated.statistics import Array
from federated.vocabulary import Vocabulary

MARGINS = np.linspace(0.0, 1.0, 201)  # of scores that are 0 or 1 where the fit is perfect; the last bin is open
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Tree:
    """How the columns of a release lie within each other.

    Attributes:
        labels: the columns.
        groups: columns that exclude each other, those on top first.
        above: column -> the column right above it, or -1.
        steps: for each column with others below it, and -1, the columns right below, where one may lie right below
            several; outer ones first.
        ways: for each column, the concepts from the top down to it, derived ones among them.
        below: for each concept on a way, its columns that lie right below the column above it (itself, if it is one).
        children: for each concept that a way goes down from, the concepts one step below.
    """

    labels: tuple[str, ...]
    groups: tuple[tuple[int, ...], ...]
    above: tuple[int, ...]
    steps: Mapping[int, tuple[int, ...]]
    ways: tuple[tuple[str, ...], ...]
    below: Mapping[str, tuple[int, ...]]
    children: Mapping[str, tuple[str, ...]]

    @property
    def inner(self) -> tuple[str, ...]:
        """The concepts from which there is more than one way down."""
        return tuple(concept for concept, down in self.children.items() if len(down) > 1)

    def probabilities(self, scores: Array) -> Array:
        """(n, C) scores over the temperature to the probabilities of the columns; nested ones are parts of others."""
        result = np.ones_like(scores)
        for group in self.groups:
            result[:, group] = softmax(_taken(scores, group), axis=1)
            if self.above[group[0]] >= 0:
                result[:, group] *= result[:, [self.above[group[0]]]]
        return result

    def log_probabilities(self, scores: Array) -> Array:
        """The same as logarithms, of (..., C) scores over the temperature."""
        result = np.zeros_like(scores)
        for group in self.groups:
            result[..., group] = log_softmax(_taken(scores, group), axis=-1)
            if self.above[group[0]] >= 0:
                result[..., group] += result[..., [self.above[group[0]]]]
        return result

    def best(self, scores: Array) -> NDArray[np.int64]:
        """(n,) the column that is reached by going down to the largest score among siblings."""
        result = np.full(len(scores), -1)
        for parent, group in self.steps.items():
            here = np.flatnonzero(result == parent)
            result[here] = np.array(group)[_taken(scores[here], group).argmax(axis=1)]
        return result

    def probability(self, concept: str, probabilities: Array) -> float:
        """Of a concept on a way, from the (C,) probabilities of the columns."""
        return float(probabilities[list(self.below[concept])].sum())

    def margins(self, scores: Array, concept: str, down: str) -> Array:
        """(n,) best score below the concept gone down to, minus the best below its siblings; (n, C) scores."""
        others = [column for child in self.children[concept] if child != down for column in self.below[child]]
        return np.asarray(scores[:, list(self.below[down])].max(axis=1) - scores[:, others].max(axis=1))


def _taken(scores: Array, group: Sequence[int]) -> Array:
    return scores if len(group) == scores.shape[-1] else np.take(scores, group, axis=-1)


@lru_cache(32)
def tree_of(vocabulary: Vocabulary, labels: tuple[str, ...]) -> Tree:
    """The tree of a release's columns.

    Where a concept has several parents, the way goes over a column rather than a derived concept, and over first
    parents rather than others. From each column that a column lies right below, it is one of those to choose among.
    """
    over = [[labels.index(code) for code in _columns_above(vocabulary, label, labels)] or [-1] for label in labels]
    above = tuple(parents[0] for parents in over)
    groups: dict[int, list[int]] = {}
    for column, parent in enumerate(above):
        groups.setdefault(parent, []).append(column)
    order = _outer_first(groups)
    derived = {parent: _derived(vocabulary, labels, groups[parent], parent) for parent in order}
    ways = _ways(labels, order, groups, derived)
    below: dict[str, tuple[int, ...]] = {label: (column,) for column, label in enumerate(labels)}
    below |= {concept: tuple(members) for found in derived.values() for concept, members in found.items()}
    nested = [*ways, *((labels[parent], labels[column]) for column, found in enumerate(over) for parent in found[1:])]
    groups_ = tuple(tuple(groups[parent]) for parent in order)
    return Tree(labels, groups_, above, _steps(vocabulary, labels, over), ways, below, _children(nested))


def _steps(vocabulary: Vocabulary, labels: Sequence[str], over: Sequence[Sequence[int]]) -> dict[int, tuple[int, ...]]:
    """Columns right below each, by the columns right above each; no column before one above it."""
    depth = {column: len(ancestors(vocabulary, label).intersection(labels)) for column, label in enumerate(labels)}
    parents = sorted({parent for found in over for parent in found}, key=lambda parent: depth.get(parent, -1))
    return {parent: tuple(column for column, found in enumerate(over) if parent in found) for parent in parents}


def _columns_above(vocabulary: Vocabulary, label: str, labels: Sequence[str]) -> list[str]:
    """The nearest columns above a column, one by first parents before others; none on top."""
    over = ancestors(vocabulary, label).intersection(labels)
    nearest = [code for code in labels if code in over and not any(code in ancestors(vocabulary, x) for x in over)]
    first = _first_parents(vocabulary, label)
    return sorted(nearest, key=lambda code: first.index(code) if code in first else len(first))


def _first_parents(vocabulary: Vocabulary, code: str) -> list[str]:
    parents = {concept.code: concept.parents for concept in vocabulary.concepts}
    chain = []
    while parents[code]:
        code = parents[code][0]
        chain.append(code)
    return chain


def _outer_first(groups: Mapping[int, Sequence[int]]) -> list[int]:
    """Parents of groups, -1 first, each after its own group."""
    order = [-1]
    for parent in order:
        order += [column for column in groups[parent] if column in groups]
    return order


def _derived(vocabulary: Vocabulary, labels: Sequence[str], group: Sequence[int], parent: int) -> dict[str, list[int]]:
    """Concepts that part a group of siblings, largest first: above two of them, not above all, nested or apart.

    Of those above the same siblings the lowest stands for all.
    """
    chosen: dict[str, list[int]] = {}
    for concept in _candidates(vocabulary, labels, group, parent):
        members = [column for column in group if concept in ancestors(vocabulary, labels[column])]
        same = next((code for code, others in chosen.items() if others == members), concept)
        rest = {code: others for code, others in chosen.items() if code != same}
        fits = all(_fits(vocabulary, (concept, members), other) for other in rest.items())
        if fits and (same == concept or same in ancestors(vocabulary, concept)):
            chosen = rest | {concept: members}
    return dict(sorted(chosen.items(), key=lambda item: (-len(item[1]), item[1])))


def _candidates(vocabulary: Vocabulary, labels: Sequence[str], group: Sequence[int], parent: int) -> list[str]:
    """Concepts above several but not all of a group, within the column above it; those by first parents first."""
    over = [ancestors(vocabulary, labels[column]) for column in group]
    fitting = [
        concept.code
        for concept in vocabulary.concepts
        if concept.code not in labels
        and 1 < sum(concept.code in found for found in over) < len(group)
        and (parent < 0 or labels[parent] in ancestors(vocabulary, concept.code))
    ]
    first = {code for column in group for code in _first_parents(vocabulary, labels[column])}
    return sorted(fitting, key=lambda code: code not in first)


def _fits(vocabulary: Vocabulary, one: tuple[str, Sequence[int]], other: tuple[str, Sequence[int]]) -> bool:
    """Whether two concepts are above no column in common, or the one above more of them lies above the other."""
    fewer, more = sorted((one, other), key=lambda item: len(item[1]))
    shared = set(fewer[1]) & set(more[1])
    return not shared or (len(shared) == len(fewer[1]) and more[0] in ancestors(vocabulary, fewer[0]))


def _ways(
    labels: Sequence[str],
    order: Sequence[int],
    groups: Mapping[int, Sequence[int]],
    derived: Mapping[int, Mapping[str, Sequence[int]]],
) -> tuple[tuple[str, ...], ...]:
    ways: dict[int, tuple[str, ...]] = {-1: ()}
    for parent in order:
        for column in groups[parent]:
            between = tuple(concept for concept, members in derived[parent].items() if column in members)
            ways[column] = (*ways[parent], *between, labels[column])
    return tuple(ways[column] for column in range(len(labels)))


def _children(ways: Iterable[Sequence[str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for way in ways:
        for concept, down in pairwise(way):
            found.setdefault(concept, {})[down] = None
    return {concept: tuple(down) for concept, down in found.items()}


def resolves(vocabulary: Vocabulary, tree: Tree, label: str, concept: str) -> bool:
    """Whether a label says which step down from a concept is right."""
    return any(target(vocabulary, label, child) == 1 for child in tree.children[concept])


def count_steps(vocabulary: Vocabulary, tree: Tree, scores: Array, labels: Sequence[str], concept: str) -> Counts:
    """(1 + bins,) right steps down from a concept, then margins of wrong ones; an item that never gets there is none.

    The (n, C) scores are with nobody silenced, one item a patient, whose labels resolve the concept.
    """
    counts = np.zeros(len(MARGINS), dtype=np.int64)
    for row, (column, label) in enumerate(zip(tree.best(scores), labels, strict=True)):
        way = tree.ways[column]
        if concept in way[:-1]:
            down = way[way.index(concept) + 1]
            right = target(vocabulary, label, down) == 1
            counts[0 if right else _bin(float(tree.margins(scores[[row]], concept, down)[0]))] += 1
    return counts


def doubt(margin: float, counts: Counts, alpha: float) -> float | None:
    """Conformal p-value of a step being wrong; None of fewer patients than one under alpha takes."""
    if counts.sum() + 1 < 1 / alpha:
        return None
    if margin <= 0:
        return 1.0  # with nobody silenced the way leads elsewhere
    return float((1 + counts[_bin(margin) :].sum()) / (1 + counts.sum()))


def _bin(margin: float) -> int:
    """Where a wrong step is counted; a shared bin counts as at least as large, which keeps the bound."""
    return int(np.clip(np.searchsorted(MARGINS, margin, side="right"), 1, len(MARGINS) - 1))
