"""Nothing that somebody wrote becomes markup."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.audit.dossier.document import Dossier, Grid, Line, Section
from federated.audit.dossier.markdown import markdown, plain

EVIL = "<script>alert(1)</script> | **bold** [x](javascript:y) `code` # head\n- item\n1. one"


def _dossier(text: str | None) -> Dossier:
    line = Line(topic="Topic", text=text, source="statement", items=("TRIPOD+AI 17",))
    grid = Grid(title="Grid", columns=("name", "count"), rows=((text or "-", "3"),), numbers=(1,))
    empty = Grid(title="Nobody", columns=("name",), rows=(), empty="Nobody here.")
    section = Section(title="Part", about="About.", lines=(line,), grids=(grid, empty), notes=("Note.",))
    return Dossier(federation="test", release=3, digest="sha256:0", signatures="Not checked", sections=(section,))


def test_golden() -> None:
    assert markdown(_dossier(None)) == (
        "# test: dossier of release 3\n\n`sha256:0`. Not checked.\n\n1 topics are not stated: Topic.\n\n"
        "## Part\n\nAbout.\n\n"
        "| topic | what is known | from | guideline items |\n|---|---|---|---|\n"
        "| Topic | **not stated** | statement | TRIPOD+AI 17 |\n\n"
        "### Grid\n\n| name | count |\n|---|---:|\n| - | 3 |\n\n"
        "### Nobody\n\nNobody here.\n\nNote.\n"
    )


def test_foreign_words_stay_words() -> None:
    text = markdown(_dossier(EVIL))
    row = next(line for line in text.splitlines() if line.startswith("| Topic |"))
    assert re.search(r"(?<!\\)<(?!br>)", text) is None
    assert len(re.findall(r"(?<!\\)\|", row)) == 5
    assert "\\*\\*bold\\*\\*" in row
    assert row.count("<br>") == 2
    assert "<br>\\- item<br>1\\. one" in row


@pytest.mark.parametrize(("text", "shown"), [("100.0%", "100.0%"), ("-", "-"), ("- x", "\\- x"), ("12. x", "12\\. x")])
def test_what_only_looks_like_a_list(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(st.text(max_size=60))
def test_one_line_and_every_bar_escaped(text: str) -> None:
    found = plain(text)
    assert len(found.splitlines()) <= 1
    assert re.search(r"(?<!\\)(?:\\\\)*\|", found) is None
