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


def test_unknown_label_is_refused_with_the_known_ones() -> None:
    vocabulary = plain_vocabulary("views", ["a4c", "plax"])
    assert vocabulary.require("plax", where="row 3") == "plax"
    with pytest.raises(DataError, match=r"row 3: label 'A4C' is not in the vocabulary 'views' \(a4c, plax\); map it"):
        vocabulary.require("A4C", where="row 3")


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
