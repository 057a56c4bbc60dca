"""Which concepts of a vocabulary lie above which: what a label says of every other concept, and where it is silent.

A concept may have several parents. Two concepts with a common descendant do not exclude each other: an image of that
descendant is an image of both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Literal

from federated.errors import DataError

if TYPE_CHECKING:
    from federated.vocabulary import Vocabulary

VOCABULARIES = 32  # kept worked out at a time


def ancestors(vocabulary: Vocabulary, code: str) -> frozenset[str]:
    """Everything above a concept, itself not counted.

    Raises:
        DataError: the vocabulary has no such concept.
    """
    return _known(_above(vocabulary), vocabulary, code)


def descendants(vocabulary: Vocabulary, code: str) -> frozenset[str]:
    """Everything below a concept, itself not counted.

    Raises:
        DataError: the vocabulary has no such concept.
    """
    return _known(_below(vocabulary), vocabulary, code)


def target(vocabulary: Vocabulary, label: str, concept: str) -> Literal[0, 1] | None:
    """What an image's label says of a concept.

    Returns:
        1: the concept is the label or above it. 0: the two exclude each other. None: the label is silent, since the
        concept is below it, or beside it with something below both.

    Raises:
        DataError: the vocabulary does not have them.
    """
    if label == concept or concept in ancestors(vocabulary, label):
        return 1
    below = descendants(vocabulary, concept)
    if concept in descendants(vocabulary, label) or not below.isdisjoint(descendants(vocabulary, label)):
        return None
    return 0


def granularity(vocabulary: Vocabulary, label: str, codes: Iterable[str]) -> frozenset[str]:
    """The concepts among `codes` on which a label is silent; labels with the same ones share one Gram matrix.

    Raises:
        DataError: the vocabulary does not have them.
    """
    return frozenset(code for code in codes if target(vocabulary, label, code) is None)


def nearest_above(vocabulary: Vocabulary, codes: Iterable[str]) -> str | None:
    """The one concept that all of these are, or lie below, and that lies below every other such; None without one.

    Raises:
        DataError: the vocabulary does not have them.
    """
    shared = [ancestors(vocabulary, code) | {code} for code in codes]
    common = frozenset.intersection(*shared) if shared else frozenset()
    return next((code for code in common if common <= ancestors(vocabulary, code) | {code}), None)


def _known(table: Mapping[str, frozenset[str]], vocabulary: Vocabulary, code: str) -> frozenset[str]:
    if code not in table:
        raise DataError(f"is no concept of the vocabulary '{vocabulary.name}'", where=code)
    return table[code]


@lru_cache(VOCABULARIES)
def _above(vocabulary: Vocabulary) -> Mapping[str, frozenset[str]]:
    return closure({concept.code: concept.parents for concept in vocabulary.concepts})


@lru_cache(VOCABULARIES)
def _below(vocabulary: Vocabulary) -> Mapping[str, frozenset[str]]:
    above = _above(vocabulary)
    return {code: frozenset(other for other in above if code in above[other]) for code in above}


def closure(parents: Mapping[str, Iterable[str]]) -> Mapping[str, frozenset[str]]:
    """Each concept with everything above it.

    Raises:
        graphlib.CycleError: a concept lies above itself.
    """
    above: dict[str, frozenset[str]] = {}
    for code in TopologicalSorter(parents).static_order():  # parents before children
        own = frozenset(parents[code])
        above[code] = own.union(*(above[parent] for parent in own))
    return above
