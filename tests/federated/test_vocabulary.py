from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pydicom.sr.codedict import codes as dicom_codes

from federated.errors import DataError
from federated.hierarchy import ancestors, granularity, target
from federated.vocabulary import (
    BUILTIN,
    Concept,
    Vocabulary,
    builtin_vocabulary,
    plain_vocabulary,
    read_vocabulary,
    write_vocabulary,
)
from shared_models.phantom.hospitals import HOSPITALS, label_of
from shared_models.phantom.views import VIEWS

codes = st.lists(
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}", fullmatch=True), min_size=1, unique=True, max_size=9
)
HEART = builtin_vocabulary("heart")
OF_VOLUMES = "398994001"  # the five-chamber view: in DICOM's context group 501, not in 12226
SHORT_AXIS, PAPILLARY, FOUR_CHAMBERS = "399306005", "399271003", "399214001"
TWO_VIEWS = """
name = "two"
[[views]]
name = "PSAX"
code = "1"
scheme = "SCT"
meaning = "short axis"
[[views]]
name = "PM"
code = "2"
scheme = "SCT"
meaning = "papillary"
parents = ["1"]
[[concepts]]
code = "other"
scheme = "local"
meaning = "no heart"
"""
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
        ('name = "v"\nwhen = 2020-01-01\n' + GOOD, "when: is not known here"),
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


def test_a_view_of_a_file_stands_for_three_concepts(tmp_path: Path) -> None:
    path = tmp_path / "v.toml"
    path.write_text(TWO_VIEWS)
    found = read_vocabulary(path)
    assert [(concept.code, concept.scheme, concept.meaning, concept.parents) for concept in found.concepts] == [
        ("1", "SCT", "short axis (PSAX)", ("1+any",)),
        ("2", "SCT", "papillary (PM)", ("2+any", "1")),
        ("1+contrast", "99CONSILIUM", "short axis, with contrast (PSAX+contrast)", ("1+any",)),
        ("2+contrast", "99CONSILIUM", "papillary, with contrast (PM+contrast)", ("2+any", "1+contrast")),
        ("1+any", "99CONSILIUM", "short axis, with or without contrast (PSAX+any)", ()),
        ("2+any", "99CONSILIUM", "papillary, with or without contrast (PM+any)", ("1+any",)),
        ("other", "local", "no heart", ()),
    ]
    assert [(concept.view, concept.contrast) for concept in found.concepts] == [
        *[("", "no")] * 2,
        ("1", "yes"),
        ("2", "yes"),
        ("1", "any"),
        ("2", "any"),
        ("", "no"),
    ]
    write_vocabulary(found, path)  # every concept by itself, so that later ones can be appended
    assert read_vocabulary(path) == found


@pytest.mark.parametrize("name", BUILTIN)
def test_vocabularies_come_with_the_program(name: str, tmp_path: Path) -> None:
    vocabulary = builtin_vocabulary(name)
    assert vocabulary.name == name
    write_vocabulary(vocabulary, tmp_path / "v.toml")
    assert read_vocabulary(tmp_path / "v.toml") == vocabulary


def test_another_is_told_which_there_are() -> None:
    there = "heart, chambers, muscle, lung, breast, digits"
    with pytest.raises(DataError, match=f"no built-in vocabulary 'liver'; there are {there}"):
        builtin_vocabulary("liver")


def test_the_heart_has_all_of_dicoms_image_views() -> None:
    dicom = {(code.scheme_designator, code.value) for code in dicom_codes.cid12226.concepts.values()}
    ours = {(concept.scheme, concept.code) for concept in HEART.concepts if concept.scheme != "99CONSILIUM"}
    assert len(dicom) == 29
    assert ours == dicom | {("SCT", OF_VOLUMES)}
    assert OF_VOLUMES in {code.value for code in dicom_codes.cid501.concepts.values()}


def test_the_chambers_are_dicoms_codes_of_them() -> None:
    snomed = dicom_codes.SCT
    named = (
        snomed.LeftVentricle,
        snomed.LeftVentricleMyocardium,
        snomed.LeftAtrium,
        snomed.RightVentricle,
        snomed.RightAtrium,
        snomed.Aorta,
    )
    assert builtin_vocabulary("chambers").codes == tuple(code.value for code in named)
    short = [concept.meaning.rpartition("(")[2].rstrip(")") for concept in builtin_vocabulary("chambers").concepts]
    assert short == ["LV", "MYO", "LA", "RV", "RA", "AO"]


def test_the_standard_view_of_a_leg_is_a_view_of_its_thigh_and_not_of_the_other() -> None:
    muscle = builtin_vocabulary("muscle")
    assert muscle.codes[0] == dicom_codes.SCT.Thigh.value
    assert target(muscle, "RF-L", "RF") == target(muscle, "RF-L", "THIGH-L") == 1
    assert target(muscle, "RF-L", "THIGH-R") == target(muscle, "RF-L", "RF-R") == 0
    assert target(muscle, "THIGH-L", "RF-L") is None


def test_the_phantoms_views_come_first_and_every_label_of_its_hospitals_is_known() -> None:
    assert HEART.codes[: len(VIEWS)] == tuple(view.code for view in VIEWS.values())
    schemes = {concept.code: concept.scheme for concept in HEART.concepts}
    assert all((schemes[view.code] == "99CONSILIUM") == view.private for view in VIEWS.values())
    taught = {label_of(name) for hospital in HOSPITALS.values() for name in hospital.labels}
    assert taught < set(HEART.codes)
    assert {label: granularity(HEART, label, taught) for label in taught} == dict.fromkeys(taught, frozenset())


def test_a_view_and_contrast_are_told_apart() -> None:
    filled, either = f"{FOUR_CHAMBERS}+contrast", f"{FOUR_CHAMBERS}+any"
    assert target(HEART, FOUR_CHAMBERS, filled) == 0
    assert target(HEART, filled, either) == target(HEART, FOUR_CHAMBERS, either) == 1
    assert target(HEART, either, filled) is target(HEART, either, FOUR_CHAMBERS) is None


def test_the_short_axis_says_nothing_of_its_levels_and_excludes_contrast() -> None:
    assert target(HEART, PAPILLARY, SHORT_AXIS) == 1
    assert target(HEART, SHORT_AXIS, PAPILLARY) is None
    assert target(HEART, SHORT_AXIS, f"{PAPILLARY}+contrast") == 0
    assert target(HEART, f"{PAPILLARY}+contrast", f"{SHORT_AXIS}+contrast") == 1
    levels = {"399239005", "399036006", PAPILLARY, "399371001", "PSAX-APEX"}
    plain = {concept.code for concept in HEART.concepts if concept.contrast == "no"}
    assert granularity(HEART, SHORT_AXIS, plain) == levels


def test_the_first_parent_leaves_contrast_open() -> None:
    for concept in HEART.concepts:
        if concept.contrast != "any":
            assert concept.parents[0] == f"{concept.view or concept.code}+any"


def test_what_a_word_of_the_right_ventricle_may_mean_lies_below_it() -> None:
    below = {"398998003", "399195005", "443082005", "443083000", "130681", "130682"}
    assert {concept.code for concept in HEART.concepts if "RV" in ancestors(HEART, concept.code)} == below


def test_a_lungs_disorders_lie_as_in_snomed_ct() -> None:
    lung = builtin_vocabulary("lung")
    assert ancestors(lung, "882784691000119100") == {"75570004", "233604007"}
    assert target(lung, "53084003", "75570004") == target(lung, "healthy", "233604007") == 0


def test_the_page_lists_the_views_of_the_heart() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "vocabulary.md").read_text()
    assert "\n".join(_table()) in page


def _table() -> list[str]:
    """What `docs/vocabulary.md` shows of the heart: a line a view; contrast is no matter of the view."""
    plain = [concept for concept in HEART.concepts if concept.contrast == "no"]
    names = {concept.code: concept.meaning.rpartition("(")[2].rstrip(")") for concept in plain}
    lines = ["| name | view | scheme | code | is a kind of |", "|---|---|---|---|---|"]
    for concept in plain:
        words, above = concept.meaning.rpartition(" (")[0], ", ".join(names[code] for code in concept.parents[1:])
        lines.append(f"| {names[concept.code]} | {words} | {concept.scheme} | {concept.code} | {above} |")
    return lines
