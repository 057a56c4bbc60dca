from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from site_agent.adopt import read_shelf
from site_agent.egress import Gate
from tests.site_agent.web.conftest import browser, mark_of

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from site_agent.home import SiteHome

HOSTILE = "<img src=x onerror=alert(1)>"


def _state(home: SiteHome, number: str) -> str:
    return next(held.state for held in read_shelf(home).releases if str(held.number) == number)


def _post(person: TestClient, number: str, what: str, **form: str) -> int:
    mark = mark_of(person.get(f"/releases/{number}").text)
    return person.post(f"/releases/{number}/{what}", data={"csrf": mark, **form}).status_code


def test_a_release_is_shown_with_the_figures_of_ones_own_patients(north: SiteHome) -> None:
    viewer = browser(north, "viewer")
    first, second = read_shelf(north).releases
    shown = viewer.get("/releases").text
    assert f"Release {first.number} answers here" in shown
    assert "waits for your decision" in shown
    assert first.evaluation is not None
    assert str(first.evaluation.balanced_accuracy) in viewer.get(f"/releases/{first.number}").text
    assert "Not measured on your own patients yet" in viewer.get(f"/releases/{second.number}").text


def test_it_is_measured_then_adopted_and_the_coordinator_is_told(own: SiteHome) -> None:
    approver = browser(own, "approver")
    assert 'value="adopt"' not in approver.get("/releases/2").text
    assert _post(approver, "2", "choose", choice="adopt") == 400  # not measured here yet
    assert _post(approver, "2", "evaluate") == 303
    assert 'value="adopt"' in approver.get("/releases/2").text
    before = len(Gate(own).receipts())
    assert _post(approver, "2", "choose", choice="pin", reason=HOSTILE) == 303
    assert _state(own, "2") == "pinned"
    assert [one.kind for one in Gate(own).receipts()[before:]] == ["adoption"]
    shown = approver.get("/releases").text
    assert HOSTILE not in shown
    assert "&lt;img" in shown


def test_it_is_refused_and_the_one_before_answers_on(own: SiteHome) -> None:
    approver = browser(own, "approver")
    assert _post(approver, "2", "choose", choice="refuse", reason="worse") == 303
    assert _state(own, "2") == "refused"
    assert read_shelf(own).current is not None


@pytest.mark.parametrize("choice", ["", "delete", "adopted"])
def test_another_choice_is_none(own: SiteHome, choice: str) -> None:
    before = read_shelf(own)
    assert _post(browser(own, "approver"), "2", "choose", choice=choice) == 400
    assert read_shelf(own) == before


@pytest.mark.parametrize("number", ["0", "99", "-1", "x", "1'"])
def test_there_is_no_other_release(north: SiteHome, number: str) -> None:
    assert browser(north, "viewer").get(f"/releases/{number}").status_code == 404
