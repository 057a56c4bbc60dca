"""Tables of comma-separated values, read row by row, in UTF-8 or as Windows programs write them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from federated.errors import DataError
from site_agent.sources.source import Refused, check_file

ENCODINGS = ("utf-8-sig", "cp1252")
MAX_LINE = 2**20  # characters
MAX_NAME = 40  # characters of a column's name that a message shows
CHUNK = 2**16


class Row(dict[str, str]):
    """Cells by column, without blanks at their ends; "" where the line is too short.

    Attributes:
        line: where it ends in the file, counted from 1.
    """

    line: int = 0


def read_table(path: Path, required: Sequence[str] = ()) -> Iterator[Row]:
    """The rows below the header; empty lines are passed over.

    Raises:
        DataError: it cannot be read, or lacks a column that is required.
    """
    with _opened(path) as file:
        yield from _rows(file, path, required)


def header_of(path: Path) -> tuple[str, ...]:
    """Names of a table's columns, in order.

    Raises:
        DataError: it cannot be read.
    """
    with _opened(path) as file:
        return tuple(cell.strip() for cell in next(csv.reader(_lines(file)), []))


def columns_of(path: Path) -> frozenset[str]:
    """Names of a table's columns; none where it cannot be read."""
    try:
        return frozenset(header_of(path))
    except DataError:
        return frozenset()


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    try:
        check_file(path)
        with path.open(encoding=_encoding(path), newline="") as file:
            yield file
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", where=str(path)) from error
    except csv.Error as error:
        raise DataError(f"is not a CSV file ({error})", where=str(path), cure="save it as CSV in UTF-8") from error
    except DataError as error:
        raise error if error.where else DataError(error.what, where=str(path), cure=error.cure) from error


def _rows(file: TextIO, path: Path, required: Sequence[str]) -> Iterator[Row]:
    reader = csv.reader(_lines(file))
    header = [cell.strip() for cell in next(reader, [])]
    missing = [name for name in required if name not in header]
    if missing:
        found = ", ".join(_shown(name) for name in header) or "none"
        raise DataError(f"has no column {', '.join(missing)}; its columns are: {found}", where=str(path))
    for cells in reader:
        if cells:
            row = Row(zip(header, [cell.strip() for cell in cells] + [""] * len(header), strict=False))
            row.line = reader.line_num
            yield row


def first_of_each(rows: Iterable[Row], columns: Sequence[str], path: Path) -> Iterator[Row | Refused]:
    """Rows that differ in some columns; one that repeats an earlier one is refused."""
    seen: dict[tuple[str, ...], int] = {}
    for row in rows:
        first = seen.setdefault(tuple(row[name] for name in columns), row.line)
        if first == row.line:
            yield row
        else:
            yield refused_line(path, row, f"repeats line {first}, which is kept")


def refused_line(path: Path, row: Row, reason: str) -> Refused:
    """A row that leads to no item."""
    return Refused(f"{path.name} line {row.line}", path, reason)


def _encoding(path: Path) -> str:
    for encoding in ENCODINGS:
        if _decodes(path, encoding):
            return encoding
    raise DataError("is text neither in UTF-8 nor in Windows-1252", where=str(path), cure="save it as CSV in UTF-8")


def _decodes(path: Path, encoding: str) -> bool:
    try:
        with path.open(encoding=encoding, newline="") as file:
            while file.read(CHUNK):
                pass
    except UnicodeDecodeError:
        return False
    return True


def _lines(file: TextIO) -> Iterator[str]:
    while line := file.readline(MAX_LINE):
        if len(line) == MAX_LINE:
            raise DataError(f"has a line of more than {MAX_LINE} characters")
        yield line


def _shown(name: str) -> str:
    return "".join(letter for letter in name if letter.isprintable())[:MAX_NAME] or "(no name)"
