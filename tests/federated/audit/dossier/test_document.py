from __future__ import annotations

import pytest
from pydantic import ValidationError

from federated.audit.dossier.document import NOT_STATED, Dossier, Grid, Line, Section


def _line(topic: str, text: str | None, *items: str) -> Line:
    return Line(topic=topic, text=text, source="somewhere", items=items)


def test_what_nobody_stated_is_printed_as_such_and_listed() -> None:
    section = Section(title="t", about="a", lines=(_line("known", "x", "TRIPOD+AI 17"), _line("unknown", None)))
    made = Dossier(federation="test", release=1, digest="d", signatures="s", sections=(section, section))
    assert [line.said for line in section.lines] == ["x", NOT_STATED]
    assert made.missing == ("unknown", "unknown")


def test_an_item_that_was_not_looked_up_is_refused() -> None:
    with pytest.raises(ValidationError, match="no item of a guideline that was looked up: TRIPOD\\+AI 28"):
        _line("x", "y", "TRIPOD+AI 28")
    with pytest.raises(ValidationError, match="no item of a guideline"):
        Grid(title="t", columns=("a",), rows=(), items=("TRIPOD+AI 28",))


def test_a_table_says_who_asks_for_it() -> None:
    grid = Grid(title="Hospitals", columns=("name",), rows=(), items=("TRIPOD+AI 20b", "TRIPOD+AI 21"))
    assert grid.headline == "Hospitals (TRIPOD+AI 20b, TRIPOD+AI 21)"
    assert grid.model_copy(update={"items": ()}).headline == "Hospitals"
