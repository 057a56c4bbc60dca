"""A hospital's words and the concepts that they stand for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from federated.errors import DataError
from federated.hierarchy import ancestors
from federated.label_map import LabelMap, Line, read_label_map, write_label_map
from federated.vocabulary import Concept, Vocabulary, builtin_vocabulary, plain_vocabulary

HEART = builtin_vocabulary("heart")
FOUR_CHAMBERS, PAPILLARY, SHORT_AXIS = "399214001", "399271003", "399306005"
GOOD = 'version = 1\n[[lines]]\nword = "4CH"\ncode = "399214001"\nrelation = "same"\n'


def same(word: str, code: str) -> Line:
    return Line(word=word, code=code, relation="same")


def one(word: str, code: str, relation: str) -> LabelMap:
    return LabelMap.model_validate({"version": 1, "lines": ({"word": word, "code": code, "relation": relation},)})


@pytest.mark.parametrize("relation", ["same", "narrower"])
def test_a_word_that_says_as_much_or_more_is_the_concept(relation: str) -> None:
    assert one("4CH", FOUR_CHAMBERS, relation).code_for("4CH", HEART) == FOUR_CHAMBERS


@pytest.mark.parametrize(
    ("code", "wider"),
    [
        (PAPILLARY, f"{SHORT_AXIS}+any"),  # in the level, in the contrast, or both
        (f"{PAPILLARY}+any", f"{SHORT_AXIS}+any"),
        (SHORT_AXIS, f"{SHORT_AXIS}+any"),
        ("399310008", "SC+any"),
        ("443609003", "399200001+any"),
    ],
)
def test_a_word_that_says_less_is_the_nearest_concept_above_all_parents(code: str, wider: str) -> None:
    assert one("PS", code, "broader").code_for("PS", HEART) == wider


@pytest.mark.parametrize("concept", HEART.concepts, ids=lambda concept: concept.code)
def test_a_word_that_says_less_never_excludes_what_it_may_mean(concept: Concept) -> None:
    try:
        found = one("word", concept.code, "broader").code_for("word", HEART)
    except DataError as error:
        assert "no one concept lies above" in error.what  # noqa: PT017
        return
    assert all(parent == found or found in ancestors(HEART, parent) for parent in concept.parents)


def test_where_nothing_is_wide_enough_the_candidates_are_named() -> None:
    with pytest.raises(DataError) as refusal:
        one("RV view", "130681", "broader").code_for("RV view", HEART)
    said = str(refusal.value)
    assert said.startswith("line of 'RV view': no one concept lies above '130681'; name what is meant, and say that it")
    assert "; 399214001 = apical four-chamber (A4C); RV = right ventricle" in said
    with pytest.raises(DataError, match=r"no one concept lies above 'a'; name a wider concept"):
        one("A", "a", "broader").code_for("A", plain_vocabulary("v", ["a"]))


def test_a_word_that_is_a_code_needs_no_line() -> None:
    assert LabelMap().code_for(f" {FOUR_CHAMBERS} ", HEART) == FOUR_CHAMBERS
    assert one(FOUR_CHAMBERS, PAPILLARY, "same").code_for(FOUR_CHAMBERS, HEART) == PAPILLARY


@pytest.mark.parametrize("word", ["4CH", "4ch", " 4Ch\t"])
def test_case_and_space_around_a_word_do_not_count(word: str) -> None:
    assert one("4Ch ", FOUR_CHAMBERS, "same").code_for(word, HEART) == FOUR_CHAMBERS


def test_an_unknown_word_is_refused_with_the_nearest_concepts_and_what_to_do() -> None:
    with pytest.raises(DataError) as refusal:
        LabelMap().code_for("Apical 4 chamber", HEART)
    said = str(refusal.value)
    assert said.startswith("label 'Apical 4 chamber' is not in the vocabulary 'heart'; nearest are 399214001 = apical ")
    assert "consilium site labels FILE" in said
    assert len(said.splitlines()) == 1


def test_lines_of_a_format_are_used_for_words_without_a_line() -> None:
    own = one("4CH", f"{FOUR_CHAMBERS}+any", "same")
    both = own.merged([("4ch", FOUR_CHAMBERS, "same"), ("2CH", "399232001", "same")])
    assert both.code_for("4CH", HEART) == f"{FOUR_CHAMBERS}+any"
    assert both.code_for("2ch", HEART) == "399232001"
    assert own.merged([("4ch", FOUR_CHAMBERS, "same")]) == own
    assert LabelMap().merged([("2CH", "399232001", "same")]).version == 1


def test_a_format_for_another_vocabulary_does_not_hide_a_code() -> None:
    plain = plain_vocabulary("v", ["2CH"])
    assert LabelMap().merged([("2CH", "399232001", "same")]).code_for("2CH", plain) == "2CH"


def test_the_digest_is_of_what_the_words_stand_for() -> None:
    first = LabelMap(version=1, lines=(same("a", "1"), same("b", "2")))
    assert first.digest == LabelMap(version=3, lines=(same("B", "2"), same("A ", "1"))).digest
    noted = Line(word="a", code="1", relation="same", note="asked the head of department")
    assert first.digest == LabelMap(version=1, lines=(noted, same("b", "2"))).digest
    assert first.digest != LabelMap(version=1, lines=(same("a", "1"), same("b", "3"))).digest
    assert first.digest != LabelMap(version=1, lines=(same("a", "1"),)).digest


@given(
    words=st.dictionaries(st.from_regex(r"[a-z][a-z 0-9'\"\\=#]{0,20}[a-z]", fullmatch=True), st.sampled_from("abc"))
)
def test_a_file_holds_the_map(words: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> None:
    lines = tuple(Line(word=word, code=code, relation="narrower", note=word) for word, code in words.items())
    path = tmp_path_factory.mktemp("map") / "labels.toml"
    written = LabelMap(version=4, lines=lines)
    write_label_map(written, path)
    assert read_label_map(path, plain_vocabulary("v", ["a", "b", "c"])) == written


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("version =", "cannot be read"),
        ("version = -1", "version"),
        (GOOD.replace("version = 1", ""), "version must be 1 or more"),
        (GOOD.replace('relation = "same"', ""), "lines.0.relation: is missing"),
        (GOOD.replace("same", "like"), "'same', 'narrower' or 'broader'"),
        (GOOD + '[[lines]]\nword = "4ch "\ncode = "399232001"\nrelation = "same"\n', "the word '4ch' has two lines"),
        (GOOD.replace("4CH", " "), "lines.0.word"),
        (GOOD.replace("4CH", r"4\nCH"), "lines.0.word: '4.CH' has the wrong form"),
        (
            GOOD.replace("399214001", "39921400"),
            "line of '4CH': '39921400' is no concept of the vocabulary 'heart'; ne",
        ),
        (GOOD.replace("399214001", "SC+any").replace("same", "broader"), "no one concept lies above 'SC.any'"),
    ],
)
def test_a_wrong_file_is_one_line(text: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.toml"
    path.write_text(text)
    with pytest.raises(DataError, match=reason) as refusal:
        read_label_map(path, HEART)
    assert str(refusal.value).startswith(str(path))
    assert "\n" not in str(refusal.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labels\.toml: cannot be read"):
        read_label_map(tmp_path / "labels.toml", HEART)


def test_a_map_with_lines_has_a_version() -> None:
    with pytest.raises(ValidationError, match="version must be 1 or more"):
        LabelMap(lines=(same("a", "1"),))


def test_a_line_of_the_site_with_an_unknown_code_is_refused_even_where_its_word_is_a_code() -> None:
    vocabulary = Vocabulary(name="v", concepts=plain_vocabulary("v", ["a"]).concepts)
    with pytest.raises(DataError, match="'x' is no concept"):
        one("a", "x", "same").check(vocabulary)
