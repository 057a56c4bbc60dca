"""Templates escape what they are given, and stop where something is missing."""

from __future__ import annotations

import re

import pytest
from jinja2 import UndefinedError

from federated.pages.paging import pager
from federated.pages.svg import drawing
from federated.pages.templating import environment, stylesheet
from federated.web.access import Person

PAGE = {
    "house": "A house",
    "nav": (("/", "First"), ("/more", "More")),
    "here": "/more/of",
    "who": None,
    "csrf": "",
    "heading": "A page",
}


def _shown(template: str, **more: object) -> str:
    return environment().get_template(template).render({**PAGE, **more})


def test_markup_in_a_name_is_shown_as_a_name() -> None:
    shown = _shown("message.html", said="<b>&", house="<i>house</i>", heading="<script>")
    assert "&lt;b&gt;&amp;" in shown
    assert "&lt;i&gt;house&lt;/i&gt;" in shown
    assert "<script>" not in shown


def test_what_is_missing_is_no_page() -> None:
    with pytest.raises(UndefinedError, match="said"):
        _shown("message.html")


def test_the_page_that_is_shown_is_marked_and_the_first_one_is_not() -> None:
    shown = _shown("message.html", said="")
    assert '<a href="/more" aria-current="page">' in shown
    assert '<a href="/">First</a>' in shown


def test_everybody_finds_the_content_and_where_they_are() -> None:
    shown = _shown("message.html", said="")
    assert '<html lang="en">' in shown
    assert '<a class="skip" href="#content">' in shown
    assert '<main id="content" tabindex="-1">' in shown
    assert "<title>A page – A house</title>" in shown


def test_nothing_runs_and_nothing_comes_from_elsewhere() -> None:
    shown = _shown("message.html", said="") + _shown("login.html", to="/", fault="")
    assert "<script" not in shown
    assert "http://" not in shown.replace("http://www.w3.org/2000/svg", "")
    assert "style=" not in shown
    assert "@import" not in stylesheet()
    assert "url(" not in stylesheet()


def test_who_signed_in_can_sign_out() -> None:
    shown = _shown("message.html", said="", who=Person("ada", "viewer", "session", "ada:0"), csrf="mark")
    assert "ada · viewer" in shown
    assert '<input type="hidden" name="csrf" value="mark">' in shown
    assert "Sign out" not in _shown("message.html", said="", who=Person("ada", "viewer", "open", ""))


def test_parts() -> None:
    parts = environment().globals["parts"]
    table = parts.table("Who & what", (("", "site"), ("number", "images")), [("<ada>", 3)])  # type: ignore[attr-defined]
    assert "<caption>Who &amp; what</caption>" in table
    assert '<th scope="row">&lt;ada&gt;</th><td class="number">3</td>' in table
    assert "Nothing yet." in parts.table("none", (), [])  # type: ignore[attr-defined]
    plot = drawing(1, 1, [], title="t", desc="d")
    assert plot in parts.figure(plot, "caption")  # type: ignore[attr-defined]
    assert 'href="?page=2"' in parts.pages(pager(99, {}))  # type: ignore[attr-defined]
    assert parts.pages(pager(9, {})).strip() == ""  # type: ignore[attr-defined]
    assert parts.mark(None).strip() == '<span class="warn">not known</span>'  # type: ignore[attr-defined]


def test_the_look_is_in_light_and_dark_and_on_paper() -> None:
    assert stylesheet().count("@media (prefers-color-scheme: dark)") == 2
    assert stylesheet().count("@media print") == 2


def _colours(dark: bool) -> dict[str, str]:
    """The values of the sheet's variables in a scheme."""
    found = dict[str, str]()
    for block in re.findall(r"(@media [^{]*\{\s*)?:root \{(.*?)\}", stylesheet(), re.DOTALL):
        if "print" not in block[0] and (dark or "dark" not in block[0]):
            found |= dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", block[1]))
    return found


def _brightness(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_brightness(one), _brightness(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_words_and_colours_can_be_told_from_their_ground(dark: bool) -> None:
    """WCAG 2.2: 4.5 for words, 3 for what is drawn."""
    colours = _colours(dark)
    for ground in ("card", "ground", "soft"):
        for words in ("ink", "quiet", "accent", "good", "bad", "warn"):
            assert _contrast(colours[words], colours[ground]) >= 4.5, (words, ground)
    assert _contrast(colours["on-accent"], colours["accent"]) >= 4.5
    assert _contrast(colours["on-accent"], colours["bad"]) >= 4.5
    drawn = [*(f"s{number}" for number in range(8)), "nobody", "differ", "heat", "cold"]
    assert dict.fromkeys(drawn, True) == {name: _contrast(colours[name], colours["card"]) >= 3 for name in drawn}
