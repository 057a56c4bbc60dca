"""All of the auditor's pages: each is shown, leads to the others, sends nothing, and shows foreign words as words."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from federated.audit_pages.house import NAV, audit_house
from federated.audit_pages.room import Room
from federated.web.access import Access, add_token
from federated.web.door import Door

PATHS = [path for path, _ in NAV]
MORE = [
    "/experts/ada",
    "/experts/cem?release=2",
    "/weights?measure=weights&release=1",
    "/weights?measure=contributions",
]
MORE += [
    "/answers?release=1",
    "/decisions?standing=nobody+knows",
    "/decisions/1",
    "/releases/1",
    "/releases/2",
    "/log/0",
]
MORE += ["/log?event=release", "/log?site=ada&page=2", "/weights.csv", "/log/3"]
NONE = ["/experts/nobody", "/decisions/0", "/decisions/x", "/releases/9", "/releases/x", "/log/99999", "/log/-1"]
NONE += [
    "/experts?release=7",
    "/weights?release=%C2%B2",
    "/decisions/99999999999999999999",
    "/experts/..%2f..",
    "/log/1x",
]


def reader(room: Room, folder: Path) -> TestClient:
    token = add_token(folder / "access.toml", "ada", "reader", days=3)
    gate = audit_house(room, Access(folder / "access.toml", ("reader",)), Door())
    return TestClient(gate, base_url="http://localhost", headers={"authorization": f"Bearer {token}"})


@pytest.fixture
def client(room: Room, tmp_path: Path) -> TestClient:
    return reader(room, tmp_path)


@pytest.mark.parametrize("path", [*PATHS, *MORE])
def test_every_page_is_shown(path: str, client: TestClient) -> None:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    assert "Undefined" not in answer.text
    assert "None" not in re.sub(r"None\.</p>", "", answer.text)


@pytest.mark.parametrize("path", NONE)
def test_what_is_not_there(path: str, client: TestClient) -> None:
    assert client.get(path).status_code == 404


def test_every_link_leads_somewhere(client: TestClient) -> None:
    seen, open_ = set[str](), ["/"]
    while open_:
        path = open_.pop()
        answer = client.get(path)
        assert answer.status_code == 200, path
        found = re.findall(r'href="(/[^"#]*|\?[^"]*)"', answer.text)
        base = path.partition("?")[0]
        links = {(base + one if one.startswith("?") else one).replace("&amp;", "&") for one in found}
        open_ += [link for link in links - seen if not link.endswith((".css", ".csv")) and len(seen) < 150]
        seen |= links
    assert {"/experts/ada?release=2", "/log/3", "/decisions/1", "/releases/1"} <= seen


@pytest.mark.parametrize("path", [*PATHS, "/experts/ada", "/log/0"])
def test_nothing_can_be_sent(path: str, client: TestClient) -> None:
    assert client.post(path, data={"a": "1"}).status_code == 405


@pytest.mark.parametrize("path", [*PATHS, *MORE])
def test_without_a_token_nothing_is_shown(path: str, room: Room, tmp_path: Path) -> None:
    gate = audit_house(room, Access(tmp_path / "access.toml", ("reader",)), Door())
    assert TestClient(gate, base_url="http://localhost").get(path).status_code == 401


def test_a_name_with_markup_is_a_name(told: Any, tmp_path: Path, room: Room) -> None:
    """A record's names have a form of their own; labels are what people wrote."""
    changed = copy.copy(room.index)
    bad = '<img src=x onerror="alert(1)">'
    release = room.index.release(1)
    assert release is not None
    release.facts["labels"][0] = release.facts["concepts"][0] = bad
    changed.release = lambda place: release if place == 1 else room.index.release(place)  # type: ignore[method-assign]
    browser = reader(Room(changed, room.bundle, room.trust), tmp_path)
    for path in ("/experts", "/weights", "/answers", "/releases/2", "/experts/ada"):
        shown = browser.get(path)
        assert shown.status_code == 200
        assert "<img" not in shown.text
        assert "&lt;img" in shown.text


def test_the_page_where_one_is_is_marked(client: TestClient) -> None:
    text = client.get("/experts/ada").text
    assert '<a href="/experts" aria-current="page">' in text
    assert text.count("aria-current") == 1
