from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from site_agent.egress import Gate
from site_agent.web.house import DONE, NAV, SHOWN
from tests.site_agent.web.conftest import browser

if TYPE_CHECKING:
    from site_agent.home import SiteHome


def _addresses(home: SiteHome) -> list[str]:
    gate = Gate(home)
    waits, left = gate.pending()[0].digest[7:], gate.receipts()[0].digest[7:]
    filled = []
    for path, _ in SHOWN:
        digest = waits if path.startswith("/pending") else left
        filled.append(path.replace("{digest}", digest).replace("{number}", "1"))
    return [path for path in filled if not path.startswith("/decisions/")]


def test_every_page_is_shown_to_a_viewer_and_names_itself(north: SiteHome) -> None:
    viewer = browser(north, "viewer")
    for path in _addresses(north):
        answer = viewer.get(path)
        assert answer.status_code == 200, (path, answer.text)
        if path.endswith(".json"):
            continue
        assert answer.text.count("<h1>") == 1
        assert "<script" not in answer.text
        assert "style=" not in answer.text
        assert 'lang="en"' in answer.text


def test_nobody_sees_anything_without_a_token(north: SiteHome) -> None:
    stranger = browser(north, "viewer")
    stranger.cookies.clear()
    for path in _addresses(north):
        assert stranger.get(path).status_code == 401


@pytest.mark.parametrize("path", [path for path, _ in DONE])
def test_a_viewer_changes_nothing(north: SiteHome, path: str) -> None:
    viewer = browser(north, "viewer")
    shown = viewer.get("/pending").text
    mark = shown.partition('name="csrf" value="')[2].partition('"')[0]
    filled = path.replace("{digest}", "ab" * 32).replace("{number}", "1")
    assert viewer.post(filled, data={"csrf": mark}).status_code == 403
    assert viewer.get(filled).status_code == 405


def test_whoever_is_at_this_machine_may_look_and_send_nothing(north: SiteHome) -> None:
    anybody = browser(north, None)
    assert anybody.get("/pending").status_code == 200
    for path, _ in DONE:
        filled = path.replace("{digest}", "ab" * 32).replace("{number}", "1")
        assert anybody.post(filled, data={}).status_code == 403


def test_the_way_to_every_page_is_on_every_page(north: SiteHome) -> None:
    shown = browser(north, "viewer").get("/left").text
    for path, name in NAV:
        assert f'href="{path}"' in shown
        assert name in shown
    assert 'aria-current="page">What left' in shown
