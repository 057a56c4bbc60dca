from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federated.errors import DataError
from site_agent.sources.csv_tables import MAX_LINE, Row, first_of_each, read_table
from site_agent.sources.source import Refused


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "FileList.csv"


def test_cells_come_by_column_with_their_lines(table: Path) -> None:
    table.write_text('\ufeffName, EF \n"a,1",55\n\n"two\nlines", 60\nshort\nlong,1,2\n', encoding="utf-8")
    rows = list(read_table(table, ["Name", "EF"]))
    assert rows == [
        {"Name": "a,1", "EF": "55"},
        {"Name": "two\nlines", "EF": "60"},
        {"Name": "short", "EF": ""},
        {"Name": "long", "EF": "1"},
    ]
    assert [row.line for row in rows] == [2, 5, 6, 7]


def test_what_windows_programs_write_is_read(table: Path) -> None:
    table.write_bytes("Name,View\r\nJürgen,4CH\r\n".encode("cp1252"))
    assert list(read_table(table, ["View"])) == [{"Name": "Jürgen", "View": "4CH"}]


def test_missing_columns_are_named_in_one_line(table: Path) -> None:
    table.write_text("FileName,E\0F,\nx,1,\n")
    with pytest.raises(DataError) as caught:
        list(read_table(table, ["FileName", "EF", "Split"]))
    assert str(caught.value) == f"{table}: has no column EF, Split; its columns are: FileName, EF, (no name)"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"Name\n\x81\x8d\xff\n", "is text neither in UTF-8 nor in Windows-1252"),
        (b'Name\n"' + b"x" * 200_000, "is not a CSV file (field larger than field limit (131072))"),
        (b"Name," * (MAX_LINE // 4), f"has a line of more than {MAX_LINE} characters"),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(table: Path, content: bytes, reason: str) -> None:
    table.write_bytes(content)
    with pytest.raises(DataError) as caught:
        list(read_table(table, ["Name"]))
    assert str(caught.value).startswith(f"{table}: {reason}")


def test_a_table_that_is_not_there_or_a_folder_is_refused(table: Path) -> None:
    for path in (table, table.parent):
        with pytest.raises(DataError, match="is not there, or is no file"):
            list(read_table(path))


def test_a_table_that_may_not_be_read_is_refused(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table.write_text("Name\n")

    def forbid(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbid)
    with pytest.raises(DataError, match=r"cannot be read \(Permission denied\)"):
        list(read_table(table))


def test_the_first_of_repeated_rows_is_kept(table: Path) -> None:
    table.write_text("Name,EF\na,1\nb,2\na,3\n")
    found = list(first_of_each(read_table(table), ["Name"], table))
    assert found[:2] == [{"Name": "a", "EF": "1"}, {"Name": "b", "EF": "2"}]
    assert found[2] == Refused("FileList.csv line 4", table, "repeats line 2, which is kept")


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=8).map(str.strip)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(CELLS, min_size=2, max_size=2).filter(any), max_size=6))
def test_what_was_written_is_read(table: Path, rows: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["a", "b"], *rows])
    table.write_bytes(text.getvalue().encode())
    assert [list(row.values()) for row in read_table(table, ["a", "b"])] == rows


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_end_in_rows_or_in_one_line(table: Path, content: bytes) -> None:
    table.write_bytes(content)
    rows, reason = [], ""
    try:
        rows = list(read_table(table))
    except DataError as error:
        reason = str(error)
    assert "\n" not in reason
    assert all(isinstance(row, Row) for row in rows)
