"""Another machine is another version of the site's expert, which stands beside those before it and never over them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from federated.manifest import ReleaseManifest
from site_agent.adopt import load, read_shelf
from site_agent.agent import withdraw
from site_agent.home import SiteHome
from site_agent.intake.ingest import Order, ingest
from site_agent.intake.reports import IngestReport

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation

PATIENTS = {"dark": 14, "light": 14}


def _take_in(federation: Federation, home: SiteHome, machine: str, first: int) -> IngestReport:
    index = federation.images(home.config.site, PATIENTS, first=first)
    return ingest(home.archive, home.vocabulary, home.label_map, index, replace(Order(), machine=machine))


def _newest(home: SiteHome) -> ReleaseManifest:
    return load(home, read_shelf(home).releases[-1].digest)[0]


def test_versions_stand_beside_each_other_until_one_is_withdrawn(federation: Federation) -> None:
    home = federation.join("ada")
    federation.allow(home)
    _take_in(federation, home, "Bittern 3", 0)
    federation.event(home)
    (old,) = _newest(home).sites
    _take_in(federation, home, "Fulmar", 100)
    federation.event(home)
    (both,) = _newest(home).sites
    assert (old.versions, both.versions) == ((1,), (1, 2))
    assert set(old.contributions) < set(both.contributions)
    assert len(both.contributions) == 2
    (told,) = federation.coordinator.status()["sites"]
    assert {each["batch"]: each["version"] for each in told["contributions"]} == {"b0001": 1, "b0002": 2}

    withdraw(home, ["b0002"])
    federation.event(home)
    (left,) = _newest(home).sites
    assert (left.versions, left.contributions) == ((1,), old.contributions)
