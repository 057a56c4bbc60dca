from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated.canonical import digest
from federated.envelope import Parcel, Passage, parse_parcel, seal
from federated.errors import ConsiliumError, ContractError, SequenceError, SignatureError
from federated.manifest import RecallManifest, manifest_digest, pack_tensors
from site_agent import mailbox
from site_agent.egress import Draft, Gate
from site_agent.home import SiteHome
from site_agent.mailbox import Inbox, Outbox

Key = Ed25519PrivateKey
NOTHING, NO_SPECS, NO_TENSORS = pack_tensors({})
Make = Callable[..., Parcel]


class Coordinator:
    """Seals recalls for a site, one number after the other."""

    def __init__(self, key: Key) -> None:
        self._key, self._sequence = key, 0
        self._last: str | None = None

    def parcel(
        self, reason: str = "", tensors: bytes = NOTHING, tensors_digest: str = NO_TENSORS, **changes: Any
    ) -> Parcel:
        manifest = RecallManifest(
            federation="test",
            tensors=NO_SPECS,
            tensors_digest=tensors_digest,
            release="sha256:" + "3" * 64,
            fallback=None,
            reason=reason or f"number {self._sequence}",
        )
        fields: dict[str, Any] = {
            "federation": "test",
            "sender": "hub",
            "recipient": "ada",
            "kind": "recall",
            "policy": None,
        }
        fields |= {"sequence": self._sequence + 1, "previous": self._last, "filters": {}, "approval": "none"}
        passage = Passage(**({**fields, "issued": "2020-01-01T00:00:00Z"} | changes))
        return seal(manifest, tensors, passage, [self._key])

    def send(self, **changes: Any) -> Parcel:
        """A parcel that uses the number up."""
        parcel = self.parcel(**changes)
        self._sequence, self._last = self._sequence + 1, parcel.digest
        return parcel


@pytest.fixture
def coordinator(coordinator_key: Key) -> Coordinator:
    return Coordinator(coordinator_key)


def _unread(home: SiteHome) -> list[str]:
    return [opened.digest for opened in Inbox(home).unread()]


def test_parcels_are_read_in_the_order_of_their_numbers(home: SiteHome, coordinator: Coordinator) -> None:
    inbox = Inbox(home)
    parcels = [coordinator.send() for _ in range(11)]
    assert [inbox.put(parcel.to_bytes()) for parcel in parcels] == [parcel.digest for parcel in parcels]
    assert _unread(home) == [parcel.digest for parcel in parcels]
    assert [manifest_digest(opened.manifest) for opened in inbox.unread()] == _unread(home)


def test_the_same_parcel_again_is_no_work(home: SiteHome, coordinator: Coordinator) -> None:
    parcel = coordinator.send()
    inbox = Inbox(home)
    assert inbox.put(parcel.to_bytes()) == inbox.put(parcel.to_bytes()) == parcel.digest
    inbox.done(parcel.digest)
    inbox.put(parcel.to_bytes())
    assert _unread(home) == []


def test_what_is_done_is_put_away(home: SiteHome, coordinator: Coordinator) -> None:
    first, second = coordinator.send(), coordinator.send()
    inbox = Inbox(home)
    for parcel in (first, second):
        inbox.put(parcel.to_bytes())
    inbox.done(first.digest)
    inbox.done(first.digest)
    assert _unread(home) == [second.digest]
    assert [path.read_bytes() for path in (home.inbox / "done").iterdir()] == [first.to_bytes()]


@pytest.mark.parametrize(
    ("changes", "error", "reason"),
    [
        ({"sequence": 2}, SequenceError, "is number 2, number 1 is next"),
        ({"previous": "sha256:" + "4" * 64}, SequenceError, "number 1 is next"),
        ({"recipient": "ben"}, SequenceError, "is addressed to 'ben', this is 'ada'"),
        ({"federation": "other"}, SequenceError, "is for federation 'other', this is 'test'"),
        ({"sender": "ben"}, SignatureError, "not enrolled"),
        ({"kind": "release"}, ContractError, "something else than its manifest"),
    ],
)
def test_wrong_parcels_are_refused(
    changes: dict[str, Any], error: type[Exception], reason: str, home: SiteHome, coordinator: Coordinator
) -> None:
    with pytest.raises(error, match=reason):
        Inbox(home).put(coordinator.parcel(**changes).to_bytes())
    assert _unread(home) == []
    assert list(home.inbox.iterdir()) == []


def test_a_parcel_of_a_stranger_is_refused(home: SiteHome) -> None:
    with pytest.raises(SignatureError, match="the signature does not verify"):
        Inbox(home).put(Coordinator(Key.generate()).parcel().to_bytes())


def test_a_parcel_of_this_very_site_is_refused(
    open_home: SiteHome, make_draft: Callable[..., Draft], coordinator: Coordinator
) -> None:
    Gate(open_home).submit(make_draft("statistics"))
    parcel = Outbox(open_home).parcels()[0]
    with pytest.raises(SequenceError, match="is addressed to 'hub', this is 'ada'"):
        Inbox(open_home).put(parcel.to_bytes())


def test_a_site_takes_in_no_contributions(home: SiteHome, coordinator: Coordinator) -> None:
    manifest = coordinator.parcel()
    passage = Passage(
        federation="test",
        sender="ada",
        recipient="ada",
        sequence=1,
        previous=None,
        kind="adoption",
        policy=None,
        filters={},
        approval="none",
        issued="2020-01-01T00:00:00Z",
    )
    recall = mailbox.open_parcel(manifest, home.trust(), recipient="ada").manifest
    parcel = seal(recall, NOTHING, passage, [home.key()])
    with pytest.raises(SequenceError, match="a 'adoption' is not for a site to take in"):
        Inbox(home).put(parcel.to_bytes())


def test_wrong_contents_use_the_number_up_and_nothing_else(home: SiteHome, coordinator: Coordinator) -> None:
    inbox = Inbox(home)
    wrong = {"tensors": b"no tensors", "tensors_digest": digest(b"no tensors")}
    first, bad, last = coordinator.send(), coordinator.send(**wrong), coordinator.send()
    inbox.put(first.to_bytes())
    with pytest.raises(ContractError, match="not a safetensors file"):
        inbox.put(bad.to_bytes())
    with pytest.raises(SequenceError, match="was refused before"):
        inbox.put(bad.to_bytes())
    inbox.put(last.to_bytes())
    assert _unread(home) == [first.digest, last.digest]


def test_after_damage_on_the_way_the_whole_copy_is_taken(home: SiteHome, coordinator: Coordinator) -> None:
    parcel = coordinator.send()
    with pytest.raises(ContractError, match="not the ones the manifest names"):
        Inbox(home).put(replace(parcel, tensors=b"damaged").to_bytes())
    assert Inbox(home).put(parcel.to_bytes()) == parcel.digest


@pytest.mark.parametrize("data", [b"", b"consilium parcel 1\n", b"x" * 100])
def test_other_bytes_are_no_parcel(data: bytes, home: SiteHome) -> None:
    with pytest.raises(ContractError, match="parcel"):
        Inbox(home).put(data)


def test_full_disk_takes_nothing_in_and_the_parcel_may_come_again(
    home: SiteHome, coordinator: Coordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    parcel = coordinator.send()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _no_space)
        with pytest.raises(ConsiliumError, match="the disk is full"):
            Inbox(home).put(parcel.to_bytes())
    assert _unread(home) == []
    Inbox(home).put(parcel.to_bytes())
    assert _unread(home) == [parcel.digest]


def _no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_killed_while_taking_in_the_parcel_may_come_again(
    home: SiteHome, coordinator: Coordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    parcel = coordinator.send()
    with monkeypatch.context() as patch:
        patch.setattr(mailbox, "put_received", killed)
        with pytest.raises(KeyboardInterrupt):
            Inbox(home).put(parcel.to_bytes())
    assert _unread(home) == []
    Inbox(home).put(parcel.to_bytes())
    assert _unread(home) == [parcel.digest]


def test_a_changed_file_is_one_line(home: SiteHome, coordinator: Coordinator) -> None:
    Inbox(home).put(coordinator.send().to_bytes())
    path = next(home.inbox.iterdir())
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ConsiliumError, match=f"{path.name}: is cut short or too long; restore it from the backup"):
        Inbox(home).unread()
    path.unlink()
    with pytest.raises(ConsiliumError, match="cannot be read"):
        Inbox(home).unread()


def test_the_outbox_keeps_the_order_of_numbers(home: SiteHome, coordinator: Coordinator) -> None:
    outbox = Outbox(home)
    parcels = {sequence: coordinator.send() for sequence in (1, 2, 10, 11)}
    for sequence in (10, 2, 11, 1):
        outbox.add(parcels[sequence], sequence)
    assert outbox.parcels() == [parcels[sequence] for sequence in (1, 2, 10, 11)]


@pytest.mark.parametrize(
    ("outcome", "folder", "names"),
    [
        ("accepted", "settled", {".parcel"}),
        ("same", "settled", {".parcel"}),
        ("rejected", "refused", {".parcel", ".reason"}),
    ],
)
def test_answered_parcels_are_put_away(
    outcome: str, folder: str, names: set[str], home: SiteHome, coordinator: Coordinator
) -> None:
    outbox = Outbox(home)
    parcel, other = coordinator.send(), coordinator.send()
    outbox.add(parcel, 1)
    outbox.add(other, 2)
    outbox.settle(parcel.digest, outcome)
    outbox.settle(parcel.digest, outcome)
    assert outbox.parcels() == [other]
    put_away = {path.suffix: path for path in (home.outbox / folder).iterdir()}
    assert set(put_away) == names
    assert parse_parcel(put_away[".parcel"].read_bytes()) == parcel
    if ".reason" in names:
        assert put_away[".reason"].read_text() == f"{outcome}\n"
    outbox.add(parcel, 1)
    assert outbox.parcels() == [other]


@pytest.mark.parametrize("outcome", ["again", "refused", "quarantined", "", "Accepted"])
def test_what_did_not_use_its_number_up_stays_to_be_sent_again(
    outcome: str, home: SiteHome, coordinator: Coordinator
) -> None:
    outbox, parcel = Outbox(home), coordinator.send()
    outbox.add(parcel, 1)
    outbox.settle(parcel.digest, outcome)
    assert outbox.parcels() == [parcel]
    assert [path.suffix for path in home.outbox.iterdir()] == [".parcel"]


def test_an_answer_about_something_else_is_no_work(home: SiteHome) -> None:
    Outbox(home).settle("sha256:" + "5" * 64, "accepted")
    assert list(home.outbox.iterdir()) == []


def test_full_disk_leaves_the_parcel_in_the_outbox(
    home: SiteHome, coordinator: Coordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox, parcel = Outbox(home), coordinator.send()
    outbox.add(parcel, 1)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", _no_space)
        with pytest.raises(ConsiliumError, match="the disk is full"):
            outbox.settle(parcel.digest, "accepted")
    assert outbox.parcels() == [parcel]


def test_the_copy_of_what_was_taken_back_goes_only_once_it_was_answered(
    open_home: SiteHome, make_draft: Callable[..., Draft]
) -> None:
    name = Gate(open_home).submit(make_draft("statistics")).digest
    Outbox(open_home).discard(name)
    assert Outbox(open_home).sent(name) is not None
    Outbox(open_home).settle(name, "accepted")
    Outbox(open_home).discard(name)
    Outbox(open_home).discard(name)
    assert Outbox(open_home).sent(name) is None


def test_what_was_done_can_be_worked_on_again(home: SiteHome, coordinator: Coordinator) -> None:
    inbox = Inbox(home)
    name = inbox.put(coordinator.parcel("one").to_bytes())
    inbox.done(name)
    for _ in range(2):
        inbox.again(name)
        assert [opened.digest for opened in inbox.unread()] == [name]
    inbox.again("sha256:" + "9" * 64)
    inbox.done(name)
    assert inbox.unread() == []
