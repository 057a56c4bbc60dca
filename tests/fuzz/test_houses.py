"""Pages of auditor and coordinator, asked for with anything in the place of a name, number or filter: never a fault."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from federated.audit_pages.house import PAGES, audit_house
from federated.audit_pages.room import Room
from federated.web.access import Access, add_token
from federated.web.door import Door
from federated.web.site import site
from server.event import run_event
from server.web.pages import NAV, Pages
from tests.federated.audit_pages.conftest import make_record, room, told, whole
from tests.federated.conftest import federation, make_federation
from tests.fuzz.asking import QUERIES, WORDS, looked_at
from tests.fuzz.mutation import fuzzed
from tests.server.conftest import World

__all__ = ["federation", "make_federation", "make_record", "room", "told", "whole"]


@pytest.fixture(scope="module")
def auditor(room: Room, tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    path = tmp_path_factory.mktemp("auditor") / "access.toml"
    key = add_token(path, "eve", "reader", days=3)
    gate = audit_house(room, Access(path, ("reader",)), Door())
    return _client(gate, key)


@pytest.fixture(scope="module")
def coordinator(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    folder = tmp_path_factory.mktemp("coordinator")
    world = World(folder)
    ada = world.join("ada")
    ada.put(ada.statistics())
    run_event(world.coordinator, world)
    world.coordinator.accept(b"rubbish")
    key = add_token(folder / "access.toml", "eve", "viewer", days=3)
    pages = Pages(world.coordinator.home)
    access = Access(folder / "access.toml", ("viewer",))
    return _client(site("test", pages.routes, access, door=Door(), nav=NAV, packages=("server.web",)), key)


def _client(gate: Any, key: str) -> TestClient:
    gate.asked._burst = 1e9
    headers = {"authorization": f"Bearer {key}"}
    return TestClient(gate, base_url="http://localhost", headers=headers, follow_redirects=False)


@given(form=st.sampled_from(sorted(PAGES)), word=WORDS, query=QUERIES)
@fuzzed(120)
def test_the_auditors(auditor: TestClient, form: str, word: str, query: dict[str, str]) -> None:
    looked_at(auditor, form, word, query)


@given(form=st.sampled_from(["/", "/sites", "/sites/{name}", "/releases", "/releases/{number}", "/quarantine", "/log"]),
       word=WORDS, query=QUERIES)  # fmt: skip
@fuzzed(120)
def test_the_coordinators(coordinator: TestClient, form: str, word: str, query: dict[str, str]) -> None:
    looked_at(coordinator, form, word, query)
