from __future__ import annotations

import csv
import io
import json

from deploy.phantom.tables import csv_file, decimal, json_file, text_file


def test_a_table_reads_back() -> None:
    rows = [("a,b", 'say "x"'), ("", "ü")]
    file = csv_file("t.csv", ("one", "two"), rows)
    assert file.path == "t.csv"
    assert list(csv.reader(io.StringIO(file.data.decode()))) == [["one", "two"], *map(list, rows)]
    assert b"\r" not in file.data


def test_json_and_text() -> None:
    assert json.loads(json_file("j", {"a": [1]}).data) == {"a": [1]}
    assert text_file("t", ["x: 1", "y: 2"]).data == b"x: 1\ny: 2\n"


def test_numbers_have_their_digits_and_none_is_empty() -> None:
    assert decimal(1.23456, 3) == "1.235"
    assert decimal(2.0, 1) == "2.0"
    assert decimal(float("nan"), 1) == ""
