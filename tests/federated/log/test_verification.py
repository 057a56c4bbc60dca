"""One test a liar: who keeps the log alters, drops, moves, back-dates, forks or makes something up, and is caught."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated.audit.outcome import Check
from federated.canonical import digest
from federated.envelope import PREDICATE_TYPE, Passage
from federated.errors import ConsiliumError
from federated.keys import Party, TrustFile, public_hex
from federated.log.checkpoints import origin_of, witness_name
from federated.log.entries import Entry, KeyCard, sign_entry
from federated.log.journal import CHECKPOINT, WITNESSED, Journal
from federated.log.notes import ED25519, Note, NoteKey, cosign, sign
from federated.log.tiles import ENTRIES, tile_path
from federated.log.verification import NO_WITNESS, ONE_WITNESS, entries_of, verify_log
from federated.log.witness import Request, Witness
from federated.statements import sign_statement

Key = Ed25519PrivateKey
HUB, ADA, BEN, CEM, DPO = (Key.from_private_bytes(bytes([number]) * 32) for number in range(1, 6))
SITES = {"ada": ADA, "ben": BEN}
TRUST = TrustFile(
    federation="heart",
    parties=(
        Party(name="hub", role="coordinator", public=public_hex(HUB)),
        *(Party(name=name, role="site", public=public_hex(key)) for name, key in SITES.items()),
        Party(name="dpo", role="approver", public=public_hex(DPO), site="ada"),
    ),
)
ORIGIN = origin_of("heart")
Change = Callable[[list[Entry]], None]


def _envelope(
    site: str,
    sequence: int,
    previous: str | None,
    subject: str,
    key: Key,
    federation: str = "heart",
    kind: str = "statistics",
) -> str:
    passage = Passage(
        federation=federation,
        sender=site,
        recipient="hub",
        sequence=sequence,
        previous=previous,
        kind=kind,
        policy=None,
        filters={},
        approval="none",
        issued="2026-11-21T06:00:00Z",
    )
    return sign_statement(kind, subject, PREDICATE_TYPE, passage, [key]).decode()


@dataclass
class Federation:
    """What happened, as entries that are not signed yet."""

    entries: list[Entry] = field(default_factory=list)
    sent: dict[str, list[str]] = field(default_factory=dict)

    def add(self, event: str, **facts: Any) -> None:
        at = f"2026-11-21T06:00:{len(self.entries):02d}Z"
        self.entries.append(Entry.model_validate({"federation": "heart", "at": at, "event": event} | facts))

    def enrol(self, site: str, key: Key) -> None:
        self.add("enrol", site=site, keys=({"public": public_hex(key), "role": "site"},))

    def contribute(self, site: str, key: Key | None = None) -> None:
        earlier = self.sent.setdefault(site, [])
        subject = digest(f"{site} {len(earlier)}".encode())
        envelope = _envelope(site, len(earlier) + 1, earlier[-1] if earlier else None, subject, key or SITES[site])
        self.add("accepted", site=site, kind="statistics", subject=subject, envelope=envelope)
        earlier.append(subject)

    def answer(self, site: str, kind: str, concerns: str) -> None:
        earlier = self.sent[site]
        subject = digest(f"{site} {kind} {len(earlier)}".encode())
        envelope = _envelope(site, len(earlier) + 1, earlier[-1], subject, SITES[site], kind=kind)
        self.add("accepted", site=site, kind=kind, subject=subject, envelope=envelope, concerns=concerns)
        earlier.append(subject)


@pytest.fixture
def federation() -> Federation:
    made = Federation()
    made.add("init", keys=({"public": public_hex(HUB), "role": "coordinator"},))
    for name, key in SITES.items():
        made.enrol(name, key)
    for name in ("ada", "ben", "ada"):
        made.contribute(name)
    made.add("release", subject=digest(b"first"), concerns=digest(b"candidate"), number=1)
    made.contribute("ben")
    made.add("release", subject=digest(b"second"), concerns=digest(b"candidate"), number=2)
    return made


def _write(
    folder: Path, entries: Sequence[Entry], witnesses: Sequence[str] = ("ada", "ben"), key: Key = HUB
) -> Journal:
    journal = Journal(folder, ORIGIN)
    journal.append([sign_entry(entry, HUB) for entry in entries], key)
    for name in witnesses:
        assert journal.note is not None
        journal.cosigned(cosign(Note(journal.note.text), witness_name("heart", name), SITES[name], 1_800_000_000))
    return journal


def _lie(checks: Sequence[Check]) -> str:
    (wrong,) = [check for check in checks if check.ok is False]
    return f"{wrong.name}: {wrong.found}"


def test_what_the_log_told_of_may_be_answered(federation: Federation, tmp_path: Path) -> None:
    federation.answer("ada", "adoption", digest(b"second"))
    federation.answer("ada", "summary", digest(b"first"))
    _write(tmp_path, federation.entries)
    assert all(check.ok for check in verify_log(tmp_path, TRUST, witnesses=2))


def test_an_honest_log_is_verified(federation: Federation, tmp_path: Path) -> None:
    _write(tmp_path, federation.entries)
    checks = verify_log(tmp_path, TRUST, witnesses=2)
    assert [(check.name, check.ok) for check in checks] == [
        ("checkpoint", True),
        ("witnesses", True),
        ("entries", True),
    ]
    assert checks[1].found == "ada, ben signed 9 entries, the last at 2027-01-15T08:00:00Z"
    assert checks[2].found == "9 in their order, 4 of them with a hospital's own signature; 2 releases"
    assert list(entries_of(tmp_path, "heart")) == federation.entries


def test_a_log_goes_on_after_it_was_witnessed(federation: Federation, tmp_path: Path) -> None:
    journal = _write(tmp_path, federation.entries[:5])
    journal.append([sign_entry(entry, HUB) for entry in federation.entries[5:]], HUB)
    checks = verify_log(tmp_path, TRUST, witnesses=2)
    assert [check.ok for check in checks] == [True, True, True, None]
    assert "signed 5 entries" in checks[1].found
    assert checks[3].found == "4 entries after the last that was witnessed rest on the coordinator alone"


@pytest.mark.parametrize(("witnesses", "told"), [((), NO_WITNESS), (("ada",), ONE_WITNESS)])
def test_what_few_witnesses_are_worth_is_said(
    federation: Federation, tmp_path: Path, witnesses: tuple[str, ...], told: str
) -> None:
    _write(tmp_path, federation.entries, witnesses)
    check = verify_log(tmp_path, TRUST, witnesses=0)[1]
    assert (told in check.found, check.ok) == (True, True if witnesses else None)


def test_fewer_witnesses_than_asked_for_are_refused(federation: Federation, tmp_path: Path) -> None:
    _write(tmp_path, federation.entries, ("ada",))
    assert _lie(verify_log(tmp_path, TRUST, witnesses=2)) == "witnesses: ada of 2 witnesses asked for signed"


def _altered(entries: list[Entry]) -> None:
    entries[6] = entries[6].model_copy(update={"subject": digest(b"another")})


def _dropped(entries: list[Entry]) -> None:
    del entries[7]


def _moved(entries: list[Entry]) -> None:
    first, second = entries[3].at, entries[4].at
    entries[3:5] = [entries[4].model_copy(update={"at": first}), entries[3].model_copy(update={"at": second})]


REWRITINGS: dict[str, Change] = {"altered": _altered, "dropped": _dropped, "moved": _moved}


@pytest.mark.parametrize("how", REWRITINGS)
def test_a_history_that_was_rewritten_is_not_what_witnesses_signed(
    federation: Federation, tmp_path: Path, how: str
) -> None:
    """The keeper signs a new log of other entries, and shows it under the signatures that the old one had."""
    honest = _write(tmp_path / "honest", federation.entries)
    REWRITINGS[how](federation.entries)
    lying = _write(tmp_path / "lying", federation.entries, ())
    assert honest.witnessed is not None
    (tmp_path / "lying" / WITNESSED).write_bytes(honest.witnessed.to_bytes())
    assert lying.size <= honest.size
    lie = _lie(verify_log(tmp_path / "lying", TRUST, witnesses=2))
    assert "one was altered, dropped or moved" in lie or "9 entries were witnessed, 8 are left" in lie


@pytest.mark.parametrize("how", REWRITINGS)
def test_a_history_that_was_rewritten_is_signed_by_no_witness_who_saw_another(
    federation: Federation, tmp_path: Path, how: str
) -> None:
    log = NoteKey(ORIGIN, HUB.public_key().public_bytes_raw(), ED25519)
    witness = Witness(tmp_path / "ada", log)
    journal = _write(tmp_path / "honest", federation.entries, ())
    assert journal.note is not None
    witness.cosign(Request(0, (), journal.note).to_bytes(), witness_name("heart", "ada"), ADA, 1)
    REWRITINGS[how](federation.entries)
    federation.contribute("ada")
    lying = _write(tmp_path / "lying", federation.entries, ())
    assert lying.note is not None
    proof = tuple(lying.consistency(min(witness.size, lying.size)))
    with pytest.raises(ConsiliumError):
        witness.cosign(Request(witness.size, proof, lying.note).to_bytes(), witness_name("heart", "ada"), ADA, 2)


def test_a_changed_byte_of_an_entry_is_found(federation: Federation, tmp_path: Path) -> None:
    _write(tmp_path, federation.entries)
    path = tmp_path / tile_path(ENTRIES, 0, 9)
    data = bytearray(path.read_bytes())
    for place in range(0, len(data), 97):
        changed = bytearray(data)
        changed[place] ^= 1
        path.write_bytes(changed)
        assert _lie(verify_log(tmp_path, TRUST, witnesses=2)).startswith("entries: ")


def test_a_checkpoint_of_somebody_else_is_refused(federation: Federation, tmp_path: Path) -> None:
    _write(tmp_path, federation.entries, (), key=CEM)
    assert "signed by no key of the coordinator" in _lie(verify_log(tmp_path, TRUST, witnesses=0))


def test_a_checkpoint_that_promises_more_than_there_is(federation: Federation, tmp_path: Path) -> None:
    journal = _write(tmp_path, federation.entries, ())
    longer = Note(f"{ORIGIN}\n10\n{journal.checkpoint.note().text.splitlines()[2]}\n")
    (tmp_path / CHECKPOINT).write_bytes(sign(longer, ORIGIN, HUB).to_bytes())
    assert "is missing" in _lie(verify_log(tmp_path, TRUST, witnesses=0))


def _forged(made: Federation) -> None:
    made.contribute("ada", CEM)


def _replayed(made: Federation) -> None:
    made.entries.append(made.entries[3].model_copy(update={"at": made.entries[-1].at}))


def _skipped(made: Federation) -> None:
    made.sent["ada"].append(digest(b"a parcel that was kept back"))
    made.contribute("ada")


def _denied(made: Federation) -> None:
    """Another parcel in the place of the one that the site sent, with the envelope that the site had signed."""
    made.entries[3] = made.entries[3].model_copy(update={"subject": digest(b"another")})


def _of_another_site(made: Federation) -> None:
    made.entries[3] = made.entries[3].model_copy(update={"site": "ben"})


def _after_revocation(made: Federation) -> None:
    made.add("revoke", site="ada", ended=(public_hex(ADA),))
    made.contribute("ada")


def _unknown_key(made: Federation) -> None:
    made.enrol("cem", CEM)


def _second_key(made: Federation) -> None:
    """A key of the coordinator's own making under a hospital's name."""
    made.enrol("ada", CEM)


def _back_dated(made: Federation) -> None:
    made.entries[6] = made.entries[6].model_copy(update={"at": "2026-11-20T00:00:00Z"})


def _post_dated(made: Federation) -> None:
    made.entries[8] = made.entries[8].model_copy(update={"at": "2027-01-17T00:00:00Z"})


def _revived(made: Federation) -> None:
    made.add("revoke", site="ada", ended=(public_hex(ADA),))
    made.enrol("ada", ADA)


def _ends_anothers(made: Federation) -> None:
    made.add("revoke", site="ben", ended=(public_hex(ADA),))


def _begins_again(made: Federation) -> None:
    made.add("init", keys=({"public": public_hex(HUB), "role": "coordinator"},))


def _withdraws_nothing(made: Federation) -> None:
    made.add("withdraw", site="ada", kind="statistics", subject=digest(b"never sent"))


def _recalls_nothing(made: Federation) -> None:
    made.add("recall", subject=digest(b"recall"), concerns=digest(b"never released"), number=1)


def _secret_release(made: Federation) -> None:
    """A site adopts what the coordinator handed to it alone, or asked it alone about."""
    made.answer("ada", "adoption", digest(b"a release for ada alone"))


def _secret_candidate(made: Federation) -> None:
    made.answer("ada", "report", digest(b"a candidate for ada alone"))


def _to_another_federation(made: Federation) -> None:
    earlier = made.sent["ada"]
    subject = digest(b"meant for others")
    envelope = _envelope("ada", 3, earlier[-1], subject, ADA, federation="lung")
    made.add("accepted", site="ada", kind="statistics", subject=subject, envelope=envelope)


def _by_an_approver(made: Federation) -> None:
    """The approver's key alone is not the hospital's."""
    made.entries[1] = made.entries[1].model_copy(
        update={"keys": (*made.entries[1].keys, KeyCard(public=public_hex(DPO), role="approver"))}
    )
    made.contribute("ada", DPO)


def _numbered_twice(made: Federation) -> None:
    made.add("release", subject=digest(b"third"), concerns=digest(b"candidate"), number=2)


def _of_another_federation(made: Federation) -> None:
    made.entries[6] = made.entries[6].model_copy(update={"federation": "lung"})


def _without_a_beginning(made: Federation) -> None:
    del made.entries[0]


LIES: dict[str, tuple[Callable[[Federation], None], str]] = {
    "a contribution that the site did not sign": (_forged, "entry 9: accepted: holds an envelope that no key of 'ada'"),
    "a contribution told twice": (_replayed, "entry 9: accepted: 'ada' sent number 1, the last logged is 2"),
    "a contribution kept back": (_skipped, "entry 9: accepted: 'ada' sent number 4, the last logged is 2"),
    "a contribution in the place of another": (_denied, "entry 3: accepted: holds an envelope of something else"),
    "a contribution under another's name": (_of_another_site, "entry 3: accepted: holds an envelope of something else"),
    "a contribution by a revoked key": (_after_revocation, "entry 10: accepted: holds an envelope that no key of"),
    "a site that nobody knows": (_unknown_key, "entry 9: enrol: brings a key that is not in the trust file"),
    "a key in a hospital's name": (_second_key, "entry 9: enrol: brings a key that is not in the trust file"),
    "an entry with a later date than its witnesses": (
        _post_dated,
        "entry 8: release: says 2027-01-17T00:00:00Z, and was",
    ),
    "a revoked key that comes back": (_revived, "entry 10: enrol: brings a key that the log has had before"),
    "a key that another ends": (_ends_anothers, "entry 9: revoke: ends a key that is not of 'ben'"),
    "a second beginning": (_begins_again, "entry 9: init: the log does not begin with"),
    "a withdrawal of nothing": (_withdraws_nothing, "entry 9: withdraw: is about what was never taken in"),
    "a recall of nothing": (_recalls_nothing, "entry 9: recall: there was no such release 1"),
    "a release that one site alone was given": (
        _secret_release,
        "entry 9: accepted: 'ada' answered a release that the log never told of",
    ),
    "a candidate that one site alone was asked about": (
        _secret_candidate,
        "entry 9: accepted: 'ada' answered a candidate that the log never told of",
    ),
    "a parcel for others": (_to_another_federation, "entry 9: accepted: holds an envelope to somebody else"),
    "a parcel by an approver alone": (_by_an_approver, "entry 9: accepted: holds an envelope that no key of 'ada'"),
    "an entry with an earlier date": (_back_dated, "entry 6: release: says 2026-11-20T00:00:00Z"),
    "a release number used twice": (_numbered_twice, "entry 9: release: has number 2 after 2"),
    "an entry of another federation": (_of_another_federation, "entry 6: release: is of federation 'lung'"),
    "a log without its beginning": (_without_a_beginning, "entry 0: enrol: the log does not begin with"),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_was_made_up_is_named_even_where_all_witnesses_signed(
    federation: Federation, tmp_path: Path, lie: str
) -> None:
    tell, what = LIES[lie]
    tell(federation)
    _write(tmp_path, federation.entries)
    assert what in _lie(verify_log(tmp_path, TRUST, witnesses=2))


def test_a_key_that_only_the_hospital_calls_revoked_is_told(federation: Federation, tmp_path: Path) -> None:
    _write(tmp_path, federation.entries)
    parties = tuple(
        party.model_copy(update={"revoked": True}) if party.name == "ben" else party for party in TRUST.parties
    )
    checks = verify_log(tmp_path, TrustFile(federation="heart", parties=parties), witnesses=1)
    assert [(check.name, check.ok) for check in checks][3:] == [("revoked", None)]
    assert "a key of ben was revoked, the log does not" in checks[3].found


def test_an_entry_that_the_coordinator_did_not_sign_is_refused(federation: Federation, tmp_path: Path) -> None:
    journal = Journal(tmp_path, ORIGIN)
    keys = itertools.chain([HUB] * 4, itertools.repeat(CEM))
    journal.append([sign_entry(entry, key) for entry, key in zip(federation.entries, keys, strict=False)], HUB)
    assert "entry 4: accepted: is signed by no key" in _lie(verify_log(tmp_path, TRUST, witnesses=0))


def test_a_folder_without_a_log_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConsiliumError, match="holds no log; give the folder"):
        verify_log(tmp_path, TRUST, witnesses=0)
    assert list(entries_of(tmp_path, "heart")) == []
