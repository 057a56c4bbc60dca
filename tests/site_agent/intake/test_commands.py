"""`consilium site ingest` and `consilium site quarantine`: what they ask for, what they show, one line a mistake."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from site_agent.home import SiteHome
from site_agent.sources.images import decode_still
from tests.site_agent.intake_making import data_set, picture

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation, Run

ROWS = [{"patient": f"P{number}", "label": ("dark", "light")[number % 2]} for number in range(6)]


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    return federation.join("ada")


@pytest.fixture
def suspicious(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is 40 pixels wide or more is taken for text."""
    monkeypatch.setattr("site_agent.intake.preparation.LEAST_FOR_TEXT", 40)
    monkeypatch.setattr("site_agent.intake.preparation.find_texts", lambda *_: [((0, 0, 9, 9),)])
    monkeypatch.setattr("site_agent.intake.preparation.find_sector", lambda _: None)


def _refused(run: Run, *arguments: object) -> str:
    result = run(*arguments)
    assert result.code == 1
    assert result.out == ""
    assert result.err.count("\n") == 1
    return result.err


def test_what_came_in_is_shown(run: Run, ada: SiteHome, tmp_path: Path) -> None:
    index = data_set(tmp_path / "data", [*ROWS, {"path": "missing.png", "label": "dark"}])
    shown = run("ingest", index).out
    for told in (
        "read as images (recognised; --format says otherwise)",
        "batch b0001: 6 images in 6 files of 6 patients",
        "missing.png",
        "is not there",
    ):
        assert told in shown
    assert "nothing new" in run("ingest", index).out
    assert len(ada.archive.catalogue.cases()) == 6


def test_what_came_in_as_json(run: Run, ada: SiteHome, tmp_path: Path) -> None:
    report = run("ingest", data_set(tmp_path / "data", ROWS), "--json").json
    assert (report["batches"], report["images"], report["labels"]) == (["b0001"], 6, {"dark": 3, "light": 3})
    assert run("ingest", tmp_path / "data", "--json").json["skipped"] == 6


def test_the_format_may_be_named(run: Run, ada: SiteHome, tmp_path: Path) -> None:
    index = data_set(tmp_path / "data", ROWS)
    assert "read as images\n" in run("ingest", index, "--format", "images").out
    assert "there is no format 'cuneiform'; known are auto, " in _refused(run, "ingest", index, "--format", "cuneiform")


def test_columns_and_sites_may_be_named(run: Run, ada: SiteHome, tmp_path: Path) -> None:
    rows = [{"who": "P", "place": "north", "label": "dark"}, {"who": "Q", "place": "south", "label": "dark"}]
    index = data_set(tmp_path / "data", rows)
    report = run("ingest", index, "--columns", "patient=who,site=place", "--site", "south", "--json").json
    assert (report["images"], report["patients"]) == (1, 1)
    assert "sites there: north, south" in _refused(run, "ingest", index, "--columns", "site=place", "--site", "east")
    assert "'face' is none of path, label" in _refused(run, "ingest", index, "--columns", "face=who")


def test_a_new_machine_is_a_new_expert(run: Run, ada: SiteHome, tmp_path: Path) -> None:
    assert run("ingest", data_set(tmp_path / "one", ROWS), "--machine", "Acme One").code == 0
    shown = run("ingest", data_set(tmp_path / "two", ROWS, first=50), "--machine", "Acme Two").out
    assert "batch b0002" in shown
    assert ada.archive.catalogue.rows("SELECT name, expert FROM batches") == [("b0001", 1), ("b0002", 2)]


def test_a_person_may_vouch_for_all_pixels(run: Run, ada: SiteHome, tmp_path: Path) -> None:
    index = data_set(tmp_path / "data", ROWS)
    assert "there is no rule 'none'; say sector or whole" in _refused(run, "ingest", index, "--pixels", "none")
    assert "note: pixels outside the sector were kept" in run("ingest", index, "--pixels", "whole").out
    assert ada.archive.catalogue.rows("SELECT pixels FROM batches") == [("whole",)]


@pytest.mark.usefixtures("suspicious")
def test_what_is_set_aside_is_shown_by_name_and_cleared_by_key(run: Run, ada: SiteHome, tmp_path: Path) -> None:
    picture(tmp_path / "data" / "big.png", 9, (40, 40))
    index = data_set(tmp_path / "data", [*ROWS, {"path": "big.png", "label": "dark", "patient": "P9"}])
    assert "big.png" in run("ingest", index).out
    (waiting,) = run("quarantine", "--json").json
    assert (waiting["name"], waiting["state"]) == ("big.png", "quarantined")
    shown = run("quarantine").out
    assert waiting["key"][:12] in shown
    assert "burnt-in text" in shown
    assert run("quarantine", waiting["key"][:12], "--clear").out == "cleared, the next ingest takes in: big.png\n"
    assert "batch b0002: 1 image in 1 file of 1 patient" in run("ingest", index).out
    assert run("quarantine", "--json").json == []


def test_a_crash_costs_one_file_on_a_single_processor_too(
    run: Run, ada: SiteHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(path: Path) -> object:
        return os._exit(1) if path.name == "2.png" else decode_still(path)

    monkeypatch.setattr("site_agent.intake.ingest.cores", lambda: 1)
    monkeypatch.setattr("site_agent.sources.images.decode_still", decode)
    report = run("ingest", data_set(tmp_path / "data", ROWS), "--json").json
    assert report["images"] == 5
    assert [one["reason"] for one in report["aside"]] == ["brings the program that reads it to an end"]


def test_mistakes_in_the_quarantine_are_one_line(run: Run, ada: SiteHome, tmp_path: Path) -> None:
    index = data_set(tmp_path / "data", [*ROWS, {"path": "missing.png", "label": "dark"}])
    assert run("ingest", index).code == 0
    (missing,) = run("quarantine", "--json").json
    assert "names no item; give the keys" in _refused(run, "quarantine", "--clear")
    assert "nothing has the key feed" in _refused(run, "quarantine", "feed")
    assert "is refused: is not there, or is no file; clear only" in _refused(
        run, "quarantine", missing["key"], "--clear"
    )


def test_mistakes_in_what_is_taken_in_are_one_line(run: Run, ada: SiteHome, tmp_path: Path) -> None:
    assert "is not there; name a folder" in _refused(run, "ingest", tmp_path / "nowhere")
    unknown = data_set(tmp_path / "data", [{"label": "dusky"}])
    assert "label 'dusky' is not in the vocabulary 'shades'" in _refused(run, "ingest", unknown)
    (tmp_path / "none").mkdir()
    assert "holds neither an index.csv nor" in _refused(run, "ingest", tmp_path / "none")
    assert "none of its 1 items can be used" in _refused(
        run, "ingest", data_set(tmp_path / "gone", [{"path": "missing.png", "label": "dark"}])
    )
    assert ada.archive.catalogue.batches() == []


@pytest.mark.parametrize("command", [("ingest", "."), ("quarantine",)])
def test_without_a_home_it_says_so(run: Run, command: tuple[str, ...]) -> None:
    assert "is not a site's home" in _refused(run, *command)
