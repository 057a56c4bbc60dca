"""The status on a terminal: everything that a program gets is there to be read."""

from __future__ import annotations

import pytest

from site_agent.status.tables import lines, print_status, summary
from tests.site_agent.status_making import EMPTY, HOLDINGS, HOSTILE, NOTHING, STATUS, hostile


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")


def test_everything_is_on_one_screen(capsys: pytest.CaptureFixture[str]) -> None:
    print_status(STATUS)
    told = capsys.readouterr().out
    assert told.startswith("site north of federation echo; coordinator hub\n1234 images in 40 files of 30 patients")
    rows = [" ".join(line.split()) for line in told.splitlines()]
    assert "399214001 apical four-chamber (A4C) 20 30 1000" in rows
    assert "399214001 800 0 0 200" in rows
    assert "no label 10 10 234" in rows
    assert "no label 200 0 0 34" in rows
    assert "GE Vivid E95 1 20 30 1000" in rows
    assert "not said 2 10 10 234" in rows
    assert "refused is cut short 7" in rows
    assert "b0001 2026-03-01 10:00 1 dicom sector 20 30 1000" in rows
    assert "b0001 statistics accepted abababababab" in rows
    assert "abababababab report 2026-03-02" in rows
    assert "4 adopted abababababab good enough" in rows
    assert rows[-3:] == [
        "1 parcels in the outbox, 2 unread in the inbox",
        "release 4 answers here",
        "last round of work: statistics, batch b0001: outbox",
    ]
    assert len(rows) < 64


def test_lines_about_all_images() -> None:
    assert lines(HOLDINGS) == [
        "forms: dicom 30, images 10",
        "sector: found in 39 files, none in 1; quality 0.90 in the median, 80 % of them 0.80 to 0.95, all 0.70 to 1.00",
        "spacing: known of 30 files, unknown of 10; 0.15 to 0.8 mm a pixel",
        (
            "removed outside the sector: in 38 files, 61% of the pixels and 4% of the bright ones; "
            "text there in 5, marks inside in 6"
        ),
        "2 files wait for their batch to be closed: run the same ingest again",
    ]
    assert lines(NOTHING) == []


def test_an_empty_site_is_told_what_comes_next(capsys: pytest.CaptureFixture[str]) -> None:
    print_status(EMPTY)
    assert capsys.readouterr().out.splitlines()[1:] == [
        "no images yet: consilium site ingest FOLDER",
        "policy: may leave: statistics",
        "1 parcels in the outbox, 2 unread in the inbox",
        "no release answers here",
    ]
    assert summary(HOLDINGS).endswith("(train 21, test 9)")


def test_many_reasons_are_cut(capsys: pytest.CaptureFixture[str]) -> None:
    reasons = tuple(HOLDINGS.outside[0].model_copy(update={"reason": f"reason {number}"}) for number in range(23))
    print_status(STATUS.model_copy(update={"holdings": HOLDINGS.model_copy(update={"outside": reasons})}))
    told = capsys.readouterr().out
    assert "reason 19" in told
    assert "reason 20" not in told
    assert "and 3 more reasons: --json lists all" in told


def test_words_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_status(hostile())
    assert capsys.readouterr().out.count(HOSTILE) >= 6
