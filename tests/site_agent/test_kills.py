"""Every step of a site, killed wherever it touches the disk: nothing is lost, nothing is torn, and it ends as ever."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated.envelope import parse_parcel, read_passage
from federated.errors import ConsiliumError, DisclosureError
from federated.log.witness import ForkError, Request, have, parse_request
from site_agent import ledger
from site_agent.adopt import choose, keep, read_shelf
from site_agent.decisions.book import book_of
from site_agent.egress import Draft, Gate
from site_agent.home import SiteHome
from site_agent.mailbox import Inbox, Outbox
from site_agent.policy import Policy, StatisticsRule, permissive_policy, read_policy, sign_policy, write_policy
from site_agent.witness import witness, witness_of
from tests.killing import contents, kills
from tests.site_agent.decisions.test_book import _made

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation

MakeDraft = Callable[..., Draft]
Key = Ed25519PrivateKey
CHANGED = "was changed after an approver signed it"


def _each(home: SiteHome, approver: Key) -> None:
    """A policy under which an approver signs every parcel of statistics."""
    rule = permissive_policy("test", "ada").statistics.model_copy(update={"approval": "each"})
    assert isinstance(rule, StatisticsRule)
    write_policy(home, Policy(federation="test", site="ada").model_copy(update={"statistics": rule}))
    sign_policy(home, approver)


def _left(folder: Path) -> list[tuple[int, str, str, str]]:
    """What left, by number; outbox, ledger and receipts agree, and every parcel is whole."""
    home = SiteHome(folder)
    receipts = Gate(home).receipts()
    parcels = Outbox(home).parcels()
    passages = [read_passage(parcel) for parcel in parcels]
    told = [(receipt.sequence, receipt.kind, receipt.digest, receipt.approval) for receipt in receipts]
    assert [(passage.sequence, passage.kind) for passage in passages] == [each[:2] for each in told]
    assert [parcel.digest for parcel in parcels] == [each[2] for each in told]
    with ledger.transaction(home.state_path) as connection:
        assert [(row.sequence, row.digest) for row in ledger.sent(connection)] == [(each[0], each[2]) for each in told]
    return told


def _require_no_number_twice(folder: Path, seen: dict[str, bytes]) -> None:
    """What a courier could have taken by the kill is still there, byte by byte."""
    now = contents(SiteHome(folder).outbox)
    assert all(now[name] == data for name, data in seen.items() if name.endswith(".parcel"))


def test_killed_while_a_draft_is_sealed_under_the_policy(open_home: SiteHome, make_draft: MakeDraft) -> None:
    Gate(open_home).submit(make_draft("statistics"))
    draft = make_draft("statistics", range(100, 140), batch="b0002")
    for after in kills(open_home.path, lambda folder: Gate(SiteHome(folder)).submit(draft), least=30):
        seen = contents(SiteHome(after).outbox)
        assert Gate(SiteHome(after)).submit(draft).state in ("outbox", "same")
        _require_no_number_twice(after, seen)
        assert [each[:2] for each in _left(after)] == [(1, "statistics"), (2, "statistics")]
        assert not any(SiteHome(after).pending.iterdir())


def test_killed_while_an_approver_lets_a_draft_out(home: SiteHome, approver: Key, make_draft: MakeDraft) -> None:
    """The approval counts once, or not at all and the draft still waits."""
    _each(home, approver)
    draft = make_draft("statistics")
    assert Gate(home).submit(draft).state == "pending"
    for after in kills(home.path, lambda folder: Gate(SiteHome(folder)).approve(draft.digest, approver), least=30):
        seen = contents(SiteHome(after).outbox)
        waiting = [each.digest for each in Gate(SiteHome(after)).pending()]
        assert waiting == [draft.digest] or [each[2] for each in _left(after)] == [draft.digest]
        Gate(SiteHome(after)).approve(draft.digest, approver)
        _require_no_number_twice(after, seen)
        assert _left(after) == [(1, "statistics", draft.digest, "each")]
        assert Gate(SiteHome(after)).pending() == []


def test_killed_while_an_approver_rejects_a_draft(home: SiteHome, approver: Key, make_draft: MakeDraft) -> None:
    _each(home, approver)
    draft = make_draft("statistics")
    Gate(home).submit(draft)
    for after in kills(home.path, lambda folder: Gate(SiteHome(folder)).reject(draft.digest, approver, "no"), least=3):
        if Gate(SiteHome(after)).pending():
            Gate(SiteHome(after)).reject(draft.digest, approver, "no")
        with pytest.raises(DisclosureError, match="an approver rejected it: no"):
            Gate(SiteHome(after)).submit(draft)
        assert _left(after) == []


def _policy_of(home: SiteHome) -> Policy | str:
    try:
        return read_policy(home)
    except DisclosureError as error:
        return error.what


def test_killed_while_a_policy_is_changed_and_signed(open_home: SiteHome, approver: Key) -> None:
    """The old one holds, or the new one, or nothing may leave: never a new one that nobody signed."""

    def change(folder: Path) -> None:
        home = SiteHome(folder)
        write_policy(home, Policy(federation="test", site="ada"))
        sign_policy(home, approver)

    for after in kills(open_home.path, change, least=14):
        home = SiteHome(after)
        assert _policy_of(home) in (permissive_policy("test", "ada"), Policy(federation="test", site="ada"), CHANGED)
        change(after)
        assert read_policy(home) == Policy(federation="test", site="ada")


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    """A site to which a release is on its way, with entries about its own parcel to be witnessed."""
    home = federation.hospital("ada", {"dark": 14, "light": 14})
    federation.exchange(home)
    federation.coordinator.propose()
    federation.exchange(home)
    federation.coordinator.release()
    return home


def test_killed_while_parcels_are_taken_in(federation: Federation, ada: SiteHome) -> None:
    data = [parcel.to_bytes() for parcel in federation.coordinator.outgoing("ada")]
    wanted = [parse_parcel(each).digest for each in data]

    def take(folder: Path) -> list[str]:
        return [Inbox(SiteHome(folder)).put(each) for each in data]

    for after in kills(ada.path, take, least=10):
        inbox = Inbox(SiteHome(after))
        assert [each.digest for each in inbox.unread()] == wanted[: len(inbox.unread())]
        assert take(after) == wanted
        assert [each.digest for each in inbox.unread()] == wanted


def test_killed_while_a_release_is_put_on_the_shelf_and_refused(federation: Federation, ada: SiteHome) -> None:
    for parcel in federation.coordinator.outgoing("ada"):
        Inbox(ada).put(parcel.to_bytes())
    (release,) = [each.digest for each in Inbox(ada).unread() if each.manifest.kind == "release"]

    def refuse(folder: Path) -> None:
        home = SiteHome(folder)
        (opened,) = [each for each in Inbox(home).unread() if each.digest == release]
        keep(home, opened)
        choose(home, release, "refused", "as a trial")

    for after in kills(ada.path, refuse, least=10):
        home = SiteHome(after)
        assert [held.state for held in read_shelf(home).releases] in ([], ["waiting"], ["refused"])
        refuse(after)
        (held,) = read_shelf(home).releases
        assert (held.digest, held.state, held.reason, held.changes) == (release, "refused", "as a trial", 1)


def test_killed_while_it_witnesses(federation: Federation, ada: SiteHome, tmp_path: Path) -> None:
    """What it signed it has seen: no other history of that size is signed afterwards."""
    asked, *told = federation.coordinator.unwitnessed(["ada"])["ada"]
    assert told
    for after in kills(ada.path, lambda folder: witness(SiteHome(folder), asked, told), least=10):
        home = SiteHome(after)
        before = witness_of(home).size
        answer = witness(home, asked, told)
        size = witness_of(home).size
        if before:  # then it says so, and is asked from there
            assert (before, answer) == (size, have(size))
            answer = witness(home, Request(size, (), parse_request(asked).note).to_bytes(), told)
        assert federation.coordinator.take_cosignature("ada", answer)
        assert len(list((home.path / "log" / "told").glob("*.json"))) == len(told)
        other = federation.coordinator.home.log_path.with_name("other")
        with pytest.raises(ConsiliumError) as refused:
            witness(home, _another_history(federation, other, size))
        assert isinstance(refused.value, ForkError)
        shutil.rmtree(other)


def _another_history(federation: Federation, folder: Path, size: int) -> bytes:
    from federated.log.checkpoints import origin_of
    from federated.log.journal import Journal

    journal = Journal(folder, origin_of("shades"))
    journal.append([b"another entry"] * size, federation.coordinator.home.key())
    assert journal.note is not None
    return Request(size, (), journal.note).to_bytes()


def test_killed_while_answers_are_logged(home: SiteHome) -> None:
    """Whoever was shown an answer finds it in the log; what is half logged was shown to nobody, and goes."""

    def append(folder: Path) -> list[int]:
        with book_of(SiteHome(folder)) as book:
            return list(book.append([_made()] * 3))

    append(home.path)
    for after in kills(home.path, append, least=30):
        with book_of(SiteHome(after)) as book:
            assert book.size in (3, 6)
            held = [record.number for record in book.records()]
            assert held == list(range(book.size))
        assert append(after) == list(range(len(held), len(held) + 3))
        with book_of(SiteHome(after)) as book:
            assert all(book.opened(number)[1] is not None for number in range(book.size))


def test_killed_while_what_arrived_is_put_away(open_home: SiteHome, make_draft: MakeDraft) -> None:
    digest = Gate(open_home).submit(make_draft("statistics")).digest
    for after in kills(open_home.path, lambda folder: Outbox(SiteHome(folder)).settle(digest, "accepted"), least=1):
        outbox = Outbox(SiteHome(after))
        outbox.settle(digest, "accepted")
        assert outbox.parcels() == []
        sent: Any = outbox.sent(digest)
        assert json.loads(sent.manifest)["batch"] == "b0001"
