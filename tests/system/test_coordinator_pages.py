"""The coordinator's pages in a real browser: without scripts, by keyboard, in light and dark, narrow, on paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from federated.web.access import Access
from federated.web.door import Door
from federated.web.site import site
from server.event import run_event
from server.web.pages import NAV, VIEWER, Pages
from tests.federated.web.running import served
from tests.server.conftest import World
from tests.system.browsing import browser as program
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

PATHS = [*(path for path, _ in NAV), "/sites/ben", "/releases/3"]
GROUND = {False: "rgb(246, 247, 249)", True: "rgb(18, 22, 28)"}
PICTURES = {"/": "coordinator_overview", "/sites": "coordinator_hospitals", "/releases": "coordinator_releases"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Three hospitals that came one after another, one that was invited; a recall, a refusal, rubbish."""
    made = World(tmp_path_factory.mktemp("world"))
    ada, ben, cem = (made.join(name) for name in ("ada", "ben", "cem"))
    for hospital, level in ((ada, 2), (ben, 1), (cem, 2)):
        hospital.put(hospital.statistics(level=level))
        run_event(made.coordinator, made)
    ben.choice = "refused"
    ada.put(ada.statistics("b0002", expert=2))
    run_event(made.coordinator, made)
    made.coordinator.recall(2, "labels were mixed up")
    made.coordinator.accept(b"rubbish")
    made.coordinator.invite("dora")
    return made


@pytest.fixture(scope="module")
def home(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the pages are, open to this machine."""
    access = Access(tmp_path_factory.mktemp("access") / "access.toml", (VIEWER,), loopback=True)
    pages = Pages(world.coordinator.home)
    gate = site("test: coordinator", pages.routes, access, door=Door(), nav=NAV, packages=("server.web",))
    with served(gate, Door(port=0)) as port:
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


@pytest.mark.parametrize("path", PATHS)
def test_every_page_fits_a_telephone(path: str, browser: Browser, home: str) -> None:
    with page_of(browser, width=NARROW) as page:
        page.goto(home + path)
        require_fits(page)


@pytest.mark.parametrize("path", ["/", "/sites", "/releases/3"])
def test_every_place_is_reached_by_keys(path: str, browser: Browser, home: str) -> None:
    with page_of(browser) as page:
        page.goto(home + path)
        require_keyboard(page)


def test_by_clicks_through_every_page(browser: Browser, home: str) -> None:
    with page_of(browser) as page:
        page.goto(home)
        for path, name in NAV:
            page.get_by_role("navigation", name="Pages").get_by_role("link", name=name, exact=True).click()
            assert page.url == home + path
            assert page.locator("nav a[aria-current=page]").inner_text() == name
        page.goto(f"{home}/releases")
        page.get_by_role("link", name="2", exact=True).click()
        assert page.get_by_role("alert").inner_text().startswith("This release was recalled")
        page.get_by_role("link", name="ben", exact=True).click()
        assert page.locator("h1").inner_text() == "ben"
        assert page.get_by_text("class sums").count() == 0
        assert page.locator("caption").first.inner_text().startswith("As its newest parcel")


def test_the_dots_of_the_timeline_say_what_they_are(browser: Browser, home: str) -> None:
    with page_of(browser) as page:
        page.goto(home)
        said = [each.text_content() or "" for each in page.locator("svg circle title").all()]
        assert sum("release" in each for each in said) == 4
        assert sum("recall 2" in each for each in said) == 1
        assert sum("statistics of batch" in each for each in said) == 4


@pytest.mark.parametrize("path", ["/", "/releases", "/log"])
def test_every_page_prints(path: str, browser: Browser, home: str, tmp_path: Path) -> None:
    with page_of(browser, dark=True) as page:
        page.goto(home + path)
        assert len(require_prints(page)) > 10_000
