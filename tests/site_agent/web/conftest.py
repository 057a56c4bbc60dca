"""A hospital with something of everything: images, drafts that wait, receipts in the log, releases, answers."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from federated.web.access import Access, add_token
from federated.web.door import Door
from site_agent.adopt import choose, evaluate, read_shelf
from site_agent.agent import tell, work
from site_agent.home import SiteHome
from site_agent.web.house import ROLES, hospital
from site_agent.witness import witness

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation

PATIENTS = {"dark": 16, "light": 16, "striped": 16}


@pytest.fixture(scope="session")
def north(tmp_path_factory: pytest.TempPathFactory, found: type[Federation]) -> SiteHome:
    """Made once, for tests that only look."""
    return _make_hospital(found(tmp_path_factory.mktemp("north")))


@pytest.fixture
def own(north: SiteHome, tmp_path: Path) -> SiteHome:
    """A copy, for a test that changes it."""
    shutil.copytree(north.path, tmp_path / "own", ignore=shutil.ignore_patterns("access.toml"))
    return SiteHome(tmp_path / "own")


def _make_hospital(federation: Federation) -> SiteHome:
    """Two hospitals, one release adopted, one waiting; one contribution left, the next waits for an approver."""
    north, south = federation.hospital("north", PATIENTS), federation.hospital("south", PATIENTS)
    federation.event(north, south)
    digest = read_shelf(north).releases[-1].digest
    evaluate(north, digest)
    choose(north, digest, "adopted")
    tell(north)
    federation.exchange(north)
    _witnessed(federation, north)
    federation.take_in(south, PATIENTS, first=100)
    federation.event(north, south)
    federation.take_in(north, PATIENTS, first=100)
    federation.allow(north, "statistics", "report", statistics={"approval": "each"})
    work(north)
    return north


def _witnessed(federation: Federation, home: SiteHome) -> None:
    """The site signs the coordinator's log, and is told of what it sent."""
    asked, *told = federation.coordinator.unwitnessed([home.config.site])[home.config.site]
    assert federation.coordinator.take_cosignature(home.config.site, witness(home, asked, told))


def browser(home: SiteHome, role: str | None) -> TestClient:
    """Somebody who has signed in; without a role, whoever is at this machine."""
    path: Path = home.path / "access.toml"
    access = Access(path, ROLES, loopback=role is None)
    made = TestClient(hospital(home, access, Door()), base_url="http://localhost:8080", follow_redirects=False)
    if role is not None:
        path.unlink(missing_ok=True)
        assert made.post("/login", data={"token": add_token(path, role, role, days=9)}).status_code == 303
    return made


def mark_of(shown: str) -> str:
    """What the forms of a page carry."""
    return shown.partition('name="csrf" value="')[2].partition('"')[0]
