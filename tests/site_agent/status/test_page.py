"""The page is whole, needs nothing from elsewhere, and shows hostile words as words."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from site_agent.status.page import status_page, write_page
from site_agent.status.status import SiteStatus, site_status
from tests.site_agent.page_reading import Reader, assert_needs_nothing_else, read_page
from tests.site_agent.status_making import EMPTY, HOSTILE, STATUS, hostile

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation, Run

WHEN = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
PICTURES = {"399214001": [b"one", b"two"]}


def _read(status: SiteStatus) -> Reader:
    return read_page(status_page(status, PICTURES, WHEN))


@pytest.mark.parametrize("status", [STATUS, EMPTY, hostile()], ids=["full", "empty", "hostile"])
def test_it_is_well_formed_and_needs_nothing_else(status: SiteStatus) -> None:
    assert_needs_nothing_else(status_page(status, PICTURES, WHEN))


def test_it_says_what_the_status_says() -> None:
    words = _read(STATUS).words
    for word in (
        *("north", "federation echo, coordinator hub", "2026-03-04 05:06 UTC", "1,234"),
        *("apical four-chamber (A4C)", "399214001", "no label", "GE Vivid E95", "not said", "is cut short"),
        *("b0001", "2026-03-01 10:00", "Policy: may leave: statistics.", "Release 4 answers here.", "good enough"),
    ):
        assert word in words, word
    assert "Last round of work: statistics, batch b0001: outbox" in words


def test_pictures_stand_beside_their_view() -> None:
    page = status_page(STATUS, PICTURES, WHEN)
    row = next(part for part in page.split("<tr>") if "399214001" in part)
    assert re.findall(r"base64,([^\"]+)", row) == ["b25l", "dHdv"]
    assert page.count("<img") == 2


def test_an_empty_site_says_so() -> None:
    reader = _read(EMPTY)
    assert "No images have been taken in yet." in reader.words
    assert "table" not in reader.elements


def test_until_when_a_release_may_answer_is_told() -> None:
    words = _read(STATUS.model_copy(update={"lease": "by the list of today, good until tomorrow"})).words
    assert "By the list of today, good until tomorrow." in words


def test_who_was_forgotten_is_told_until_when() -> None:
    sent = STATUS.contributions[0].model_copy(update={"forgotten": "stays until <b>"})
    words = _read(STATUS.model_copy(update={"contributions": (sent,)})).words
    assert "A patient who was forgotten stays until <b>." in "".join(words)


def test_hostile_words_are_words() -> None:
    reader = _read(hostile())
    text = "".join(reader.words)
    assert text.count(HOSTILE) >= 8
    assert "script" not in reader.elements


def test_it_is_written_for_its_owner_only(federation: Federation, tmp_path: Path) -> None:
    home = federation.join("ada")
    federation.take_in(home, {"dark": 2, "light": 2})
    write_page(tmp_path / "page.html", site_status(home), home.archive)
    page = (tmp_path / "page.html").read_text()
    assert page.count("data:image/png;base64,") == 4
    assert (tmp_path / "page.html").stat().st_mode & 0o077 == 0
    assert "dark-0" not in page


def test_from_the_command_line(
    federation: Federation, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    federation.join("ada")
    told = run("status", "--html", "page.html")
    assert (told.code, told.out) == (0, "")
    assert told.err.startswith("wrote page.html; it shows images of patients")
    assert "No images have been taken in yet." in (tmp_path / "page.html").read_text()
    assert run("status", "--html", "more.html", "--json").json["holdings"]["patients"] == 0
    assert "cannot be written" in run("status", "--html", "nowhere/page.html").err
