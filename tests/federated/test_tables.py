from __future__ import annotations

import json

import pytest

from federated.audit.outcome import Audit, Check
from federated.tables import minute, named, number, print_audit, print_json, print_tables, table
from federated.vocabulary import Concept, Vocabulary, plain_vocabulary


def test_words_are_left_numbers_right_and_nothing_is_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    rows = [("ada", "1.0", "a" * 60), ("hospital_of_24_characters"[:24], "12.5", "[bold]b")]
    print_tables(table("sizes", ("site", "size", "label"), rows), table("none", ("site",), ()))
    shown = capsys.readouterr().out
    assert shown.splitlines()[0].strip() == "sizes"
    assert "none" not in shown
    assert all(part in shown for part in (rows[1][0], "[bold]"))
    assert shown.count("a") >= 60
    assert "…" not in shown
    first, second = (next(line for line in shown.splitlines() if size in line) for size in (" 1.0", "12.5"))
    assert first.index("1.0") == second.index("12.5") + 1


def test_a_screen_too_narrow_for_a_table_cuts_no_name_and_no_digest(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    columns = ("site", "what", "parcels", "class sums", "weights", "entry")
    rows = [
        ("north", "unchanged", "0", "5acd9bed", "b9e954b7", "2026-11-21T10:02:27"),
        ("south", "other contributions", "1", "2fb21565 > cedd1cd5", "fc9ccc72", "quarantined"),
    ]
    print_tables(table("sites", columns, rows))
    shown = capsys.readouterr().out
    words = {word for row in (columns, *rows) for cell in row for word in cell.split()}
    assert {word for word in words if word not in shown} == set()


def test_on_eighty_columns_a_time_and_a_digest_stay_whole_and_the_reason_folds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    reason = "train.gram: is not positive semi-definite, and its least eigenvalue is far below nought; send it again"
    when = minute("2026-11-21T12:26:42Z")
    rows = [("3d5f99b6c1aa", "north", reason, when), ("5acd9bedb9e9", "south", "", when)]
    print_tables(table("quarantine", ("digest", "site", "reason", "received (UTC)"), rows))
    title, *lines = capsys.readouterr().out.splitlines()
    assert title == "quarantine"
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines if "2026-11-21 12:26" in line] == ["3d5f99b6c1aa", "5acd9bedb9e9"]
    assert all(word in "\n".join(lines) for word in reason.split())


def test_columns_that_fold_share_what_is_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    print_tables(table("", ("label", "reason"), [("a4c", "b " * 60), ("plax", "c " * 60)]))
    lines = capsys.readouterr().out.splitlines()
    assert {len(line) for line in lines if line.startswith((" a4c", " plax"))} == {60}


def test_numbers_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert [number(each) for each in (0.12345, -1.0, -0.0001, None)] == ["0.123", "-1.000", "0.000", "-"]
    print_json({"a": [1, None]})
    assert json.loads(capsys.readouterr().out) == {"a": [1, None]}


def test_codes_that_are_names_themselves_get_no_second_column() -> None:
    rows = [("ada", "4", "1"), ("ben", "9", "2")]
    columns = ("site", "label", "share")
    assert named(columns, rows, plain_vocabulary("digits", ["4", "9"])) == (columns, rows)
    concepts = (Concept(code="4", scheme="local", meaning="four"), Concept(code="9", scheme="local", meaning="9"))
    told = named(columns, rows, Vocabulary(name="digits", concepts=concepts))
    assert told == (("site", "label", "name", "share"), [("ada", "4", "four", "1"), ("ben", "9", "9", "2")])


def test_a_check_that_could_not_be_made_is_marked_with_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    checks = tuple(Check(name=str(ok), ok=ok, found="so") for ok in (True, False, None))
    print_audit(Audit(file="a.parcel", kind="release", digest=None, checks=checks))
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["a.parcel: release", "  ok    True: so", "  WRONG False: so", "  -     None: so"]
