from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import site_agent.egress
from federated.disclosure import FILTERS, TABLE, Check, Facts, Filter, Limits
from federated.envelope import Ledger, Opened, check_sequence, open_parcel
from federated.errors import ConsiliumError, DisclosureError, SignatureError
from federated.keys import public_hex
from federated.manifest import MODEL_KINDS, SITE_KINDS
from site_agent import ledger
from site_agent.egress import Draft, Gate
from site_agent.home import SiteHome
from site_agent.mailbox import Outbox
from site_agent.policy import (
    GOVERNED_KINDS,
    Policy,
    Rule,
    StatisticsRule,
    permissive_policy,
    sign_policy,
    signature_path,
    write_policy,
)

MakeDraft = Callable[..., Draft]
Key = Ed25519PrivateKey


def _set_policy(home: SiteHome, approver: Key, **rules: Rule) -> None:
    write_policy(home, Policy(federation="test", site="ada").model_copy(update=rules))
    sign_policy(home, approver)


def _statistics(approval: str = "standing", **limits: Any) -> StatisticsRule:
    return StatisticsRule.model_validate(
        {
            "allowed": True,
            "approval": approval,
            "level_to_coordinator": 2,
            "level_to_sites": 1,
            "limits": Limits(**limits),
        }
    )


def _ready(kind: str, gate: Gate, make_draft: MakeDraft) -> Draft:
    """A draft of this kind; a withdrawal needs something to take back."""
    if kind != "withdrawal":
        return make_draft(kind)
    sent = gate.submit(make_draft("statistics", range(100, 140), batch="b0009"))
    return make_draft(kind, contributions=(sent.digest,))


def _arrived(home: SiteHome) -> list[Opened]:
    """What a coordinator makes of the outbox: every signature, number and predecessor is checked."""
    known, opened = Ledger(), []
    for parcel in Outbox(home).parcels():
        opened.append(open_parcel(parcel, home.trust(), recipient="hub"))
        assert check_sequence(known, opened[-1].passage, parcel.digest) == "new"
        known = known.accepting(opened[-1].passage, parcel.digest)
    return opened


@pytest.mark.parametrize("kind", SITE_KINDS)
def test_every_kind_is_previewed_sealed_and_receipted(
    kind: str, open_home: SiteHome, make_draft: MakeDraft, approver: Key
) -> None:
    gate = Gate(open_home)
    draft = _ready(kind, gate, make_draft)
    preview = gate.preview(draft)
    assert preview.allowed
    assert preview.bytes == len(preview.manifest.encode()) + len(draft.tensors)
    submission = gate.submit(draft)
    if submission.state == "pending":
        submission = gate.approve(draft.digest, approver)
    assert submission.state == "outbox"
    opened = _arrived(open_home)[-1]
    assert (opened.manifest, opened.digest) == (draft.manifest, draft.digest)
    receipt = gate.receipts()[-1]
    assert (receipt.digest, receipt.kind, receipt.sequence) == (draft.digest, kind, opened.passage.sequence)
    assert receipt.bytes == len(Outbox(open_home).parcels()[-1].to_bytes())
    assert receipt.filters == opened.passage.filters == {check.name: check.line for check in preview.checks}
    assert set(TABLE[kind]) <= set(receipt.filters)


def _spy(name: str, original: Filter, evaluated: set[str]) -> Filter:
    def filter_(facts: Facts, limits: Limits, earlier: Sequence[Facts]) -> Check:
        evaluated.add(name)
        return original(facts, limits, earlier)

    return filter_


@pytest.mark.parametrize("kind", SITE_KINDS)
def test_the_gate_evaluates_every_filter_of_a_kind(
    kind: str, open_home: SiteHome, make_draft: MakeDraft, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(open_home)
    draft = _ready(kind, gate, make_draft)
    evaluated: set[str] = set()
    for name, original in FILTERS.items():
        monkeypatch.setitem(FILTERS, name, _spy(name, original, evaluated))
    gate.submit(draft)
    assert evaluated == set(TABLE[kind])


@pytest.mark.parametrize("kind", GOVERNED_KINDS)
@pytest.mark.parametrize("state", ["missing", "silent", "not signed", "not allowed"])
def test_nothing_leaves_without_a_policy_that_allows_it(
    state: str, kind: str, home: SiteHome, make_draft: MakeDraft, approver: Key
) -> None:
    if state == "silent":
        _set_policy(home, approver)
    if state == "not allowed":
        allowed = permissive_policy("test", "ada")
        rule = allowed.rule(kind).model_copy(update={"allowed": False})
        write_policy(home, allowed.model_copy(update={kind: rule}))
        sign_policy(home, approver)
    if state == "not signed":
        write_policy(home, permissive_policy("test", "ada"))
    gate = Gate(home)
    with pytest.raises(DisclosureError) as refusal:
        gate.submit(make_draft(kind))
    assert refusal.value.filter_name == "policy"
    assert refusal.value.cure
    preview = gate.preview(make_draft(kind))
    assert not preview.allowed
    assert str(refusal.value) == preview.approval
    assert _untouched(home)


def _untouched(home: SiteHome) -> bool:
    return not any(home.outbox.iterdir()) and not any(home.pending.iterdir()) and not home.receipts_path.exists()


@pytest.mark.parametrize("kind", ["adoption", "withdrawal"])
def test_a_hospital_can_always_say_no(kind: str, home: SiteHome, make_draft: MakeDraft, approver: Key) -> None:
    _set_policy(home, approver, statistics=_statistics())
    sent = Gate(home).submit(make_draft("statistics"))
    home.policy_path.unlink()
    changes = {"contributions": (sent.digest,)} if kind == "withdrawal" else {"choice": "refused"}
    assert Gate(home).submit(make_draft(kind, **changes)).state == "outbox"
    assert Gate(home).receipts()[-1].policy is None
    assert len(_arrived(home)) == 2


def test_a_changed_policy_without_an_approvers_signature_lets_nothing_out(
    open_home: SiteHome, make_draft: MakeDraft, approver: Key
) -> None:
    open_home.policy_path.write_text(open_home.policy_path.read_text() + "\n# harmless?\n")
    with pytest.raises(
        DisclosureError, match=r"refused by policy: .*policy.toml: was changed after an approver signed"
    ):
        Gate(open_home).submit(make_draft("statistics"))
    sign_policy(open_home, approver)
    assert Gate(open_home).submit(make_draft("statistics")).state == "outbox"


def test_a_policy_signed_by_the_site_itself_lets_nothing_out(open_home: SiteHome, make_draft: MakeDraft) -> None:
    with pytest.raises(SignatureError, match="not an approver's"):
        sign_policy(open_home, open_home.key())
    signature_path(open_home).unlink()
    with pytest.raises(DisclosureError, match="no approver has signed it"):
        Gate(open_home).submit(make_draft("statistics"))


REFUSED_AT: dict[str, dict[str, Any]] = {
    "cell": {"cell": 11},
    "batch": {"batch": 21},
    "gram_share": {"gram_share": 0.1},
    "dominance": {"dominance": 0.05},
    "levels": {"levels": 1},
    "max_bytes": {"max_bytes": 100},
}


@pytest.mark.parametrize("name", REFUSED_AT)
def test_a_refusal_names_the_filter_and_the_cure(
    name: str, home: SiteHome, make_draft: MakeDraft, approver: Key
) -> None:
    _set_policy(home, approver, statistics=_statistics(**REFUSED_AT[name]))
    gate = Gate(home)
    with pytest.raises(DisclosureError) as refusal:
        gate.submit(make_draft("statistics"))
    assert refusal.value.filter_name == name
    assert refusal.value.cure
    assert "\n" not in str(refusal.value)
    failed = [check.name for check in gate.preview(make_draft("statistics")).checks if not check.passed]
    assert failed == [name]
    assert _untouched(home)


IMPOSSIBLE: dict[str, Any] = {
    "cell": 10**6,
    "batch": 10**6,
    "gram_share": 1e-9,
    "dominance": 1e-9,
    "levels": 1,
    "max_bytes": 1,
}


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in GOVERNED_KINDS for name in TABLE[kind] if name in IMPOSSIBLE]
)
def test_every_kind_is_refused_by_every_filter_of_its_row(
    kind: str, name: str, home: SiteHome, make_draft: MakeDraft, approver: Key
) -> None:
    draft = make_draft(kind)
    if (kind, name) == ("decision", "levels"):
        cells = {("test", label): frozenset({"p1"}) for label in ("a4c", "plax")}
        draft = replace(draft, facts=replace(draft.facts, cells=cells))
    rule = permissive_policy("test", "ada").rule(kind)
    limits = rule.limits.model_copy(update={name: IMPOSSIBLE[name]})
    _set_policy(home, approver, **{kind: rule.model_copy(update={"limits": limits})})
    with pytest.raises(DisclosureError) as refusal:
        Gate(home).submit(draft)
    assert refusal.value.filter_name == name
    assert refusal.value.cure
    assert _untouched(home)


@pytest.mark.parametrize("kind", [kind for kind in GOVERNED_KINDS if "difference" in TABLE[kind]])
def test_every_kind_is_refused_where_it_isolates_a_patient(
    kind: str, home: SiteHome, make_draft: MakeDraft, approver: Key
) -> None:
    rule = permissive_policy("test", "ada").rule(kind)
    limits = rule.limits.model_copy(update={"difference": 2})
    _set_policy(home, approver, **{kind: rule.model_copy(update={"limits": limits})})
    gate = Gate(home)
    if gate.submit(make_draft(kind)).state == "pending":
        gate.approve(make_draft(kind).digest, approver)
    again = make_draft(kind, **OTHER[kind])
    (cell, patients), *others = again.facts.cells.items()
    one_more = {cell: patients | {"newcomer"}, **dict(others)}
    with pytest.raises(DisclosureError) as refusal:
        gate.submit(replace(again, facts=replace(again.facts, cells=one_more)))
    assert refusal.value.filter_name == "difference"
    assert "found 1, at least 2" in str(refusal.value)


OTHER: dict[str, dict[str, Any]] = {kind: {"batch": "b0002"} for kind in MODEL_KINDS}
OTHER |= {"report": {"calibration_patients": 19}, "summary": {"patients": 19}, "update": {"round": 2}}


def test_published_limits_in_one_line(home: SiteHome, make_draft: MakeDraft, approver: Key) -> None:
    _set_policy(home, approver, statistics=_statistics())
    with pytest.raises(DisclosureError) as refusal:
        Gate(home).submit(make_draft("statistics", range(16)))
    assert str(refusal.value) == (
        "refused by cell: statistics of batch b0001: found 4, at least 5 is allowed (refused by gram_share too); "
        "leave label 'a4c' out of fold 'train', or wait for 1 more patients with it"
    )


@pytest.mark.parametrize(("field", "level"), [("level_to_coordinator", 1), ("level_to_sites", 0)])
def test_levels_by_audience(field: str, level: int, home: SiteHome, make_draft: MakeDraft, approver: Key) -> None:
    _set_policy(home, approver, statistics=_statistics().model_copy(update={field: level}))
    with pytest.raises(DisclosureError) as refusal:
        Gate(home).submit(make_draft("statistics"))
    assert refusal.value.filter_name == field
    assert f"lower the level to {level}" in refusal.value.cure


def test_class_sums_alone_pass_where_gram_matrices_may_not(
    home: SiteHome, make_draft: MakeDraft, approver: Key
) -> None:
    rule = _statistics(gram_share=0.01).model_copy(update={"level_to_coordinator": 1})
    _set_policy(home, approver, statistics=rule)
    assert Gate(home).submit(make_draft("statistics", level=1)).state == "outbox"
    assert [opened.tensors.keys() for opened in _arrived(home)] == [
        {"train.class_sums", "train.weights", "validation.class_sums", "validation.weights"}
    ]


def test_withdraw_and_send_again_without_one_patient_is_refused(
    home: SiteHome, make_draft: MakeDraft, approver: Key
) -> None:
    _set_policy(home, approver, statistics=_statistics())
    gate = Gate(home)
    sent = gate.submit(make_draft("statistics", range(40)))
    gate.submit(make_draft("withdrawal", contributions=(sent.digest,)))
    with pytest.raises(DisclosureError) as refusal:
        gate.submit(make_draft("statistics", range(39), batch="b0002"))
    assert refusal.value.filter_name == "difference"
    assert "found 1, at least 5" in str(refusal.value)
    assert "change 5 patients or more at once" in refusal.value.cure
    assert gate.submit(make_draft("statistics", range(60), batch="b0003")).state == "outbox"


def test_last_patients_of_two_batches_sent_again_as_one_are_refused(
    home: SiteHome, make_draft: MakeDraft, approver: Key
) -> None:
    _set_policy(home, approver, statistics=_statistics())
    gate = Gate(home)
    gate.submit(make_draft("statistics", range(40)))
    gate.submit(make_draft("statistics", range(40, 80), batch="b0002"))
    with pytest.raises(DisclosureError, match="refused by difference"):
        gate.submit(make_draft("statistics", range(79), batch="b0003"))


def test_what_was_withdrawn_does_not_leave_again(open_home: SiteHome, make_draft: MakeDraft) -> None:
    gate = Gate(open_home)
    sent = gate.submit(make_draft("statistics"))
    gate.submit(make_draft("withdrawal", contributions=(sent.digest,)))
    with pytest.raises(DisclosureError, match="refused by withdrawn"):
        gate.submit(make_draft("statistics"))
    assert gate.submit(make_draft("withdrawal", contributions=(sent.digest,))).state == "same"


def test_only_what_was_sent_can_be_withdrawn(open_home: SiteHome, make_draft: MakeDraft) -> None:
    with pytest.raises(ConsiliumError, match="no contribution of this site that still stands"):
        Gate(open_home).submit(make_draft("withdrawal"))
    assert _untouched(open_home)


def test_the_same_draft_leaves_once(open_home: SiteHome, make_draft: MakeDraft) -> None:
    gate = Gate(open_home)
    assert gate.submit(make_draft("statistics")).state == "outbox"
    assert gate.submit(make_draft("statistics")).state == "same"
    assert len(gate.receipts()) == len(_arrived(open_home)) == 1


def test_another_sites_draft_or_unknown_label_stays(open_home: SiteHome, make_draft: MakeDraft) -> None:
    gate = Gate(open_home)
    for changes, name in (({"site": "ben"}, "address"), ({"federation": "other"}, "address")):
        with pytest.raises(DisclosureError) as refusal:
            gate.submit(make_draft("statistics", **changes))
        assert refusal.value.filter_name == name
    with pytest.raises(DisclosureError, match="refused by vocabulary"):
        gate.submit(make_draft("report", labels=("a4c", "Jane.Doe")))
    assert _untouched(open_home)


def test_each_parcel_waits_for_an_approver_where_the_policy_says_so(
    home: SiteHome, make_draft: MakeDraft, approver: Key
) -> None:
    _set_policy(home, approver, statistics=_statistics("each"))
    gate = Gate(home)
    draft = make_draft("statistics")
    assert gate.submit(draft).state == gate.submit(draft).state == "pending"
    assert [waiting.digest for waiting in gate.pending()] == [draft.digest]
    assert gate.draft(draft.digest) == draft
    assert not any(home.outbox.iterdir())
    assert gate.approve(draft.digest, approver).state == "outbox"
    assert gate.approve(draft.digest, approver).state == "same"
    opened = _arrived(home)[0]
    assert opened.passage.approval == "each"
    assert opened.signers == {party.key_id for party in home.trust().parties if party.role != "coordinator"}
    assert gate.receipts()[0].approver in opened.signers
    assert gate.pending() == []
    assert not any(home.pending.iterdir())


def test_only_an_approver_approves_or_rejects(home: SiteHome, make_draft: MakeDraft, approver: Key) -> None:
    _set_policy(home, approver, statistics=_statistics("each"))
    gate = Gate(home)
    digest = gate.submit(make_draft("statistics")).digest
    for key in (home.key(), Key.generate()):
        with pytest.raises(SignatureError, match="not an approver's of this site"):
            gate.approve(digest, key)
        with pytest.raises(SignatureError, match="not an approver's of this site"):
            gate.reject(digest, key, "no")
    assert [waiting.digest for waiting in gate.pending()] == [digest]


def test_a_rejected_draft_stays_for_good(home: SiteHome, make_draft: MakeDraft, approver: Key) -> None:
    _set_policy(home, approver, statistics=_statistics("each"))
    gate = Gate(home)
    draft = make_draft("statistics")
    gate.submit(draft)
    gate.reject(draft.digest, approver, "wrong labels")
    assert gate.pending() == []
    with pytest.raises(DisclosureError, match=r"refused by approval: .*an approver rejected it: wrong labels"):
        gate.submit(draft)
    with pytest.raises(ConsiliumError, match="nothing with this digest waits"):
        gate.approve(draft.digest, approver)


def test_filters_are_asked_again_when_an_approver_signs(home: SiteHome, make_draft: MakeDraft, approver: Key) -> None:
    _set_policy(home, approver, statistics=_statistics("each"))
    gate = Gate(home)
    first, second = make_draft("statistics", range(40)), make_draft("statistics", range(39), batch="b0002")
    gate.submit(first)
    gate.submit(second)
    gate.approve(first.digest, approver)
    with pytest.raises(DisclosureError, match="refused by difference"):
        gate.approve(second.digest, approver)
    home.policy_path.unlink()
    with pytest.raises(DisclosureError, match="there is no policy"):
        gate.approve(second.digest, approver)


def test_a_waiting_draft_that_was_changed_is_not_approved(home: SiteHome, make_draft: MakeDraft, approver: Key) -> None:
    _set_policy(home, approver, statistics=_statistics("each"))
    gate = Gate(home)
    digest = gate.submit(make_draft("statistics")).digest
    path = next(home.pending.iterdir())
    path.write_bytes(path.read_bytes().replace(b'"b0001"', b'"b0002"'))
    with pytest.raises(ConsiliumError, match="was changed after it was drafted"):
        gate.approve(digest, approver)
    path.write_bytes(path.read_bytes().replace(b'"b0002"', b'"b0001"')[:-1] + b"x")
    with pytest.raises(ConsiliumError, match="the tensors are not the ones"):
        gate.approve(digest, approver)
    assert not any(home.outbox.iterdir())


STEPS = (
    (site_agent.egress, "write_whole"),
    (ledger, "put_draft"),
    (site_agent.egress, "seal"),
    (ledger, "put_sent"),
    (Outbox, "add"),
    (site_agent.egress, "write_receipts"),
    (ledger, "mark_published"),
    (ledger, "drop_draft"),
    (Gate, "_tidy"),
    (Path, "unlink"),
)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(("owner", "name"), STEPS, ids=[name for _, name in STEPS])
def test_killed_between_any_two_steps_nothing_is_lost_or_numbered_twice(
    owner: object, name: str, moment: str, open_home: SiteHome, make_draft: MakeDraft
) -> None:
    """The process dies for real, in a child, and what the courier could have taken by then is held against the end."""
    Gate(open_home).submit(make_draft("statistics"))
    draft = make_draft("statistics", range(100, 140), batch="b0002")
    _die_while(owner, name, moment, lambda: Gate(open_home).submit(draft))
    seen = {path.name: path.read_bytes() for path in open_home.outbox.glob("*.parcel")}
    other = make_draft("statistics", range(200, 240), batch="b0003")
    assert Gate(open_home).submit(other).state == "outbox"
    assert Gate(open_home).submit(draft).state in ("outbox", "same")
    kept = {path.name: path.read_bytes() for path in open_home.outbox.glob("*.parcel")}
    assert all(kept[file] == data for file, data in seen.items())
    opened = _arrived(open_home)
    assert [each.passage.sequence for each in opened] == [1, 2, 3]
    assert {each.digest for each in opened[1:]} == {draft.digest, other.digest}
    assert [receipt.digest for receipt in Gate(open_home).receipts()] == [each.digest for each in opened]
    assert not any(open_home.pending.iterdir())
    assert sorted(path.suffix for path in open_home.outbox.iterdir()) == [".parcel"] * 3


def _die_while(owner: object, name: str, moment: str, work: Callable[[], object]) -> None:
    child = os.fork()
    if child == 0:
        original = getattr(owner, name)

        def dies(*args: Any, **options: Any) -> None:
            if moment == "after":
                original(*args, **options)
            os._exit(9)

        setattr(owner, name, dies)
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 9


def test_killed_before_the_commit_the_number_is_free(open_home: SiteHome, make_draft: MakeDraft) -> None:
    draft = make_draft("statistics")
    _die_while(Gate, "_write_down", "after", lambda: Gate(open_home).submit(draft))
    assert not any(open_home.outbox.iterdir())
    assert Gate(open_home).submit(make_draft("statistics", range(50, 90), batch="b0002")).state == "outbox"
    assert [each.passage.sequence for each in _arrived(open_home)] == [1]


def test_a_parcel_that_was_settled_before_the_crash_does_not_come_back(
    open_home: SiteHome, make_draft: MakeDraft
) -> None:
    draft = make_draft("statistics")
    _die_while(site_agent.egress, "write_receipts", "before", lambda: Gate(open_home).submit(draft))
    Outbox(open_home).settle(draft.digest, "accepted")
    assert [receipt.digest for receipt in Gate(open_home).receipts()] == [draft.digest]
    assert Outbox(open_home).parcels() == []


def test_full_disk_at_any_write_is_one_line_and_nothing_is_lost(
    open_home: SiteHome, make_draft: MakeDraft, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk with room for 0, 1, 2, ... writes, until a whole submission fits."""
    told: list[str] = []
    for room in range(20):
        draft = make_draft("statistics", range(100 * room, 100 * room + 40), batch=f"b{room:04d}")
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", _disk_with_room_for(room))
            refusal = _refusal(lambda draft=draft: Gate(open_home).submit(draft))  # type: ignore[misc]
        assert Gate(open_home).submit(draft).state in ("outbox", "same")
        assert [receipt.digest for receipt in Gate(open_home).receipts()] == [
            each.digest for each in _arrived(open_home)
        ]
        if not refusal:
            break
        told.append(refusal)
    assert len(told) >= 3
    assert all("the disk is full; free some space and run the command again" in line for line in told)
    assert [each.passage.sequence for each in _arrived(open_home)] == list(range(1, len(told) + 2))


def _disk_with_room_for(writes: int) -> Callable[[int], None]:
    left = iter(range(writes))

    def fsync(_: int) -> None:
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")

    return fsync


def _refusal(work: Callable[[], object]) -> str:
    try:
        work()
    except ConsiliumError as error:
        return str(error)
    return ""


def test_full_disk_in_the_ledger_is_one_line(
    open_home: SiteHome, make_draft: MakeDraft, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    gate = Gate(open_home)
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "put_sent", full)
        with pytest.raises(ConsiliumError, match=r"ledger\.sqlite: the disk is full"):
            gate.submit(make_draft("statistics"))
    assert gate.submit(make_draft("statistics")).state == "outbox"
    assert [each.passage.sequence for each in _arrived(open_home)] == [1]


def test_an_older_copy_of_the_ledger_lets_nothing_out(open_home: SiteHome, make_draft: MakeDraft) -> None:
    gate = Gate(open_home)
    gate.submit(make_draft("statistics"))
    copy = open_home.state_path.read_bytes()
    gate.submit(make_draft("statistics", range(50, 90), batch="b0002"))
    open_home.state_path.write_bytes(copy)
    with pytest.raises(ConsiliumError, match=r"does not know number 2.*restore ledger\.sqlite"):
        Gate(open_home)


def test_lost_receipts_are_written_again_from_the_ledger(open_home: SiteHome, make_draft: MakeDraft) -> None:
    gate = Gate(open_home)
    gate.submit(make_draft("statistics"))
    text = open_home.receipts_path.read_text()
    open_home.receipts_path.unlink()
    gate.submit(make_draft("statistics", range(50, 90), batch="b0002"))
    assert open_home.receipts_path.read_text().startswith(text)
    assert len(gate.receipts()) == 2


def test_no_pseudonym_leaves(open_home: SiteHome, make_draft: MakeDraft) -> None:
    Gate(open_home).submit(make_draft("statistics"))
    data = b"".join(parcel.to_bytes() for parcel in Outbox(open_home).parcels())
    assert b"p13" not in data + open_home.receipts_path.read_bytes()
    assert b"p13" in open_home.state_path.read_bytes()


def test_an_approver_may_keep_the_key_elsewhere(tmp_path: Path, kit: Any, make_draft: MakeDraft) -> None:
    key = Key.generate()
    (tmp_path / "approver.pub").write_text(public_hex(key))
    home = SiteHome.create(tmp_path / "ada", kit, tmp_path / "approver.pub")
    _set_policy(home, key, statistics=_statistics("each"))
    assert not (home.keys_path / "approver.pem").exists()
    digest = Gate(home).submit(make_draft("statistics")).digest
    assert Gate(home).approve(digest, key).state == "outbox"
