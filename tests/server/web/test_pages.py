from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from federated.web.access import Access, add_token
from federated.web.door import Door
from federated.web.site import site
from server.event import run_event
from server.web.pages import NAV, Pages
from tests.federated.web.house import HOME, bearer

if TYPE_CHECKING:
    from tests.server.conftest import World

PLACES = [path for path, _ in NAV]


def _browser(world: World, tmp_path: Path) -> TestClient:
    pages, path = Pages(world.coordinator.home), tmp_path / "access.toml"
    shown = site("test", pages.routes, Access(path, ("viewer",), loopback=False), door=Door(), nav=NAV,
                 packages=("server.web",))  # fmt: skip
    headers = bearer(add_token(path, "eve", "viewer", days=1))
    return TestClient(shown, base_url=HOME, follow_redirects=False, headers=headers)


@pytest.fixture
def busy(world: World) -> World:
    """Two hospitals, two releases, one of them recalled, one of them refused by a hospital; rubbish in quarantine."""
    ada, ben = world.join("ada"), world.join("ben")
    world.coordinator.invite("cem")
    ada.put(ada.statistics())
    run_event(world.coordinator, world)
    ben.choice = "refused"
    ben.put(ben.statistics(level=1))
    run_event(world.coordinator, world)
    world.coordinator.recall(1, "a mistake")
    world.coordinator.accept(b"rubbish")
    return world


def _text(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


@pytest.mark.parametrize("path", PLACES)
def test_an_empty_federation_has_every_page(world: World, tmp_path: Path, path: str) -> None:
    found = _browser(world, tmp_path).get(path)
    assert (found.status_code, found.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_the_overview_tells_how_things_stand(busy: World, tmp_path: Path) -> None:
    shown = _text(_browser(busy, tmp_path).get("/").text)
    assert "hospitals enrolled 2" in shown
    assert "newest release, standing 2" in shown
    assert "in quarantine 1" in shown
    assert "recall 1" in shown
    assert shown.count("statistics of batch b0001 from") == 2


def test_hospitals_with_what_they_give_and_use(busy: World, tmp_path: Path) -> None:
    browser = _browser(busy, tmp_path)
    rows = {row.split()[0]: row for row in map(_text, browser.get("/sites").text.split("<tr>"))}
    assert "enrolled" in rows["ada"]
    assert "Gram matrices" in rows["ada"]
    assert re.search(r"Gram matrices 2 \d+ \d+ ?$", rows["ada"])  # works with release 2
    assert "class sums" in rows["ben"]
    assert "Gram matrices" not in rows["ben"]
    assert "1 recalled" in rows["ben"]  # it refused the second release, and has not heard of the recall yet
    assert "invited" in rows["cem"]
    one = _text(browser.get("/sites/ben").text)
    assert "statistics" in one
    assert "adoption" in one
    assert browser.get("/sites/nobody").status_code == 404


def test_releases_with_accuracy_cost_and_choices(busy: World, tmp_path: Path) -> None:
    browser = _browser(busy, tmp_path)
    shown = browser.get("/releases").text
    assert "Balanced accuracy on held-back patients" in shown
    figures = Pages(busy.coordinator.home).figures
    digests = {each["number"]: each["digest"] for each in busy.coordinator.status()["releases"]}
    found = figures.release(digests[2])
    assert found is not None
    assert set(found.accuracy) == {"ada", "ben"}
    assert found.mean is not None
    assert f"{100 * found.mean:.1f} %" in shown
    assert "recalled" in shown
    one = _text(browser.get("/releases/2").text)
    assert digests[1] in one
    assert re.search(r"ben .*own .*refused", one)
    assert "a4c 8" in one, "patients are told label by label, as one may have images of several"
    assert browser.get("/releases/1").text.count('role="alert"') == 1
    assert [browser.get(f"/releases/{wrong}").status_code for wrong in ("3", "x", "-1", "2.0")] == [404] * 4


def test_what_was_refused_is_told_with_the_reason(busy: World, tmp_path: Path) -> None:
    assert "is not a Consilium parcel" in _text(_browser(busy, tmp_path).get("/quarantine").text)


def test_the_log_is_shown_a_part_at_a_time(busy: World, tmp_path: Path) -> None:
    for _ in range(60):
        busy.coordinator.invite("cem")
    browser = _browser(busy, tmp_path)
    size = busy.coordinator.status()["events"] and len(re.findall(r"<tr>", browser.get("/log").text)) - 1
    assert size == 50
    second = browser.get("/log?page=2").text
    assert '<th scope="row">0</th>' in second
    assert '<th scope="row">0</th>' not in browser.get("/log").text
    assert "init" in _text(second)


def test_a_release_whose_bytes_are_gone_is_told_so(busy: World, tmp_path: Path) -> None:
    digest = busy.coordinator.status()["releases"][0]["digest"]
    busy.coordinator.artefacts.path(digest).unlink()
    browser = _browser(busy, tmp_path)
    assert "its bytes cannot be read" in browser.get("/releases").text
    assert "restore them from a backup" in browser.get("/releases/1").text


def test_nobody_without_a_token_and_nothing_is_written(busy: World, tmp_path: Path) -> None:
    browser = _browser(busy, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in busy.coordinator.home.path.rglob("*") if path.is_file()}
    for path in PLACES:
        assert browser.get(path).status_code == 200
        assert browser.post(path, data={"x": "y"}).status_code in {403, 405}
    del browser.headers["authorization"]
    assert {browser.get(path).status_code for path in [*PLACES, "/sites/ada", "/releases/1"]} <= {303, 401}
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_releases_are_read_one_by_one_before_anybody_asks(busy: World) -> None:
    assert list(Pages(busy.coordinator.home).read()) == [(1, 2), (2, 2)]


def test_pages_are_quick_once_releases_were_read(busy: World, tmp_path: Path) -> None:
    browser = _browser(busy, tmp_path)
    for path in PLACES:
        browser.get(path)
    began = time.perf_counter()
    for path in PLACES:
        browser.get(path)
    assert time.perf_counter() - began < 0.3 * len(PLACES)
