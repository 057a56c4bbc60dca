"""Down the vocabulary: nested columns share their parent's probability, and a step is taken where it is sure."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax

from federated.descent import MARGINS, count_steps, doubt, resolves, tree_of
from federated.hierarchy import ancestors
from federated.vocabulary import Concept, Vocabulary, builtin_vocabulary, plain_vocabulary


def _views(**parents: tuple[str, ...]) -> Vocabulary:
    """Concepts with these parents, in this order."""
    concepts = (Concept(code=code, scheme="s", meaning=code, parents=above) for code, above in parents.items())
    return Vocabulary(name="views", concepts=tuple(concepts))


HEART = _views(sax=(), av=("sax",), pm=("sax",), lax=(), a2=(), a4=())
CONTRAST = _views(
    psax_any=(),
    psax=("psax_any",),
    av_any=("psax_any",),
    av=("av_any", "psax"),
    pm=("psax",),
    a4_any=(),
    a4=("a4_any",),
    a4c=("a4_any",),
)


def test_a_flat_vocabulary_is_one_softmax_to_the_last_digit() -> None:
    tree = tree_of(plain_vocabulary("flat", list("abc")), ("a", "b", "c"))
    scores = np.random.default_rng(0).normal(size=(7, 3))
    assert tree.groups == ((0, 1, 2),)
    assert tree.ways == (("a",), ("b",), ("c",))
    assert tree.inner == ()
    assert np.array_equal(tree.probabilities(scores), softmax(scores, axis=1))
    assert np.array_equal(tree.log_probabilities(scores[None]), log_softmax(scores[None], axis=2))
    assert np.array_equal(tree.best(scores), scores.argmax(axis=1))


def test_the_probability_of_a_level_is_a_part_of_its_views() -> None:
    tree = tree_of(HEART, ("sax", "av", "pm", "a4"))
    scores = np.log([[6.0, 1.0, 3.0, 2.0]])
    np.testing.assert_allclose(tree.probabilities(scores), [[0.75, 0.75 / 4, 0.75 * 3 / 4, 0.25]])
    np.testing.assert_allclose(np.exp(tree.log_probabilities(scores)), tree.probabilities(scores))
    assert tree.labels[tree.best(scores)[0]] == "pm"
    assert tree.ways[2] == ("sax", "pm")


def test_the_way_goes_by_the_view_even_where_a_level_elsewhere_has_the_larger_score() -> None:
    tree = tree_of(HEART, ("sax", "av", "pm", "a4"))
    assert tree.labels[tree.best(np.array([[0.2, 0.9, 0.1, 0.5]]))[0]] == "a4"
    assert tree.labels[tree.best(np.array([[0.6, 0.1, 0.0, 0.5]]))[0]] == "av"


def test_a_view_that_nobody_holds_is_the_sum_of_its_levels_and_changes_no_answer() -> None:
    tree = tree_of(HEART, ("av", "pm", "a2"))
    assert tree.groups == ((0, 1, 2),)
    assert tree.ways == (("sax", "av"), ("sax", "pm"), ("a2",))
    scores = np.log([[3.0, 3.0, 4.0]])
    assert tree.probability("sax", tree.probabilities(scores)[0]) == pytest.approx(0.6)
    assert tree.labels[tree.best(scores)[0]] == "a2"


def test_concepts_above_one_or_all_say_nothing() -> None:
    assert tree_of(HEART, ("av", "a2")).ways == (("av",), ("a2",))
    assert tree_of(HEART, ("av", "pm")).ways == (("av",), ("pm",))
    assert tree_of(HEART, ("sax", "av", "pm")).ways == (("sax",), ("sax", "av"), ("sax", "pm"))


def test_of_concepts_above_the_same_siblings_the_lowest_counts() -> None:
    """Short axis with contrast left open, and without contrast, lie above the same two levels."""
    tree = tree_of(CONTRAST, ("av", "pm", "a4", "a4c"))
    assert tree.ways == (("psax", "av"), ("psax", "pm"), ("a4_any", "a4"), ("a4_any", "a4c"))
    assert tree.children == {"psax": ("av", "pm"), "a4_any": ("a4", "a4c")}


def test_a_level_under_two_columns_is_reached_from_either() -> None:
    """Of an image of av both psax and av_any are true: whichever scores more, the answer is av, not pm."""
    tree = tree_of(CONTRAST, ("psax", "av_any", "av", "pm"))
    assert tree.ways[2:] == (("av_any", "av"), ("psax", "pm"))
    assert tree.best(np.array([[1.0, 0.9, 1.0, 0.0], [0.9, 1.0, 1.0, 0.0], [1.0, 0.0, 0.0, 1.0]])).tolist() == [2, 2, 3]
    assert tree.children["psax"] == ("pm", "av")
    assert "psax" in tree.inner
    assert tree.margins(np.array([[1.0, 0.0, 0.25, 1.0]]), "psax", "pm").tolist() == [0.75]
    assert resolves(CONTRAST, tree, "av", "psax")


def test_the_nearest_column_above_counts_by_whatever_parent() -> None:
    assert tree_of(CONTRAST, ("psax", "av", "pm", "a4")).ways[:3] == (("psax",), ("psax", "av"), ("psax", "pm"))
    assert tree_of(CONTRAST, ("psax_any", "psax", "av", "a4")).ways[2] == ("psax_any", "psax", "av")


def test_derived_concepts_do_not_cross() -> None:
    crossed = _views(
        a_any=(),
        b_any=(),
        no=(),
        yes=(),
        a=("a_any", "no"),
        ac=("a_any", "yes"),
        b=("b_any", "no"),
        bc=("b_any", "yes"),
        x=(),
    )
    tree = tree_of(crossed, ("a", "ac", "b", "bc", "x"))
    assert tree.ways == (("a_any", "a"), ("a_any", "ac"), ("b_any", "b"), ("b_any", "bc"), ("x",))


@given(st.lists(st.floats(-3, 3), min_size=6, max_size=6))
def test_siblings_and_what_is_apart_add_up(values: list[float]) -> None:
    tree = tree_of(HEART, HEART.codes)
    (found,) = tree.probabilities(np.array([values]))
    at = dict(zip(tree.labels, found, strict=True))
    assert at["sax"] + at["lax"] + at["a2"] + at["a4"] == pytest.approx(1.0)
    assert at["av"] + at["pm"] == pytest.approx(at["sax"])


def test_steps_are_counted_by_margin_where_the_label_tells() -> None:
    tree = tree_of(HEART, ("sax", "av", "pm", "a4"))
    scores = np.array(
        [
            [1.0, 0.8, 0.2, 0.0],  # right
            [1.0, 0.5, 0.2, 0.0],  # wrong by 0.3
            [0.0, 0.9, 0.1, 1.0],  # never gets to the short axis
        ]
    )
    assert [resolves(HEART, tree, label, "sax") for label in ("av", "pm", "sax", "a4")] == [True, True, False, False]
    counts = count_steps(HEART, tree, scores, ["av", "pm", "av"], "sax")
    assert counts.sum() == 2
    assert counts[0] == 1
    assert counts[int(np.searchsorted(MARGINS, 0.3, side="right"))] == 1


def test_from_a_concept_with_one_below_there_is_nothing_to_count() -> None:
    tree = tree_of(HEART, ("sax", "av", "a4"))
    assert tree.ways[1] == ("sax", "av")
    assert tree.inner == ()


def test_doubt_is_the_conformal_p_value() -> None:
    counts = np.zeros(len(MARGINS), dtype=np.int64)
    counts[0], counts[10], counts[100] = 17, 2, 1  # margins 0.045 to 0.05, and 0.495 to 0.5
    assert doubt(0.01, counts, 0.05) == pytest.approx(4 / 21)
    assert doubt(0.2, counts, 0.05) == pytest.approx(2 / 21)
    assert doubt(0.497, counts, 0.05) == pytest.approx(2 / 21)  # a shared bin counts
    assert doubt(0.6, counts, 0.05) == pytest.approx(1 / 21)
    assert doubt(-0.1, counts, 0.05) == 1.0
    assert doubt(0.6, counts, 0.04) is None


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), alpha=st.sampled_from([0.05, 0.1, 0.2]), wrong=st.floats(0.05, 0.6))
def test_a_wrong_step_is_taken_at_most_as_often_as_alpha(seed: int, alpha: float, wrong: float) -> None:
    """Over many draws of calibration patients and one new patient each."""
    rng = np.random.default_rng(seed)
    taken, draws, patients = 0, 400, 39
    for _ in range(draws):
        margins = np.where(rng.random(patients + 1) < wrong, rng.exponential(0.2, patients + 1), -1.0)
        counts = np.zeros(len(MARGINS), dtype=np.int64)
        for margin in margins[:-1]:
            counts[0 if margin < 0 else min(int(np.searchsorted(MARGINS, margin, side="right")), 200)] += 1
        found = doubt(float(margins[-1]), counts, alpha)
        taken += margins[-1] > 0 and found is not None and found <= alpha
    assert taken / draws <= alpha + 4 * np.sqrt(alpha / draws)


@settings(deadline=None, max_examples=60)
@given(st.sets(st.sampled_from(builtin_vocabulary("heart").codes), min_size=1, max_size=14))
def test_every_step_of_a_way_is_below_the_one_before_and_the_steps_from_a_concept_part_its_columns(
    found: set[str],
) -> None:
    vocabulary = builtin_vocabulary("heart")
    labels = tuple(code for code in vocabulary.codes if code in found)
    tree = tree_of(vocabulary, labels)
    for way in tree.ways:
        assert all(above in ancestors(vocabulary, below) for above, below in pairwise(way))
    for concept in set(tree.children) - found:
        parts = [column for child in tree.children[concept] for column in tree.below[child]]
        assert sorted(parts) == sorted(tree.below[concept])


def test_a_derived_concept_leads_to_no_other_that_lies_beside_it() -> None:
    """Both are above p, the one above more columns than the other, and neither above the other."""
    crossed = _views(wide=(), narrow=(), p=("wide", "narrow"), q=("wide", "narrow"), r=("wide",), z=())
    tree = tree_of(crossed, ("p", "q", "r", "z"))
    assert tree.ways == (("wide", "p"), ("wide", "q"), ("wide", "r"), ("z",))
