from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from site_agent.sources.csv_tables import Row
from site_agent.sources.echonet import TracingTable, area, missing, outline, stem_of
from site_agent.sources.source import Annotation

SQUARE = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]])


def test_the_area_of_a_square_is_its_side_squared() -> None:
    assert area(SQUARE) == area(SQUARE[::-1]) == area(SQUARE + 7) == 16


def test_chords_become_an_outline_without_the_long_axis() -> None:
    chords = np.array([[2, 0, 2, 4], [0, 0, 4, 0], [0, 4, 4, 4]], float)
    border = outline(Annotation(0, "lv", "chords", chords))
    np.testing.assert_array_equal(border, [[0, 0], [0, 4], [4, 4], [4, 0]])
    assert area(border) == 16
    np.testing.assert_array_equal(outline(Annotation(0, "lv", "polygon", SQUARE)), SQUARE)


@pytest.mark.parametrize(("name", "stem"), [("a.avi", "a"), ("a.AVI", "a"), ("a", "a"), ("a.b", "a.b"), (".avi", "")])
def test_names_come_with_or_without_their_suffix(name: str, stem: str) -> None:
    assert stem_of(name) == stem


def test_a_frame_that_no_reader_found_is_no_mistake() -> None:
    table = TracingTable(["X", "Y"])
    for x, y, frame in (("1", "2", "5"), ("", "", "No Systolic"), ("3", "4", "5"), ("5", "6", "2")):
        table.add(Row(FileName="a.avi", X=x, Y=y, Frame=frame))
    found = table.of("a")
    assert found.doubts == ()
    assert [(each.frame, each.lines) for each in found.frames] == [(5, ((1.0, 2.0), (3.0, 4.0))), (2, ((5.0, 6.0),))]
    assert table.of("b").frames == ()


def test_a_clip_is_named_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "a.avi").write_bytes(b".")
    assert missing(tmp_path / "a.avi", "a") == ""
    assert missing(tmp_path / "b.avi", "b") == "names a clip that is not there"
    assert missing(tmp_path / "x/a.avi", "x/a") == "names a file elsewhere"
