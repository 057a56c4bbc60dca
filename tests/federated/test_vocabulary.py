from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from federated.errors import DataError
from federated.vocabulary import Concept, Vocabulary, plain_vocabulary, read_vocabulary, write_vocabulary

codes = st.lists(
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}", fullmatch=True), min_size=1, unique=True, max_size=9
)
GOOD = '[[concepts]]\ncode = "a4c"\nscheme = "local"\nmeaning = "apical four chamber"\n'


def family(parents: dict[str, tuple[str, ...]]) -> Vocabulary:
    concepts = (Concept(code=code, scheme="local", meaning=code, parents=above) for code, above in parents.items())
    return Vocabulary(name="family", concepts=tuple(concepts))


def parents_of(vocabulary: Vocabulary) -> dict[str, tuple[str, ...]]:
    return {concept.code: concept.parents for concept in vocabulary.concepts}


@given(labels=codes)
def test_file_holds_the_vocabulary(labels: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("vocabulary") / "v.toml"
    vocabulary = plain_vocabulary("views", labels)
    write_vocabulary(vocabulary, path)
    assert read_vocabulary(path) == vocabulary
    assert read_vocabulary(path).codes == tuple(labels)


@given(codes, codes)
def test_a_later_version_only_appends(first: list[str], more: list[str]) -> None:
    longer = [*first, *(code for code in more if code not in first)]
    assert plain_vocabulary("v", longer).extends(plain_vocabulary("v", first))
    assert plain_vocabulary("v", first).extends(plain_vocabulary("v", longer)) == (longer == first)


def test_changed_meaning_is_no_extension() -> None:
    old = plain_vocabulary("v", ["a", "b"])
    new = Vocabulary(name="v", concepts=(Concept(code="a", scheme="local", meaning="other"), *old.concepts[1:]))
    assert not new.extends(old)


def test_a_new_concept_changes_nothing_of_what_old_labels_said() -> None:
    old = family({"psax": (), "a4c": (), "filled": (), "pm": ("psax",)})
    level = family({**parents_of(old), "av": ("psax",)})
    assert level.extends(old)
    assert not old.extends(level)
    for above in (("psax", "a4c"), ("pm", "filled")):  # until then an image could not be both
        assert not family({**parents_of(old), "new": above}).extends(old)
    assert not family({**parents_of(old), "low": ("pm",), "lower": ("low", "filled")}).extends(old)
    crossed = family({**parents_of(old), "pm+contrast": ("pm", "filled")})
    assert family({**parents_of(crossed), "other": ("pm", "filled")}).extends(crossed)


def test_unknown_label_is_refused_with_the_nearest_three() -> None:
    vocabulary = plain_vocabulary("views", ["sub", "a4c", "plax", "a2c"])
    assert vocabulary.require("plax", where="row 3") == "plax"
    line = (
        "row 3: label 'A4Ch' is not in the vocabulary 'views'; nearest are a4c = a4c; a2c = a2c; plax = plax; map it "
        "in the site's labels.toml (consilium site labels FILE), or the coordinator appends it and the next release "
        "brings it"
    )
    with pytest.raises(DataError) as refusal:
        vocabulary.require("A4Ch", where="row 3")
    assert str(refusal.value) == line


@pytest.mark.parametrize("word", ["four chamber apical", "A4C", " a4c ", "399214", "Apical 4-chamber (A4C)"])
def test_the_nearest_is_found_by_code_meaning_and_short_name(word: str) -> None:
    meanings = {"399139001": "parasternal long axis (PLAX)", "399214001": "apical four-chamber (A4C)"}
    concepts = (Concept(code=code, scheme="SCT", meaning=meaning) for code, meaning in meanings.items())
    assert Vocabulary(name="v", concepts=tuple(concepts)).nearest(word)[0].code == "399214001"


def test_a_code_has_a_meaning() -> None:
    assert plain_vocabulary("v", ["a"]).meaning("a") == "a"
    with pytest.raises(DataError, match="'b' is not in the vocabulary"):
        plain_vocabulary("v", ["a"]).meaning("b")


@pytest.mark.parametrize(
    ("parents", "reason"),
    [
        ({"pm": ("psax",)}, "'pm' has the parent or view 'psax', which is no concept"),
        ({"psax": (), "pm": ("psax", "psax")}, "'pm' names a parent twice"),
        ({"pm": ("pm",)}, "lie above themselves: pm, pm"),
        ({"a": ("b",), "b": ("c",), "c": ("a",)}, "lie above themselves: "),
    ],
)
def test_parents_are_concepts_and_go_up(parents: dict[str, tuple[str, ...]], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        family(parents)


def test_a_view_is_a_concept_of_the_vocabulary() -> None:
    filled = Concept(code="a4c+contrast", scheme="local", meaning="filled", view="a4c", contrast="yes")
    with pytest.raises(ValidationError, match="the parent or view 'a4c', which is no concept"):
        Vocabulary(name="v", concepts=(filled,))


def test_parents_may_come_after_their_children() -> None:
    assert family({"pm": ("psax",), "psax": ()}).codes == ("pm", "psax")


def test_equal_vocabularies_have_one_hash() -> None:
    assert len({plain_vocabulary("v", ["a", "b"]), plain_vocabulary("v", ["a", "b"])}) == 1
    assert len({plain_vocabulary("v", ["a", "b"]), plain_vocabulary("v", ["b", "a"])}) == 2


def test_a_code_occurs_once() -> None:
    with pytest.raises(ValidationError, match="a code occurs twice"):
        plain_vocabulary("v", ["a", "a"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name = ", "cannot be read"),
        ('name = "v"', "concepts"),
        ('name = "v"\nconcepts = []', "concepts"),
        ('name = "v"\nconcepts = 5', "concepts"),
        ('name = "v"\nconcepts = [1]', "concepts"),
        ('name = "v"\nextra = 1\n' + GOOD, "extra"),
        ('name = "v"\n' + GOOD + GOOD, "occurs twice"),
        ('name = "v"\n' + GOOD.replace("a4c", "a c"), "code"),
        ('name = "v"\nwhen = 2020-01-01\n' + GOOD, "cannot be read"),
    ],
)
def test_a_wrong_file_is_one_line(text: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "v.toml"
    path.write_text(text)
    with pytest.raises(DataError, match=reason) as refusal:
        read_vocabulary(path)
    assert str(path) in str(refusal.value)


def test_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_vocabulary(tmp_path / "missing.toml")
