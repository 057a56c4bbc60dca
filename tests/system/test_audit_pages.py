"""The auditor's pages in a real browser: without scripts, by keyboard, in light and dark, narrow, on paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from federated.audit_pages.house import NAV, audit_house
from federated.audit_pages.room import Room
from federated.web.access import Access, add_token
from federated.web.door import Door
from tests.federated.audit.conftest import make_record, whole
from tests.federated.audit_pages.conftest import room, told
from tests.federated.conftest import make_federation, make_sample
from tests.federated.web.running import served
from tests.system.browsing import browser as program
from tests.system.pages import (
    NARROW,
    browsing,
    keep,
    page_of,
    require_fits,
    require_fits_paper,
    require_keyboard,
    require_prints,
    require_readable,
)

__all__ = ["make_federation", "make_record", "make_sample", "program", "room", "told", "whole"]

pytestmark = pytest.mark.system

DEEPER = ("/experts/cem", "/decisions/3", "/log/3", "/releases/2", "/weights?measure=contributions")
PATHS = [*(path for path, _ in NAV), *DEEPER]
GROUND = {False: "rgb(246, 247, 249)", True: "rgb(18, 22, 28)"}
PICTURES = {
    "/": "audit_overview",
    "/experts": "audit_experts",
    "/weights": "audit_weights",
    "/answers": "audit_answers",
    "/decisions/3": "audit_decision",
}


@pytest.fixture(scope="module")
def home(room: Room, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the pages are, open to this machine."""
    access = Access(tmp_path_factory.mktemp("access") / "access.toml", ("reader",), loopback=True)
    with served(audit_house(room, access, Door()), Door(port=0)) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def browser(program: str) -> Iterator[Browser]:
    with browsing(program) as found:
        yield found


@pytest.mark.parametrize("path", PATHS)
def test_every_page_is_readable_in_light_and_dark(path: str, browser: Browser, home: str) -> None:
    for dark in (False, True):
        with page_of(browser, dark=dark) as page:
            page.goto(home + path)
            require_readable(page)
            require_fits(page)
            assert page.evaluate("getComputedStyle(document.body).backgroundColor") == GROUND[dark]
            if path in PICTURES and not dark:
                keep(page, PICTURES[path])
            if path == "/" and dark:
                keep(page, "audit_overview_dark")


@pytest.mark.parametrize("path", PATHS)
def test_every_page_fits_a_telephone(path: str, browser: Browser, home: str) -> None:
    with page_of(browser, width=NARROW) as page:
        page.goto(home + path)
        require_fits(page)
        if path == "/experts":
            keep(page, "audit_experts_narrow")


@pytest.mark.parametrize("path", ["/", "/weights", "/decisions", "/log/3"])
def test_every_place_is_reached_by_keys(path: str, browser: Browser, home: str) -> None:
    with page_of(browser) as page:
        page.goto(home + path)
        require_keyboard(page)


def test_by_keys_alone_from_the_first_page_to_an_expert(browser: Browser, home: str) -> None:
    with page_of(browser) as page:
        page.goto(home)
        for wanted, path in (("Experts", "/experts"), ("cem", "/experts/cem?release=2")):
            for _ in range(40):
                page.keyboard.press("Tab")
                if page.evaluate("document.activeElement.textContent.trim()") == wanted:
                    break
            page.keyboard.press("Enter")
            page.wait_for_url(home + path)
        assert page.locator("h1").inner_text() == "cem"
        assert page.get_by_role("img", name="Patients behind each label of cem").count() == 1


def test_by_clicks_through_every_page(browser: Browser, home: str) -> None:
    with page_of(browser) as page:
        page.goto(home)
        for path, name in NAV:
            page.get_by_role("navigation", name="Pages").get_by_role("link", name=name, exact=True).click()
            assert page.url == home + path
            assert page.locator("nav a[aria-current=page]").inner_text() == name
        page.goto(f"{home}/decisions")
        page.get_by_label("whose most of the evidence is").select_option("nobody knows")
        page.get_by_role("button", name="Show").click()
        page.locator("tbody a").first.click()
        assert page.get_by_text("Nobody knows", exact=True).count() == 1
        page.get_by_role("link", name="of the log").click()
        assert "lead from the entry to the root" in page.locator(".steps").inner_text()


def test_a_curve_is_a_line_and_a_bar_has_its_own_size(browser: Browser, home: str) -> None:
    with page_of(browser) as page:
        page.goto(home)
        for style in ("polyline", "circle"):
            fills: Any = page.evaluate(
                f"[...document.querySelectorAll('.plot {style}')].map(x => getComputedStyle(x).fill)"
            )
            assert (set(fills) == {"none"}) is (style == "polyline"), fills
        page.goto(f"{home}/weights")
        strokes: Any = page.evaluate(
            "[...document.querySelectorAll('.plot rect')].map(x => getComputedStyle(x).stroke)"
        )
        assert set(strokes) == {"none"}


def test_a_release_is_chosen_by_its_number(browser: Browser, home: str) -> None:
    with page_of(browser) as page:
        page.goto(f"{home}/experts")
        page.get_by_label("release, 1 to 2").fill("1")
        page.get_by_role("button", name="Show").click()
        assert page.locator("h1").inner_text() == "Experts of release 1"
        assert page.locator(".card").count() == 2


@pytest.mark.parametrize("path", ["/", "/weights", "/decisions/3", "/experts"])
def test_every_page_prints(path: str, browser: Browser, home: str) -> None:
    with page_of(browser, dark=True) as page:
        page.goto(home + path)
        assert len(require_prints(page)) > 15_000
        require_fits_paper(page)


def test_who_has_a_token_signs_in_and_out(browser: Browser, room: Room, tmp_path: Path) -> None:
    token = add_token(tmp_path / "access.toml", "ada", "reader", days=3)
    gate = audit_house(room, Access(tmp_path / "access.toml", ("reader",)), Door())
    with served(gate, Door(port=0)) as port, page_of(browser) as page:
        home = f"http://127.0.0.1:{port}"
        answer: Any = page.goto(f"{home}/experts")
        assert answer.status == 401
        require_readable(page)
        keep(page, "web_sign_in")
        page.get_by_label("Token").fill("wrong")
        page.keyboard.press("Enter")
        assert page.get_by_role("alert").inner_text() == "Nobody here has this token."
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Sign in").click()
        assert page.url == f"{home}/experts", "one comes to where one wanted to"
        assert "ada · reader" in page.locator(".who").inner_text()
        page.get_by_role("button", name="Sign out").click()
        assert page.url == f"{home}/login"
        answer = page.goto(f"{home}/experts")
        assert answer.status == 401
