"""Tables as text: comma-separated values and JSON, the same bytes every time."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from deploy.phantom.workplace import File


def csv_file(path: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> File:
    """A table with a header."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return File(path, text.getvalue().encode())


def json_file(path: str, value: Any) -> File:
    """A JSON document."""
    return File(path, (json.dumps(value, indent=1) + "\n").encode())


def text_file(path: str, lines: Iterable[str]) -> File:
    """Lines, each with its end."""
    return File(path, "".join(f"{line}\n" for line in lines).encode())


def decimal(value: float, digits: int = 4) -> str:
    """A number with so many digits behind the point; "" for one that is none."""
    return "" if value != value else f"{value:.{digits}f}"  # noqa: PLR0124  # only NaN differs from itself
