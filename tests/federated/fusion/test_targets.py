"""What a label says of a column: 1 for itself and what is above it, nothing of what is below it, else 0."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from federated.fusion.targets import FLAT, coarse_labels, targets_of
from federated.hierarchy import granularity
from federated.statistics import from_features
from federated.vocabulary import Concept, Vocabulary, plain_vocabulary

VIEWS = Vocabulary(
    name="views",
    concepts=(
        Concept(code="psax", scheme="s", meaning="short axis"),
        Concept(code="av", scheme="s", meaning="aortic", parents=("psax",)),
        Concept(code="pm", scheme="s", meaning="papillary", parents=("psax",)),
        Concept(code="a4c", scheme="s", meaning="four"),
    ),
)


def test_a_flat_vocabulary_gives_what_needs_no_vocabulary() -> None:
    assert targets_of(plain_vocabulary("flat", ["a", "b", "c"]), ("c", "a")) == FLAT
    assert FLAT.ones_of("a") == ("a",)
    assert FLAT.silences_of("a") == ()
    assert FLAT.coarse == frozenset()


def test_a_level_is_its_view_and_the_view_is_silent_on_its_levels() -> None:
    targets = targets_of(VIEWS, ("psax", "av", "pm", "a4c"))
    assert set(targets.ones_of("psax")) == {"psax", "av", "pm"}
    assert targets.ones_of("av") == ("av",)
    assert {column: targets.silences_of(column) for column in ("psax", "av", "pm", "a4c")} == {
        "psax": (),
        "av": ("psax",),
        "pm": ("psax",),
        "a4c": (),
    }
    assert targets.coarse == {"psax"}
    assert targets.holds({"av", "a4c"}, "psax")
    assert not targets.holds({"psax", "a4c"}, "av")
    assert targets.silent({"two": ("psax", "av"), "one": ("psax",), "none": ("pm",)}, "av") == (
        ("one", "psax"),
        ("two", "psax"),
    )


def test_a_column_that_nobody_holds_changes_nothing() -> None:
    assert targets_of(VIEWS, ("av", "pm", "a4c")) == FLAT
    assert targets_of(VIEWS, ("psax", "a4c")) == FLAT


def test_sums_and_weights_are_those_of_all_labels_that_are_one() -> None:
    rows = np.arange(12.0).reshape(4, 3)
    block = from_features(rows, ["av", "psax", "a4c", "av"], np.array([1.0, 2.0, 3.0, 4.0]), ("psax", "av", "a4c"))
    targets = targets_of(VIEWS, ("psax", "av", "a4c"))
    np.testing.assert_array_equal(targets.sums(block, "psax"), 1 * rows[0] + 2 * rows[1] + 4 * rows[3])
    assert targets.weight(block, "psax") == 7.0
    np.testing.assert_array_equal(targets.sums(block, "av"), 1 * rows[0] + 4 * rows[3])


def test_coarse_labels_are_those_with_something_below_in_the_vocabulary() -> None:
    assert coarse_labels(VIEWS, ("a4c", "psax", "av")) == ("psax",)
    assert coarse_labels(plain_vocabulary("flat", ["a", "b"]), ("a", "b")) == ()


@given(st.lists(st.frozensets(st.integers(0, 6), max_size=3), min_size=2, max_size=8))
def test_no_two_labels_are_silent_on_the_same_concepts(parents: list[frozenset[int]]) -> None:
    """One Gram matrix a coarse label is one a granularity, in any vocabulary; a parent comes before its child."""
    vocabulary = Vocabulary(
        name="any",
        concepts=tuple(
            Concept(
                code=f"c{number}",
                scheme="s",
                meaning="m",
                parents=tuple(f"c{parent}" for parent in sorted(above) if parent < number),
            )
            for number, above in enumerate(parents)
        ),
    )
    silences = [granularity(vocabulary, code, vocabulary.codes) for code in vocabulary.codes]
    assert all(one != other for one, other in combinations([found for found in silences if found], 2))
