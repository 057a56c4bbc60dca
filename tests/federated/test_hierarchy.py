"""What a label says of other concepts, on trees and on concepts with several parents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.errors import DataError
from federated.hierarchy import ancestors, descendants, granularity, nearest_above, target
from federated.vocabulary import Concept, Vocabulary, plain_vocabulary


def vocabulary(parents: dict[str, tuple[str, ...]]) -> Vocabulary:
    concepts = (Concept(code=code, scheme="local", meaning=code, parents=above) for code, above in parents.items())
    return Vocabulary(name="v", concepts=tuple(concepts))


@st.composite
def graphs(draw: st.DrawFn) -> Vocabulary:
    """Up to nine concepts without a cycle, listed in any order."""
    codes = [f"c{number}" for number in range(draw(st.integers(1, 9)))]
    above = {code: tuple(draw(st.sets(st.sampled_from(codes[:n])))) if n else () for n, code in enumerate(codes)}
    order = draw(st.permutations(codes))
    return vocabulary({code: above[code] for code in order})


TREE = vocabulary({"psax": (), "av": ("psax",), "pm": ("psax",), "apical": (), "a4c": ("apical",), "alone": ()})
# an image is a level of the short axis, with contrast or without
CROSSED = vocabulary({"psax": (), "filled": (), "pm": ("psax",), "pm+contrast": ("pm", "filled"), "a4c": ()})


def test_a_tree_by_hand() -> None:
    assert ancestors(TREE, "pm") == {"psax"}
    assert descendants(TREE, "psax") == {"av", "pm"}
    said = {code: target(TREE, "psax", code) for code in TREE.codes}
    assert said == {"psax": 1, "av": None, "pm": None, "apical": 0, "a4c": 0, "alone": 0}
    assert {code: target(TREE, "pm", code) for code in TREE.codes} == {
        "psax": 1,
        "av": 0,
        "pm": 1,
        "apical": 0,
        "a4c": 0,
        "alone": 0,
    }


def test_two_concepts_with_a_common_descendant_do_not_exclude_each_other() -> None:
    assert target(CROSSED, "pm", "filled") is None
    assert target(CROSSED, "filled", "psax") is None
    assert target(CROSSED, "pm+contrast", "filled") == target(CROSSED, "pm+contrast", "psax") == 1
    assert target(CROSSED, "filled", "a4c") == 0


def test_labels_of_one_granularity() -> None:
    assert granularity(TREE, "psax", TREE.codes) == {"av", "pm"}
    assert granularity(TREE, "psax", ("pm", "a4c")) == {"pm"}
    assert granularity(TREE, "pm", TREE.codes) == granularity(TREE, "a4c", TREE.codes) == frozenset()


def test_what_is_nearest_above_several_concepts() -> None:
    assert nearest_above(TREE, ["av", "pm"]) == nearest_above(TREE, ["av", "psax"]) == "psax"
    assert nearest_above(TREE, ["pm"]) == "pm"
    assert nearest_above(TREE, ["pm", "a4c"]) is nearest_above(TREE, []) is None
    two_tops = vocabulary({"a": (), "b": (), "c": ("a", "b"), "d": ("a", "b")})
    assert nearest_above(two_tops, ["c", "d"]) is None


def test_an_unknown_concept_is_refused() -> None:
    with pytest.raises(DataError, match="PLAX: is no concept of the vocabulary 'v'"):
        target(TREE, "pm", "PLAX")
    with pytest.raises(DataError, match="PLAX: is no concept"):
        ancestors(TREE, "PLAX")


@given(graphs())
def test_above_and_below_are_each_others_inverse(graph: Vocabulary) -> None:
    for code in graph.codes:
        assert code not in ancestors(graph, code)
        assert {other for other in graph.codes if code in ancestors(graph, other)} == descendants(graph, code)
        for parent in ancestors(graph, code):
            assert ancestors(graph, parent) < ancestors(graph, code)


@given(graphs(), st.data())
def test_a_label_and_a_concept_see_each_other_alike(graph: Vocabulary, data: st.DataObject) -> None:
    label, concept = (data.draw(st.sampled_from(graph.codes)) for _ in range(2))
    there, back = target(graph, label, concept), target(graph, concept, label)
    assert (there == 0) == (back == 0)
    if there == 1 and label != concept:
        assert back is None
    if there == back == 1:
        assert label == concept


@given(graphs(), st.data())
def test_what_holds_of_a_label_holds_of_everything_below_it(graph: Vocabulary, data: st.DataObject) -> None:
    """Knowing more never takes back what was known."""
    label, concept = (data.draw(st.sampled_from(graph.codes)) for _ in range(2))
    said = target(graph, label, concept)
    for below in descendants(graph, label):
        assert said is None or target(graph, below, concept) == said


@given(graphs())
def test_a_concept_excludes_another_where_no_image_can_be_both(graph: Vocabulary) -> None:
    """By definition: an image is one concept and everything above it."""
    images = [{code} | ancestors(graph, code) for code in graph.codes]
    for label in graph.codes:
        for concept in graph.codes:
            holds = {concept in image for image in images if label in image}
            expected = None if holds == {True, False} else int(holds == {True})
            assert target(graph, label, concept) == expected


@given(graphs(), st.data())
def test_the_nearest_above_is_above_all_and_below_all_others_that_are(graph: Vocabulary, data: st.DataObject) -> None:
    codes = data.draw(st.lists(st.sampled_from(graph.codes), min_size=1, max_size=3))
    above = {concept for concept in graph.codes if all(target(graph, code, concept) == 1 for code in codes)}
    least = [concept for concept in above if all(target(graph, concept, other) == 1 for other in above)]
    assert nearest_above(graph, codes) == (least[0] if least else None)


@given(st.lists(st.integers(0, 99), min_size=1, max_size=9, unique=True))
def test_a_flat_list_is_never_silent(numbers: list[int]) -> None:
    flat = plain_vocabulary("v", [f"l{number}" for number in numbers])
    for label in flat.codes:
        assert granularity(flat, label, flat.codes) == frozenset()
        assert [target(flat, label, concept) for concept in flat.codes].count(1) == 1
