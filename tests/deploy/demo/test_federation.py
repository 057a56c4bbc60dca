"""Founding, joining, taking in: as the commands do it, and the same folds every time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deploy.demo.data import Material, folder_material
from deploy.demo.federation import allow, folds_of, found, join, take_in
from deploy.demo.places import Places
from federated.errors import DisclosureError
from server.coordinator import Coordinator
from site_agent.agent import work
from site_agent.catalogue import Catalogue
from site_agent.home import SiteHome
from site_agent.policy import read_policy


@pytest.fixture(scope="module")
def material(pictures: Path) -> Material:
    return folder_material(pictures, "site=hospital")


@pytest.fixture
def coordinator(material: Material, tmp_path: Path) -> Coordinator:
    return found(material, Places(tmp_path), "127.0.0.1:18000")


@pytest.fixture
def home(coordinator: Coordinator, material: Material, tmp_path: Path) -> SiteHome:
    site = join(coordinator, Places(tmp_path), "birch")
    take_in(site, material)
    return site


def test_a_site_joins_with_a_kit(coordinator: Coordinator, home: SiteHome) -> None:
    assert coordinator.sites() == ["birch"]
    assert home.config.front_end.name == "texture"
    assert home.vocabulary.codes == ("dots", "lines", "rings")


def test_only_the_sites_own_rows_are_taken_in(home: SiteHome) -> None:
    cases = Catalogue(home.catalogue_path).cases()
    assert len(cases) == 2 * 8 * 2
    assert {case.label for case in cases} == {"lines", "rings"}


def test_every_run_splits_alike(home: SiteHome, material: Material, tmp_path: Path) -> None:
    again = join(found(material, Places(tmp_path / "again"), "127.0.0.1:18000"), Places(tmp_path / "again"), "birch")
    take_in(again, material)
    first, second = (
        [(case.sha256, case.fold, case.patient) for case in Catalogue(one.catalogue_path).cases()]
        for one in (home, again)
    )
    assert first == second


def test_nothing_leaves_before_the_approver_has_signed(home: SiteHome) -> None:
    with pytest.raises(DisclosureError, match="there is no policy"):
        read_policy(home)
    assert [step.state for step in work(home).steps] == ["refused"]
    allow(home, ("statistics", "report"))
    assert read_policy(home).statistics.allowed
    assert not read_policy(home).features.allowed
    assert [(step.kind, step.state) for step in work(home).steps] == [("statistics", "outbox")]


def test_the_onlooker_sees_all_folds_with_the_weights_that_are_sent(home: SiteHome) -> None:
    site = folds_of(home)
    counts = {fold: len(set(local.patients)) for fold, local in site.folds.items()}
    assert sum(counts.values()) == 16
    assert counts["train"] == 8
    assert site.train.features.shape == (16, home.config.front_end.features)
    assert np.allclose(site.train.weights, 0.5)  # two images a patient, balanced labels
    assert len(site.test_images) == len(site.test.clips)
    assert all(name.startswith("Birch-") and name.endswith(".png") for name in site.test_images)


def test_a_site_may_call_the_same_images_otherwise(material: Material, tmp_path: Path) -> None:
    other = replace(material, words={"birch": {"rings": "dots"}})
    home = join(found(other, Places(tmp_path), "127.0.0.1:18000"), Places(tmp_path), "birch")
    take_in(home, other)
    assert {case.label for case in Catalogue(home.catalogue_path).cases()} == {"lines", "dots"}
