"""SVG is whole XML whatever words it is given, and names itself."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from federated.pages.svg import drawing, line, plots_style, rectangle, shortened, standalone, text, words

SVG = "{http://www.w3.org/2000/svg}"


@given(st.text(max_size=40))
def test_any_words_are_words(foreign: str) -> None:
    made = drawing(10, 10, [text(0, 0, words(foreign))], title=foreign, desc=foreign)
    root = ET.fromstring(made)
    assert [child.tag for child in root] == [f"{SVG}title", f"{SVG}desc", f"{SVG}text"]
    plain = foreign.isprintable()
    assert not plain or (root[2].text or "") == foreign


def test_it_is_named_by_its_title_and_told_by_its_description() -> None:
    root = ET.fromstring(drawing(10, 20, [], title="a plot", desc="of nothing"))
    title, desc = root.get("aria-labelledby", "").split()
    assert {child.get("id"): child.text for child in root} == {title: "a plot", desc: "of nothing"}
    assert (root.get("role"), root.get("viewBox")) == ("img", "0 0 10 20")


def test_two_on_one_page_have_names_of_their_own() -> None:
    one, other = (drawing(10, 10, [], title=title, desc="") for title in ("one", "other"))
    assert ET.fromstring(one)[0].get("id") != ET.fromstring(other)[0].get("id")


def test_templates_take_it_as_it_is() -> None:
    made = drawing(
        1, 1, [line(0, 0, 1, 1), rectangle(0, 0, 1, 1, "s0", said="one &amp; two", fade=0.5)], title="", desc=""
    )
    assert str(escape(made)) == made
    assert 'fill-opacity="0.500"' in made
    assert "style=" not in made, "a policy that allows no style beside the sheet would drop it"


def test_words_are_cut_where_they_do_not_fit() -> None:
    assert shortened("abcdef", 6) == "abcdef"
    assert shortened("abcdefg", 6) == "abcde…"
    assert shortened("a<" * 9, 3) == "a&lt;…"


def test_a_file_of_its_own_has_its_colours() -> None:
    data = standalone(drawing(1, 1, [], title="alone", desc=""))
    root = ET.fromstring(data)
    assert root[0].tag == f"{SVG}style"
    assert root[0].text == plots_style()
