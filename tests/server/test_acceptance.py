from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from federated.canonical import digest
from server.event import run_event
from server.registry import EventRow, ParcelRow, QuarantineRow, SpectrumRow, find_parcel

if TYPE_CHECKING:
    from tests.server.conftest import Draft, Site, World


@pytest.fixture
def ada(world: World) -> Site:
    return world.join("ada")


def _accept(world: World, site: Site, draft: Draft) -> str:
    found = world.coordinator.accept(site.seal(draft))
    assert found.outcome == "accepted", found.reason
    return found.digest


def _states(world: World) -> dict[str, str]:
    with world.coordinator.registry.transaction() as session:
        return {row.digest: row.state for row in session.scalars(select(ParcelRow))}


def test_what_was_accepted_can_be_verified_again(world: World, ada: Site) -> None:
    data = ada.seal(ada.statistics())
    found = world.coordinator.accept(data)
    with world.coordinator.registry.transaction() as session:
        row = find_parcel(session, "ada", found.digest)
        assert row is not None
        assert (row.sequence, row.kind, row.batch, row.state) == (1, "statistics", "b0001", "current")
        assert world.coordinator.artefacts.get(row.envelope) in data
        assert row.mean_square is not None
        assert row.mean_square > 1
        kept = session.get(SpectrumRow, row.id)
        assert kept is not None
        assert kept.share is not None
        assert 0 < kept.share < 1
        assert kept.concentration is not None
    assert world.coordinator.artefacts.get(found.digest) in data


def test_what_is_wrong_is_kept_with_its_reason_and_changes_nothing(world: World, ada: Site) -> None:
    before = world.coordinator.status()
    data = ada.seal(ada.statistics())[:-3]
    found = world.coordinator.accept(data)
    assert found.outcome == "quarantined"
    (kept,) = (path for path in world.coordinator.home.quarantine_path.rglob("*") if path.is_file())
    assert kept.read_bytes() == data
    with world.coordinator.registry.transaction() as session:
        (row,) = session.scalars(select(QuarantineRow))
        assert (row.digest, row.reason) == (digest(data), found.reason)
    after = world.coordinator.status()
    for what in ("sites", "candidate", "releases"):
        assert after[what] == before[what]
    world.coordinator.accept(data)
    assert len(world.coordinator.status()["quarantine"]) == 1


def test_what_is_out_of_order_is_not_kept(world: World, ada: Site) -> None:
    first, second = ada.seal(ada.statistics("b0001")), ada.seal(ada.statistics("b0002"))
    assert world.coordinator.accept(second).outcome == "refused"
    assert not world.coordinator.home.quarantine_path.exists()
    found = world.coordinator.accept_all([second, first])
    assert [each.outcome for each in found] == ["accepted", "accepted"]


def test_a_contribution_replaces_that_of_the_same_batch_and_kind_only(world: World, ada: Site) -> None:
    old = _accept(world, ada, ada.statistics())
    other_batch = _accept(world, ada, ada.statistics("b0002"))
    other_kind = _accept(world, ada, ada.features())
    new = _accept(world, ada, ada.statistics(to_sites=1))
    states = _states(world)
    assert states == {old: "superseded", other_batch: "current", other_kind: "current", new: "current"}


def test_features_have_to_reproduce_the_statistics_of_their_batch(world: World, ada: Site) -> None:
    _accept(world, ada, ada.statistics())
    wrong = ada.features()
    wrong.tensors["train.features"][0, 0] += 0.01
    found = world.coordinator.accept(ada.seal(wrong))
    assert found.outcome == "quarantined"
    assert "does not agree with the statistics sent for the same batch" in found.reason
    _accept(world, ada, ada.features())


def test_other_sites_say_what_is_plausible(world: World, ada: Site) -> None:
    ben = world.join("ben")
    _accept(world, ada, ada.statistics())
    loud = ben.features()
    for fold in ("train", "validation"):
        loud.tensors[f"{fold}.features"][:, :-1] *= 5
    found = world.coordinator.accept(ben.seal(loud))
    assert found.outcome == "quarantined"
    assert "other sites have" in found.reason


def test_features_that_all_but_agree_are_no_images(world: World, ada: Site) -> None:
    """What is the same in every image makes the norm, which is as it should be; what differs is a hundredth."""
    ben = world.join("ben")
    _accept(world, ada, ada.statistics())
    alike = ben.features()
    for fold in ("train", "validation"):
        rows = alike.tensors[f"{fold}.features"]
        rows[:] = rows.mean(axis=0) + 0.01 * (rows - rows.mean(axis=0))
        rows[:, :-1] *= 3
        rows[:, -1] = 1
    found = world.coordinator.accept(ben.seal(alike))
    assert found.outcome == "quarantined"
    assert "a share of all but the largest eigenvalue" in found.reason


def test_a_withdrawal_by_the_site(world: World, ada: Site) -> None:
    first = _accept(world, ada, ada.statistics())
    withdrawal = _accept(world, ada, ada.withdrawal(first))
    assert _states(world) == {first: "withdrawn", withdrawal: "current"}
    other = _accept(world, ada, ada.statistics("b0002"))
    assert "withdrawn before" in world.coordinator.accept(ada.seal(ada.withdrawal(first, other))).reason


def test_one_site_cannot_withdraw_for_another(world: World, ada: Site) -> None:
    ben = world.join("ben")
    first = _accept(world, ada, ada.statistics())
    found = world.coordinator.accept(ben.seal(ben.withdrawal(first)))
    assert found.outcome == "quarantined"
    assert _states(world)[first] == "current"


def test_a_report_says_that_the_candidate_has_arrived(world: World, ada: Site) -> None:
    ada.put(ada.statistics())
    world.coordinator.accept_all(ada.outbox.values())
    world.coordinator.propose()
    (parcel,) = world.coordinator.outgoing("ada")
    ada.take(parcel.to_bytes())
    assert [each.digest for each in world.coordinator.outgoing("ada")] == [parcel.digest]
    found = world.coordinator.accept_all(ada.outbox.values())
    assert [each.outcome for each in found] == ["same", "accepted"]
    assert world.coordinator.outgoing("ada") == []


def test_a_site_is_told_once_and_again_if_it_asks_again(world: World, ada: Site) -> None:
    right, wrong = ada.seal(ada.statistics()), ada.seal(ada.statistics(task="other"))
    names = [world.coordinator.accept(data).digest for data in (right, wrong)]
    assert world.coordinator.settled("ada") == [(names[0], "accepted"), (names[1], "rejected")]
    world.coordinator.told("ada", names)
    assert world.coordinator.settled("ada") == []
    for data in (right, wrong):
        world.coordinator.accept(data)
    assert world.coordinator.settled("ada") == [(names[0], "accepted"), (names[1], "rejected")]


def test_everything_that_arrives_is_recorded(world: World, ada: Site) -> None:
    ada.put(ada.statistics())
    run_event(world.coordinator, world)
    world.coordinator.accept(b"rubbish")
    with world.coordinator.registry.transaction() as session:
        events = [row.event for row in session.scalars(select(EventRow).order_by(EventRow.id))]
    assert events == [
        "init",
        "invite",
        "enrol",
        "accepted",
        "candidate",
        "accepted",
        "release",
        "accepted",
        "quarantined",
    ]
