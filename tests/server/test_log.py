from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from federated.canonical import canonical
from federated.envelope import MAX_ENVELOPE_BYTES, parse_parcel
from federated.errors import ConsiliumError, ContractError
from federated.keys import public_hex, verifier
from federated.log.checkpoints import origin_of
from federated.log.entries import Entry, read_entry
from federated.log.journal import Journal
from federated.log.notes import ED25519, NoteKey, is_signed
from federated.log.tiles import tile_path
from federated.signing import sign_document, verified_by
from server.event import run_event
from server.log import copy_log, open_log

if TYPE_CHECKING:
    from server.coordinator import Coordinator
    from tests.server.conftest import World


def _entries(coordinator: Coordinator) -> list[Entry]:
    """All that is logged, every one signed by the coordinator."""
    home = coordinator.home
    key = verifier(public_hex(home.key()), where="test")
    found = [read_entry(data) for data in open_log(home).entries()]
    assert all(verified_by(entry.envelope, [key]) for entry in found)
    assert all(entry.predicate.federation == "test" for entry in found)
    return [entry.predicate for entry in found]


def _told(coordinator: Coordinator) -> list[tuple[str, str | None, str | None]]:
    return [(entry.event, entry.site, entry.kind) for entry in _entries(coordinator)]


def test_what_happens_is_logged_in_its_order(world: World) -> None:
    ada = world.join("ada")
    ada.put(ada.statistics())
    run_event(world.coordinator, world)
    assert _told(world.coordinator) == [
        ("init", None, None),
        ("invite", "ada", None),
        ("enrol", "ada", None),
        ("accepted", "ada", "statistics"),
        ("candidate", None, None),
        ("accepted", "ada", "report"),
        ("release", None, None),
        ("accepted", "ada", "adoption"),
    ]
    candidate, release, adoption = (_entries(world.coordinator)[place] for place in (4, 6, 7))
    assert (release.subject, release.concerns, release.number) == (ada.releases[0].digest, candidate.subject, 1)
    assert (adoption.concerns, adoption.choice) == (release.subject, "adopted")


def test_the_checkpoint_is_signed_by_the_coordinator(world: World) -> None:
    note = open_log(world.coordinator.home).note
    assert note is not None
    public = world.coordinator.home.key().public_key().public_bytes_raw()
    assert is_signed(note, NoteKey(origin_of("test"), public, ED25519))


def test_a_hospitals_own_envelope_stands_in_the_entry(world: World) -> None:
    ada = world.join("ada")
    data = ada.seal(ada.statistics())
    world.coordinator.accept(data)
    entry = _entries(world.coordinator)[-1]
    assert entry.envelope is not None
    assert entry.envelope.encode() == parse_parcel(data).envelope


def test_keys_begin_and_end(world: World) -> None:
    ada = world.join("ada")
    world.coordinator.revoke("ada")
    enrolled, revoked = _entries(world.coordinator)[-2:]
    assert [(card.public, card.role) for card in enrolled.keys] == [
        (public_hex(ada.key), "site"),
        (public_hex(ada.approver), "approver"),
    ]
    assert (revoked.event, revoked.ended) == ("revoke", tuple(card.public for card in enrolled.keys))


def test_a_recall_names_the_release_and_a_withdrawal_the_contribution(world: World) -> None:
    ada = world.join("ada")
    name = ada.put(ada.statistics())
    run_event(world.coordinator, world)
    world.coordinator.recall(1, "an image of Maria Schmidt was labelled wrongly")
    world.coordinator.withdraw("ada", [name])
    recall, withdrawal = [entry for entry in _entries(world.coordinator) if entry.event in ("recall", "withdraw")]
    assert (recall.concerns, recall.number) == (ada.releases[0].digest, 1)
    assert (withdrawal.subject, withdrawal.site) == (name, "ada")


def test_what_comes_again_is_not_logged_again(world: World) -> None:
    ada = world.join("ada")
    data = ada.seal(ada.statistics())
    world.coordinator.accept(data)
    size = open_log(world.coordinator.home).size
    assert world.coordinator.accept(data).outcome == "same"
    assert open_log(world.coordinator.home).size == size


def test_nothing_that_anybody_wrote_gets_into_the_log(world: World) -> None:
    """Names of persons in a reason, in a batch, in bytes that are no parcel, and by a sender whom nobody knows."""
    ada = world.join("ada")
    draft = ada.statistics()
    draft.fields["batch"] = "maria.schmidt"
    world.coordinator.accept(ada.seal(draft, sender="maria.schmidt", sequence=1))
    world.coordinator.accept(b"maria.schmidt")
    ada.sequence, ada.last = 0, None
    ada.put(draft)
    run_event(world.coordinator, world)
    world.coordinator.recall(1, "maria.schmidt")
    files = [path for path in world.coordinator.home.log_path.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert not [path for path in files if b"schmidt" in path.read_bytes()]


@pytest.mark.parametrize("how", ["a member more", "a name", "a signature of nobody"])
def test_a_hospital_has_no_room_in_its_envelope_for_words_of_its_own(world: World, how: str) -> None:
    ada = world.join("ada")
    data = ada.seal(ada.statistics())
    parcel = parse_parcel(data)
    envelope = json.loads(parcel.envelope)
    statement = json.loads(base64.b64decode(envelope["payload"]))
    if how == "a member more":
        statement["note"] = "Maria Schmidt"
    elif how == "a name":
        statement["subject"][0]["name"] = "Maria Schmidt"
    own = json.loads(sign_document(canonical(statement), envelope["payloadType"], [ada.key]))
    if how == "a signature of nobody":
        words = base64.b64encode(b"Maria Schmidt").decode()
        own["signatures"].append({"keyid": "0" * 64, "sig": words})
    lying = replace(parcel, envelope=canonical(own))
    assert world.coordinator.accept(lying.to_bytes()).outcome == "quarantined"
    assert _told(world.coordinator)[-1] == ("quarantined", None, None)
    assert world.coordinator.accept(data).outcome == "accepted"


def test_a_log_that_was_not_written_in_time_is_made_good(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between the commit of a step and its entries."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "append", killed)
    with pytest.raises(KeyboardInterrupt):
        world.coordinator.invite("ada")
    monkeypatch.undo()
    assert [event for event, *_ in _told(world.coordinator)] == ["init"]
    world.restart().invite("ben")
    assert _told(world.coordinator)[1:] == [("invite", "ada", None), ("invite", "ben", None)]


@pytest.mark.parametrize("below", ["log", "log/copy", "log/tile/../copy"])
def test_a_copy_is_no_part_of_the_log(world: World, below: str) -> None:
    with pytest.raises(ConsiliumError, match=r"already here|within the log"):
        copy_log(world.coordinator.home, world.coordinator.home.path / below)


def test_a_registry_that_is_older_than_its_log_stops_the_coordinator(world: World) -> None:
    """Restored from a copy without the log beside it: going on would tell another history."""
    registry = world.coordinator.home.path / "registry.sqlite"
    older = registry.read_bytes()
    world.coordinator.invite("ada")
    registry.write_bytes(older)
    with pytest.raises(ConsiliumError, match="entry 1 is not what the registry has there; restore both"):
        world.coordinator.invite("ben")
    with pytest.raises(ConsiliumError, match="entry 1 is not what"):
        world.coordinator.invite("ben")


def test_a_damaged_log_stops_the_coordinator(world: World) -> None:
    path = world.coordinator.home.log_path / tile_path(0, 0, 1)
    path.write_bytes(bytes(32))
    with pytest.raises(ContractError, match="not those of its checkpoint"):
        world.coordinator.invite("ada")


def test_an_envelope_that_the_log_could_not_hold_is_not_taken_in(world: World) -> None:
    """Nobody stops the coordinator with a parcel: what cannot be logged is quarantined."""
    ada = world.join("ada")
    for filters in ({f"filter{number}": "5 <= 12" for number in range(200)}, {"batch": "Maria Schmidt"}):
        with pytest.raises(ValidationError):
            ada.seal(ada.statistics(), filters=filters)
    data = ada.seal(ada.statistics())
    parcel = parse_parcel(data)
    long = replace(parcel, envelope=parcel.envelope + b" " * MAX_ENVELOPE_BYTES).to_bytes()
    assert world.coordinator.accept(long).outcome == "quarantined"
    assert world.coordinator.accept(data).outcome == "accepted"
