"""Tables for people: every figure that a program gets is there to be read."""

from __future__ import annotations

import pytest

from site_agent import tables
from site_agent.doctor import Finding
from site_agent.evaluation import Comparison, Evaluation, Interval
from site_agent.intake.reports import Aside, Doubt, IngestReport
from site_agent.steps import Step, WorkSummary

DIGEST = "sha256:" + "ab" * 32


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")


def test_a_table_without_rows_is_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    tables.print_table("empty", ("one", "two"), [])
    assert capsys.readouterr().out == ""


def test_one_is_not_plural() -> None:
    assert [tables.counted(number, "patient") for number in (0, 1, 2)] == ["0 patients", "1 patient", "2 patients"]


def test_brackets_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    tables.print_table("", ("file", "reason"), [("a[b].png", "is not [bold]readable")])
    assert "a[b].png" in (out := capsys.readouterr().out)
    assert "is not [bold]readable" in out


def test_the_doctors_lines(capsys: pytest.CaptureFixture[str]) -> None:
    tables.print_findings([Finding(name="disk", ok=True, found="9 GiB free")])
    tables.print_findings([Finding(name="policy", ok=False, found="not signed", cure="sign it")])
    assert capsys.readouterr().out == "disk: ok: 9 GiB free\npolicy: NOT OK: not signed; sign it\n"


def test_refusals_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    done = Step(kind="statistics", subject="batch b0001", state="outbox")
    refused = Step(kind="weights", subject="batch b0001", state="refused", note="too few")
    tables.print_work(WorkSummary(steps=(done, refused)))
    told = capsys.readouterr()
    assert told.out == "statistics, batch b0001: outbox\n"
    assert told.err == "weights, batch b0001: refused (too few)\n"


def test_an_evaluation_shows_figures_confusion_and_difference(capsys: pytest.CaptureFixture[str]) -> None:
    figure = Interval(value=0.75, low=0.5, high=0.875)
    before = Comparison(release=DIGEST, accuracy=figure, balanced_accuracy=figure)
    evaluation = Evaluation(
        release=DIGEST,
        patients=4,
        clips=9,
        known=8,
        accuracy=figure,
        balanced_accuracy=figure,
        withheld=2,
        withheld_unknown=1,
        confusion={"dark": {"dark": 6, "light": 2}, "striped": {"(withheld)": 1}},
        before=before,
    )
    tables.print_evaluation(3, evaluation)
    out = capsys.readouterr().out
    assert "release 3 on 9 held-back clips of 4 patients, 8 with a label that it knows" in out
    assert out.count("75.0 % [50.0, 87.5]") == 4
    assert "2 of 8" in out
    assert "1 of 1" in out
    assert "(withheld)" in out
    assert "difference to the release in use (abababababab), paired" in out


def _aside(number: int) -> Aside:
    return Aside(name=f"{number}.png", state="refused", reason="is not a readable image", key=f"{number:032x}")


def _report(**changes: object) -> IngestReport:
    fields: dict[str, object] = {
        "format": "images",
        "recognised": True,
        "batches": ("b0002",),
        "images": 5,
        "clips": 3,
        "patients": 2,
        "labels": {"dark": 5},
        "skipped": 1,
        "blanked": 1,
        "aside": (_aside(0),),
        "doubts": (Doubt(name="c.avi", line="an ejection fraction of 250 % cannot be: left out"),),
        "notes": ("one patient only",),
    }
    return IngestReport(**{**fields, **changes})  # type: ignore[arg-type]


def test_an_ingest_shows_what_came_in_what_did_not_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    tables.print_ingest(_report(), {})
    out = capsys.readouterr().out
    for told in (
        "read as images (recognised; --format says otherwise)",
        "batch b0002: 5 images in 3 files of 2 patients",
        "1 known already; outside the sector something was removed in 1",
        "0" * 12 + " ",
        "0.png",
        "250 %",
        "note: one patient only",
    ):
        assert told in out


def test_two_batches_and_none_are_said_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    tables.print_ingest(_report(batches=("b0002", "b0003"), recognised=False), {})
    tables.print_ingest(
        _report(batches=(), images=0, clips=0, patients=0, labels={}, aside=(), doubts=(), notes=()), {}
    )
    out = capsys.readouterr().out
    assert "read as images\nbatches b0002, b0003: 5 images" in out
    assert "nothing new: 0 images in 0 files of 0 patients" in out


def test_of_many_files_the_reasons_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    tables.print_aside([_aside(number) for number in range(tables.SHOWN)])
    assert "items" not in capsys.readouterr().out
    tables.print_aside([_aside(number) for number in range(tables.SHOWN + 3)])
    out = capsys.readouterr().out
    assert out.count(".png") == tables.SHOWN
    assert "23" in out
    assert "and 3 more: consilium site quarantine --json lists all" in out


def test_no_receipts_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    tables.print_receipts([])
    assert capsys.readouterr().out == "nothing has left\n"


def test_of_many_doubts_the_kinds_are_counted_and_none_is_kept_silent(capsys: pytest.CaptureFixture[str]) -> None:
    doubts = [Doubt(name=f"{number}.png", line="a mask of 5x4 pixels: left out") for number in range(tables.SHOWN + 3)]
    tables.print_doubts(doubts[:1])
    assert "more" not in capsys.readouterr().out
    tables.print_doubts(doubts)
    out = capsys.readouterr().out
    assert ["left", "out", str(tables.SHOWN + 3)] in [line.split()[-3:] for line in out.splitlines()]
    assert out.endswith("and 3 more\n")
