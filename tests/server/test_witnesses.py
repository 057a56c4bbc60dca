from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from federated.errors import ContractError, SignatureError
from federated.log.checkpoints import read_checkpoint, witness_name
from federated.log.journal import Journal
from federated.log.notes import COSIGNATURE, Note, NoteKey, cosign, parse_note
from federated.log.verification import SLACK_SECONDS
from federated.log.witness import cosigners, have, parse_request
from server.event import have_witnessed, run_event
from server.log import open_log
from server.witnesses import Signed

if TYPE_CHECKING:
    from server.coordinator import Coordinator
    from tests.server.conftest import Site, World


def _key(site: Site) -> NoteKey:
    return NoteKey(witness_name("test", site.name), site.key.public_key().public_bytes_raw(), COSIGNATURE)


def _signers(coordinator: Coordinator, *sites: Site) -> set[str]:
    note = open_log(coordinator.home).note
    assert note is not None
    return {name.rpartition("/")[2] for name in cosigners(note, [_key(site) for site in sites])}


def test_after_an_event_all_that_were_there_have_signed_the_log_of_it(world: World) -> None:
    ada, ben = world.join("ada"), world.join("ben")
    ada.put(ada.statistics())
    run_event(world.coordinator, world)
    assert _signers(world.coordinator, ada, ben) == {"ada", "ben"}
    assert ada.witnessing.size == open_log(world.coordinator.home).size


def test_who_was_away_signs_next_time(world: World) -> None:
    ada, ben = world.join("ada"), world.join("ben")
    world.offline.add("ben")
    run_event(world.coordinator, world)
    assert _signers(world.coordinator, ada, ben) == {"ada"}
    world.offline.clear()
    ada.put(ada.statistics())
    run_event(world.coordinator, world)
    assert _signers(world.coordinator, ada, ben) == {"ada", "ben"}


def test_who_has_signed_is_not_asked_again(world: World) -> None:
    ada = world.join("ada")
    assert list(world.coordinator.unwitnessed(["ada"])) == ["ada"]
    have_witnessed(world.coordinator, world)
    assert world.coordinator.unwitnessed(["ada"]) == {}
    world.coordinator.invite("ben")
    assert parse_request(world.coordinator.unwitnessed(["ada"])["ada"][0]).old == ada.witnessing.size


def test_a_coordinator_that_forgot_asks_from_where_the_site_says(world: World) -> None:
    """As one that was restored from a backup: the proof starts from nothing, then from what the site has seen."""
    ada = world.join("ada")
    have_witnessed(world.coordinator, world)
    world.coordinator.invite("ben")
    assert not world.coordinator.take_cosignature("ada", have(1))
    assert parse_request(world.coordinator.unwitnessed(["ada"])["ada"][0]).old == 1
    have_witnessed(world.coordinator, world)
    assert _signers(world.coordinator, ada) == {"ada"}


def test_the_last_checkpoint_that_was_witnessed_is_kept(world: World) -> None:
    ada = world.join("ada")
    have_witnessed(world.coordinator, world)
    size = open_log(world.coordinator.home).size
    world.coordinator.invite("ben")
    journal = open_log(world.coordinator.home)
    assert journal.witnessed is not None
    assert read_checkpoint(journal.witnessed, journal.origin).size == size < journal.size
    assert set(cosigners(journal.witnessed, [_key(ada)])) == {"consilium/test/ada"}
    assert _signers(world.coordinator, ada) == set()


@pytest.mark.parametrize("answer", [b"", b"have x\n", b"text\n\n", b"\xff" * 100])
def test_what_is_no_answer_changes_nothing(world: World, answer: bytes) -> None:
    world.join("ada")
    before = world.coordinator.unwitnessed(["ada"])
    assert not world.coordinator.take_cosignature("ada", answer)
    assert world.coordinator.unwitnessed(["ada"]) == before


def test_nobody_signs_for_another(world: World) -> None:
    """Neither with a key of one's own under another's name, nor by handing in another's signature."""
    ada, ben = world.join("ada"), world.join("ben")
    note = open_log(world.coordinator.home).note
    assert note is not None
    forged = cosign(Note(note.text), witness_name("test", "ada"), ben.key, int(time.time()))
    assert not world.coordinator.take_cosignature("ada", forged.to_bytes())
    bens = cosign(Note(note.text), witness_name("test", "ben"), ben.key, int(time.time()))
    assert not world.coordinator.take_cosignature("ada", bens.to_bytes())
    assert _signers(world.coordinator, ada, ben) == set()


def test_a_signature_under_another_checkpoint_is_not_kept(world: World) -> None:
    ada = world.join("ada")
    other = cosign(
        Note("consilium/test\n1\n" + "A" * 43 + "=\n"), witness_name("test", "ada"), ada.key, int(time.time())
    )
    assert not world.coordinator.take_cosignature("ada", other.to_bytes())
    assert _signers(world.coordinator, ada) == set()


def test_a_site_whose_key_was_revoked_signs_nothing(world: World) -> None:
    ada = world.join("ada")
    world.coordinator.revoke("ada")
    note = open_log(world.coordinator.home).note
    assert note is not None
    signed = cosign(Note(note.text), witness_name("test", "ada"), ada.key, int(time.time()))
    assert not world.coordinator.take_cosignature("ada", signed.to_bytes())


@pytest.mark.parametrize("seconds", [0, 2_000_000_000_000, 2**64 - 1])
def test_a_signature_from_another_day_is_not_kept(world: World, seconds: int) -> None:
    """One witness could otherwise make a true log unreadable, or a post-dated entry look right."""
    ada = world.join("ada")
    note = open_log(world.coordinator.home).note
    assert note is not None
    text, name = Note(note.text), witness_name("test", "ada")
    assert not world.coordinator.take_cosignature("ada", cosign(text, name, ada.key, seconds).to_bytes())
    assert _signers(world.coordinator, ada) == set()
    assert world.coordinator.take_cosignature("ada", cosign(text, name, ada.key, int(time.time())).to_bytes())
    assert _signers(world.coordinator, ada) == {"ada"}


def _signed_file(world: World, site: Site, seconds: int | None = None) -> bytes:
    """What the site has signed of the log as it is now, as a file."""
    (asked, *_), name = world.coordinator.unwitnessed([site.name])[site.name], witness_name("test", site.name)
    return site.witnessing.cosign(asked, name, site.key, int(time.time()) if seconds is None else seconds).to_bytes()


def test_a_file_counts_after_the_log_has_gone_on(world: World) -> None:
    ada, ben = world.join("ada"), world.join("ben")
    size = open_log(world.coordinator.home).size
    files = [_signed_file(world, site) for site in (ada, ben)]
    for data, site in zip(files, ("ada", "ben"), strict=True):
        world.coordinator.invite(f"after-{site}")
        assert world.coordinator.take_signed_file(data) == Signed(site, size, kept=True)
    journal = open_log(world.coordinator.home)
    assert journal.size == size + 2
    assert journal.witnessed is not None
    assert len(cosigners(journal.witnessed, [_key(ada), _key(ben)])) == 2
    assert parse_request(world.coordinator.unwitnessed(["ada"])["ada"][0]).old == size


def test_a_file_that_others_have_overtaken_says_where_the_next_proof_starts(world: World) -> None:
    ada, ben = world.join("ada"), world.join("ben")
    early = _signed_file(world, ada)
    size = ada.witnessing.size
    world.coordinator.invite("cem")
    world.coordinator.take_signed_file(_signed_file(world, ben))
    assert world.coordinator.take_signed_file(early) == Signed("ada", size, kept=False)
    assert parse_request(world.coordinator.unwitnessed(["ada"])["ada"][0]).old == size


def test_a_stick_may_take_its_time_and_a_signature_before_its_entries_is_none(world: World) -> None:
    ada = world.join("ada")
    with pytest.raises(SignatureError, match="at another time"):
        world.coordinator.take_signed_file(_signed_file(world, ada, int(time.time()) - 2 * SLACK_SECONDS))


def test_nobody_brings_a_file_for_another_or_under_the_coordinators_name(world: World) -> None:
    ada, ben = world.join("ada"), world.join("ben")
    data = _signed_file(world, ada)
    text = parse_note(data).text
    forged = cosign(Note(text), witness_name("test", "ada"), ben.key, int(time.time()))
    with pytest.raises(SignatureError, match="no site whose key counts"):
        world.coordinator.take_signed_file(forged.to_bytes())
    unsigned = cosign(Note(text), witness_name("test", "ada"), ada.key, int(time.time()))
    with pytest.raises(SignatureError, match="not signed by the coordinator"):
        world.coordinator.take_signed_file(unsigned.to_bytes())
    note = open_log(world.coordinator.home).note
    assert note is not None
    spoilt = Note(text, (replace(note.lines[0], value=bytes(64)),))
    spoilt = cosign(spoilt, witness_name("test", "ada"), ada.key, int(time.time()))
    with pytest.raises(SignatureError, match="does not verify"):
        world.coordinator.take_signed_file(spoilt.to_bytes())
    assert world.coordinator.take_cosignature("ada", spoilt.to_bytes())
    after = open_log(world.coordinator.home).note
    assert after is not None
    assert after.lines[0] == note.lines[0]  # the log's own signature is not what a site says it is


def test_a_coordinator_that_lost_entries_is_told_by_the_file(world: World) -> None:
    ada = world.join("ada")
    name = witness_name("test", "ada")
    longer = Journal(world.coordinator.home.path.parent / "longer", "consilium/test")
    longer.append([*open_log(world.coordinator.home).entries(), b"lost"], world.coordinator.home.key())
    assert longer.note is not None
    signed = cosign(longer.note, name, ada.key, int(time.time()))
    with pytest.raises(ContractError, match=f"ada has seen {longer.size} entries of this log, which has"):
        world.coordinator.take_signed_file(signed.to_bytes())
