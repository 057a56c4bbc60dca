"""The bundle of a coordinator: everything that its log tells of, and no more than sites let auditors have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated.audit.bundle import Bundle, open_bundle
from federated.audit.contents import WHY
from federated.audit.outcome import Audit
from federated.audit.whole import verify_bundle
from federated.enrolment import Rotation, write_rotation
from federated.errors import ConsiliumError
from federated.keys import public_hex
from federated.manifest import unpack_tensors
from server.averaging import run_average
from server.bundles import write_bundle
from server.event import run_event
from server.home import CoordinatorHome
from tests.server.conftest import World
from tests.server.test_averaging import Mean, plan

SITES = ("ada", "ben", "cem")


def _two_releases(world: World, **statistics: Any) -> World:
    """Two sites contribute, then a third, which sends features and weights as well."""
    for name in SITES[:2]:
        site = world.join(name)
        site.put(site.statistics(**statistics.get(name, {})))
    run_event(world.coordinator, world)
    site = world.join("cem")
    for draft in (site.statistics(), site.features(), site.weights()):
        site.put(draft)
    run_event(world.coordinator, world)
    return world


def _bundle(world: World, out: Path, *, features: bool = False, averages: bool = False) -> Bundle:
    write_bundle(CoordinatorHome(world.folder / "hub"), out, features=features, averages=averages)
    return open_bundle(out)


def _verify(world: World, bundle: Bundle, witnesses: int = 2) -> list[Audit]:
    return list(verify_bundle(bundle, world.coordinator.trust(), witnesses=witnesses))


def _open_points(audits: list[Audit]) -> set[str]:
    return {f"{audit.kind}: {check.name}" for audit in audits for check in audit.checks if check.ok is None}


def test_the_whole_record_is_there_and_is_verified(world: World, tmp_path: Path) -> None:
    done = write_bundle(CoordinatorHome(_two_releases(world).folder / "hub"), tmp_path / "a.bundle")
    bundle = open_bundle(tmp_path / "a.bundle")
    assert done.parcels == bundle.kinds()
    assert bundle.kinds() == {
        "adoption": 6,
        "candidate": 2,
        "features": 1,
        "release": 2,
        "report": 5,
        "statistics": 3,
        "weights": 1,
    }
    assert done.kept == {"coordinator": 2, "release": 2}
    audits = _verify(world, bundle, witnesses=3)
    assert all(audit.ok for audit in audits), audits[-1]
    assert _open_points(audits) == {"candidate: contents", "features: contents", "weights: contents"}
    release = [audit for audit in audits if audit.kind == "release"][-1]
    found = {check.name: check.found for check in release.checks}
    assert found["site cem"] == "class sums, weights and Gram matrix are those of its contributions"
    assert found["calibration"] == "what 3 reports give"
    assert found["place"] == "number 2, the release before it is right"


def test_the_same_home_gives_the_same_bytes(world: World, tmp_path: Path) -> None:
    _two_releases(world)
    for name in ("a.bundle", "b.bundle"):
        _bundle(world, tmp_path / name)
    assert (tmp_path / "a.bundle").read_bytes() == (tmp_path / "b.bundle").read_bytes()
    assert not [path for path in (world.folder / "hub").iterdir() if path.name.startswith(".log-")]


def test_no_gram_matrix_that_a_site_keeps_goes_to_an_auditor(world: World, tmp_path: Path) -> None:
    _two_releases(world, ada={"to_sites": 1}, ben={"level": 1})
    bundle = _bundle(world, tmp_path / "a.bundle")
    by_site = {head.manifest.site: head for head in bundle.heads("statistics")}
    assert {name: head.why for name, head in by_site.items()} == {"ada": "gram", "ben": None, "cem": None}
    kept = world.members["ada"].statistics(to_sites=1).tensors
    data = (tmp_path / "a.bundle").read_bytes()
    assert all(kept[name].tobytes() not in data for name in ("train.gram", "validation.gram"))
    assert world.members["cem"].statistics().tensors["train.gram"].tobytes() in data
    reports = {(head.manifest.site, head.why) for head in bundle.heads("report")}
    assert reports == {("ada", "gram"), ("ben", "gram"), ("cem", None)}
    audits = _verify(world, bundle)
    assert all(audit.ok for audit in audits), audits[-1]
    assert {"release: site ada", "release: calibration", "report: contents"} <= _open_points(audits)


def test_features_go_in_only_where_somebody_says_so(world: World, tmp_path: Path) -> None:
    _two_releases(world)
    (name,) = _bundle(world, tmp_path / "a.bundle").digests("features")
    assert _bundle(world, tmp_path / "a.bundle2", features=False).head(name).why == "coordinator"
    assert _bundle(world, tmp_path / "b.bundle", features=True).opened(name).manifest.kind == "features"
    rows = world.members["cem"].features().tensors["train.features"].tobytes()
    assert rows not in (tmp_path / "a.bundle").read_bytes()
    assert rows in (tmp_path / "b.bundle").read_bytes()


def test_what_was_taken_back_is_not_handed_on(world: World, tmp_path: Path) -> None:
    _two_releases(world)
    world.coordinator.withdraw("ada")
    run_event(world.coordinator, world)
    bundle = _bundle(world, tmp_path / "a.bundle")
    assert {head.manifest.site: head.why for head in bundle.heads("statistics")}["ada"] == "withdrawn"
    assert [head.why for head in bundle.releases()] == ["withdrawn", "withdrawn", None]
    assert world.members["ada"].statistics().tensors["train.gram"].tobytes() not in (tmp_path / "a.bundle").read_bytes()
    audits = _verify(world, bundle)
    assert all(audit.ok for audit in audits), audits[-1]
    assert bundle.kinds()["recall"] == 2


def test_what_came_back_and_what_was_rolled_back_is_there(world: World, tmp_path: Path) -> None:
    _two_releases(world)
    world.coordinator.recall(2, "wrong labels")
    world.coordinator.rollback(1)
    run_event(world.coordinator, world)
    bundle = _bundle(world, tmp_path / "a.bundle")
    assert [head.manifest.number for head in bundle.releases()] == [1, 2, 3]
    audits = _verify(world, bundle)
    assert all(audit.ok for audit in audits), audits[-1]
    third = [audit for audit in audits if audit.kind == "release"][-1]
    assert {check.name: check.ok for check in third.checks}["calibration"] is True


def test_a_home_in_which_nothing_happened(world: World, tmp_path: Path) -> None:
    bundle = _bundle(world, tmp_path / "a.bundle")
    assert bundle.kinds() == {}
    assert all(audit.ok for audit in _verify(world, bundle, witnesses=0))


def test_rounds_of_averaging_go_in_where_somebody_says_so(
    make_world: Callable[..., World], tmp_path: Path, averaged: Any
) -> None:
    world = averaged(make_world())
    without, whole = (_bundle(world, tmp_path / name, averages=said) for name, said in (("a", False), ("b", True)))
    assert {head.why for head in without.heads("average")} == {"size"}
    assert {head.why for head in whole.heads("average")} == {None}
    for bundle in (without, whole):
        assert all(audit.ok for audit in _verify(world, bundle, witnesses=0))
    average = next(iter(whole.parcels("average")))
    assert unpack_tensors(whole.parcel(average.digest).tensors, average.manifest).keys() == average.tensors.keys()


@pytest.fixture
def averaged() -> Callable[[World], World]:
    """A run of one round."""

    def run(world: World) -> World:
        for name in SITES:
            world.join(name)
        world.coordinator.begin_average(plan(rounds=1))
        run_average(world.coordinator, world, Mean())
        return world

    return run


def test_predictions_go_in_under_their_own_names(world: World, tmp_path: Path) -> None:
    for name in ("a.jsonl", "B.jsonl"):
        (tmp_path / name).write_text("{}\n")
    home = CoordinatorHome(world.folder / "hub")
    write_bundle(home, tmp_path / "a.bundle", predictions=[tmp_path / "a.jsonl"])
    assert open_bundle(tmp_path / "a.bundle").read("predictions/a.jsonl") == b"{}\n"
    for paths, what in (
        (["B.jsonl"], "is no name for predictions in a bundle; call it NAME.jsonl, in small letters"),
        (["a.jsonl", "a.jsonl"], "has the same name as another; rename one of them"),
        (["missing.jsonl"], "cannot be read"),
    ):
        with pytest.raises(ConsiliumError, match=what):
            write_bundle(home, tmp_path / "b.bundle", predictions=[tmp_path / path for path in paths])
    assert not (tmp_path / "b.bundle").exists()


def test_nothing_is_overwritten(world: World, tmp_path: Path) -> None:
    _bundle(world, tmp_path / "a.bundle")
    with pytest.raises(ConsiliumError, match="is already here; name a new one"):
        _bundle(world, tmp_path / "a.bundle")


def test_an_artefact_that_was_lost_is_named(world: World, tmp_path: Path) -> None:
    _two_releases(world)
    name = _bundle(world, tmp_path / "a.bundle").releases()[0].digest
    world.coordinator.artefacts.path(name).unlink()
    with pytest.raises(ConsiliumError, match=r"an artefact cannot be read .*; restore it from a backup"):
        _bundle(world, tmp_path / "b.bundle")
    assert not (tmp_path / "b.bundle").exists()


def test_every_reason_is_told_in_words() -> None:
    assert all(words and words[0].islower() for words in WHY.values())


def test_keys_that_were_replaced_or_revoked_vouch_for_what_came_before(world: World, tmp_path: Path) -> None:
    _two_releases(world)
    ada = world.members["ada"]
    new = Ed25519PrivateKey.generate()
    keys = {"old_public": public_hex(ada.key), "new_public": public_hex(new)}
    rotation = Rotation.model_validate({"federation": "test", "site": "ada", **keys})
    write_rotation(rotation, ada.key, new, tmp_path / "rotation.json")
    world.coordinator.rotate(tmp_path / "rotation.json")
    ada.key = new
    ada.put(ada.statistics("b0002"))
    run_event(world.coordinator, world)
    world.coordinator.revoke("ben")
    bundle = _bundle(world, tmp_path / "a.bundle")
    audits = _verify(world, bundle, witnesses=1)
    assert all(audit.ok for audit in audits), audits[-1]
    signed = {audit.by: audit.checks[0].ok for audit in audits if audit.kind == "statistics"}
    assert signed == {"ada": True, "ben": True, "cem": True}
    assert [party.revoked for party in world.coordinator.trust().parties if party.role == "site"].count(True) == 2
