"""The hospital's pages in a real browser: clicked through as an engineer and an approver would, without scripts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from federated.web.access import Access, add_token
from federated.web.door import Door
from site_agent.adopt import read_shelf
from site_agent.egress import Gate
from site_agent.home import SiteHome
from site_agent.web.house import NAV, ROLES, hospital
from tests.federated.web.running import served
from tests.system.browsing import browser as program
from tests.system.conftest import free_port
from tests.system.hospital_making import PASSPHRASE, make
from tests.system.pages import (
    NARROW,
    browsing,
    keep,
    page_of,
    require_fits,
    require_keyboard,
    require_prints,
    require_readable,
)

__all__ = ["program"]

pytestmark = pytest.mark.system

PICTURES = {"/": "hospital_data", "/left": "hospital_left", "/experts": "hospital_experts"}


@pytest.fixture(scope="module")
def north(tmp_path_factory: pytest.TempPathFactory) -> SiteHome:
    return make(tmp_path_factory.mktemp("hospital"), patients=24)


@pytest.fixture(scope="module")
def browser(program: str) -> Iterator[Browser]:
    with browsing(program) as found:
        yield found


@pytest.fixture
def house(north: SiteHome, tmp_path: Path) -> Iterator[tuple[SiteHome, str, str]]:
    """A copy of the hospital at an address, and an approver's token."""
    shutil.copytree(north.path, tmp_path / "north")
    home, door = SiteHome(tmp_path / "north"), Door(port=free_port())
    token = add_token(home.path / "access.toml", "eve", "approver", days=9)
    with served(hospital(home, Access(home.path / "access.toml", ROLES), door), door) as port:
        yield home, f"http://127.0.0.1:{port}", token


def _sign_in(page: Page, address: str, token: str) -> None:
    page.goto(address)
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()


def _deeper(home: SiteHome) -> list[str]:
    gate = Gate(home)
    waits, left = gate.pending()[0].digest[7:], gate.receipts()[0].digest[7:]
    return [f"/pending/{waits}", f"/left/{left}", "/releases/1", "/decisions/0"]


def test_every_page_is_reached_by_its_name_in_light_and_dark(
    house: tuple[SiteHome, str, str], browser: Browser
) -> None:
    _, address, token = house
    for dark in (False, True):
        with page_of(browser, dark=dark) as page:
            _sign_in(page, address, token)
            for path, name in NAV:
                page.get_by_role("navigation", name="Pages").get_by_role("link", name=name, exact=True).click()
                assert page.url == address + path
                require_readable(page)
                if path in PICTURES and not dark:
                    keep(page, PICTURES[path])
                if path == "/" and dark:
                    keep(page, "hospital_data_dark")


def test_every_page_is_read_by_keys_on_a_narrow_screen_and_on_paper(
    house: tuple[SiteHome, str, str], browser: Browser
) -> None:
    home, address, token = house
    with page_of(browser, width=NARROW) as page:
        _sign_in(page, address, token)
        for path in [*(path for path, _ in NAV), *_deeper(home)]:
            page.goto(address + path)
            require_readable(page)
            require_fits(page)
            require_keyboard(page)
            require_prints(page)


def test_an_approver_reads_what_could_be_inferred_and_lets_it_leave(
    house: tuple[SiteHome, str, str], browser: Browser
) -> None:
    home, address, token = house
    with page_of(browser) as page:
        _sign_in(page, address, token)
        page.get_by_role("link", name="waits for an approver").click()
        page.get_by_role("link", name="Sums over the images of a batch: batch b0002").click()
        assert page.get_by_text("two uploads that differ by one patient reveal").is_visible()
        keep(page, "hospital_draft")
        page.locator("#passphrase").fill("not the right words")
        page.get_by_role("button", name="Approve and sign").click()
        assert page.get_by_text("the passphrase is another").is_visible()
        assert len(Gate(home).pending()) == 1
        page.go_back()
        page.locator("#passphrase").fill(PASSPHRASE)
        page.get_by_role("button", name="Approve and sign").click()
        assert page.get_by_text("an approver signed this parcel").is_visible()
        assert Gate(home).pending() == []
        page.get_by_role("link", name="What left", exact=True).click()
        page.get_by_role("link", name="1", exact=True).click()
        assert page.get_by_text("logged as it left").is_visible()
        keep(page, "hospital_receipt")


def test_a_draft_is_kept_here(house: tuple[SiteHome, str, str], browser: Browser) -> None:
    home, address, token = house
    with page_of(browser) as page:
        _sign_in(page, address, token)
        page.goto(f"{address}/pending/{Gate(home).pending()[0].digest[7:]}")
        page.locator("#reason").fill("another look first")
        page.locator("#passphrase2").fill(PASSPHRASE)
        page.get_by_role("button", name="Keep it here").click()
        assert page.get_by_text("Nothing waits.").is_visible()
        assert Gate(home).pending() == []


def test_a_release_is_measured_and_adopted(house: tuple[SiteHome, str, str], browser: Browser) -> None:
    home, address, token = house
    with page_of(browser) as page:
        _sign_in(page, address, token)
        page.get_by_role("link", name="Releases", exact=True).click()
        page.get_by_role("link", name="2", exact=True).click()
        page.get_by_role("button", name="Measure it on my held-back patients").click()
        keep(page, "hospital_release")
        page.get_by_role("button", name="Adopt", exact=True).click()
        assert page.get_by_text("It answers here.").is_visible()
        current = read_shelf(home).current
        assert current is not None
        assert current.number == 2
        page.goto(f"{address}/decisions/0")
        keep(page, "hospital_answer")


def test_signed_out_is_out(house: tuple[SiteHome, str, str], browser: Browser) -> None:
    _, address, token = house
    with page_of(browser) as page:
        _sign_in(page, address, token)
        page.get_by_role("button", name="Sign out").click()
        page.goto(f"{address}/left")
        assert page.get_by_label("Token").is_visible()
