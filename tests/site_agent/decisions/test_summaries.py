from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from federated.envelope import parse_parcel
from federated.errors import ConsiliumError, DisclosureError
from federated.manifest import SummaryManifest, parse_manifest, unpack_tensors
from federated.vocabulary import plain_vocabulary
from server.registry import QuarantineRow
from site_agent import adopt, ledger
from site_agent.agent import work
from site_agent.decisions.book import DETAILS, book_of
from site_agent.decisions.details import details
from site_agent.decisions.flags import flag
from site_agent.decisions.summaries import draft_summary, submit_summary, summarise
from site_agent.egress import Gate
from site_agent.ledger import transaction
from site_agent.mailbox import Outbox

if TYPE_CHECKING:
    from site_agent.home import SiteHome
    from tests.site_agent.conftest import Federation
    from tests.site_agent.decisions.conftest import Clinic

Limit = Callable[..., None]
MANY = {"dark": 12, "light": 10}


def _left(home: SiteHome) -> list[SummaryManifest]:
    """Summaries in the outbox."""
    manifests = [parse_manifest(parcel.manifest) for parcel in Outbox(home).parcels()]
    return [manifest for manifest in manifests if manifest.kind == "summary"]


def _send(home: SiteHome) -> SummaryManifest:
    submit_summary(home, draft_summary(home))
    return _left(home)[-1]


def test_sums_leave_and_are_taken_in(federation: Federation, ada: SiteHome, clinic: Clinic, limits: Limit) -> None:
    limits(cell=1, batch=3)
    clinic.answer(MANY)
    manifest = _send(ada)
    assert (manifest.first, manifest.last, manifest.size, manifest.since) == (0, 43, 44, 0)
    assert (
        manifest.decisions <= manifest.patients == 22 - sum(name.startswith("answered") for name in manifest.suppressed)
    )
    with book_of(ada) as book:
        assert manifest.root == book.root(44)
    assert federation.exchange(ada) == ["summary accepted"]
    clinic.answer(MANY)
    again = _send(ada)
    assert (again.first, again.last, again.size, again.since) == (44, 87, 88, 44)
    assert len(again.proof) > 0
    assert federation.exchange(ada) == ["summary accepted"]


def test_nothing_new_and_too_few_are_said(ada: SiteHome, clinic: Clinic, limits: Limit) -> None:
    limits(cell=1, batch=5)
    with pytest.raises(ConsiliumError, match="nothing was decided since the last summary"):
        draft_summary(ada)
    clinic.answer({"dark": 3})
    with pytest.raises(DisclosureError, match="3 patients are behind what nobody was told of, 5 are needed") as error:
        draft_summary(ada)
    assert "wait for 2 more patients" in str(error.value)
    clinic.answer({"dark": 4})
    _send(ada)
    with pytest.raises(ConsiliumError, match="nothing was decided since the last summary"):
        draft_summary(ada)


def test_cells_of_few_stay(ada: SiteHome, clinic: Clinic, limits: Limit) -> None:
    limits(cell=5, batch=5)
    clinic.answer({"dark": 20, "light": 3})
    manifest = _send(ada)
    assert manifest.decisions < 23
    assert "answered.light" in manifest.suppressed
    with transaction(ada.state_path) as connection:
        facts = ledger.earlier_facts(connection)[-1]
    assert all(len(patients) >= 5 for patients in facts.cells.values())


def test_the_agent_drafts_by_itself_once_enough_has_gathered(
    federation: Federation, ada: SiteHome, clinic: Clinic, limits: Limit
) -> None:
    limits(cell=1, batch=3)
    clinic.answer({"dark": 6})
    assert work(ada).steps == ()
    clinic.answer({"dark": 6})
    (step,) = work(ada).steps
    assert (step.kind, step.subject, step.state) == ("summary", "records 0 to 23", "outbox")
    assert work(ada).steps == ()
    assert federation.exchange(ada) == ["summary accepted"]
    assert work(ada).steps == ()


def test_the_agent_is_silent_where_the_policy_is(federation: Federation, ada: SiteHome, clinic: Clinic) -> None:
    clinic.answer(MANY)
    federation.allow(ada, "statistics", "report")
    assert summarise(ada) == []
    ada.policy_path.unlink()
    assert summarise(ada) == []
    assert _left(ada) == []


def test_the_agent_is_silent_where_nothing_was_decided(ada: SiteHome) -> None:
    assert summarise(ada) == []
    assert not (ada.path / DETAILS).exists()


def test_one_that_waits_for_an_approver_is_the_only_one(
    federation: Federation, ada: SiteHome, clinic: Clinic, approver_of: Callable[[SiteHome], Any]
) -> None:
    limits = federation.allow(ada, "summary").summary.limits.model_copy(update={"cell": 1, "batch": 3})
    federation.allow(ada, "summary", summary={"approval": "each", "limits": limits})
    clinic.answer(MANY)
    (step,) = summarise(ada)
    assert step.state == "pending"
    clinic.answer(MANY)
    assert summarise(ada) == []
    assert step.digest is not None
    Gate(ada).reject(step.digest, approver_of(ada), "not this month")
    (step,) = summarise(ada)
    assert step.subject == "records 44 to 87"
    assert step.digest is not None
    Gate(ada).approve(step.digest, approver_of(ada))
    (left,) = _left(ada)
    assert left.since == 0
    assert federation.exchange(ada) == ["summary accepted"]


def test_after_one_that_the_coordinator_refused_the_same_records_are_told_again(
    federation: Federation, ada: SiteHome, clinic: Clinic, limits: Limit
) -> None:
    limits(cell=1, batch=3)
    clinic.answer(MANY)
    first = _send(ada)
    *_, parcel = Outbox(ada).parcels()
    Outbox(ada).settle(parcel.digest, "rejected")
    clinic.answer({"dark": 4})
    again = _send(ada)
    assert (again.first, again.since, again.last) == (0, 0, first.last + 8)


def test_a_kill_before_the_gate_has_it_changes_nothing(
    ada: SiteHome, clinic: Clinic, limits: Limit, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits(cell=1, batch=3)
    clinic.answer(MANY)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    draft = draft_summary(ada)
    monkeypatch.setattr(Gate, "submit", killed)
    with pytest.raises(KeyboardInterrupt):
        submit_summary(ada, draft)
    monkeypatch.undo()
    assert draft_summary(ada).digest == draft.digest
    assert submit_summary(ada, draft_summary(ada)).state == "outbox"


def test_each_summary_is_of_one_release(
    federation: Federation, ada: SiteHome, ben: SiteHome, clinic: Clinic, limits: Limit
) -> None:
    limits(cell=1, batch=3)
    clinic.answer({"dark": 8})
    federation.take_in(ben, {"light": 12}, first=500)
    federation.event(ada, ben, adopting=True)
    assert [held.number for held in adopt.read_shelf(ada).releases] == [1, 2]
    clinic.answer({"dark": 8})
    first, second = adopt.read_shelf(ada).releases
    assert _send(ada).release == first.digest
    newer = _send(ada)
    assert (newer.release, newer.first, newer.since) == (second.digest, 16, 32)


def test_the_truth_that_was_told_is_counted(ada: SiteHome, clinic: Clinic, limits: Limit) -> None:
    limits(cell=1, batch=3)
    records = [record for record in clinic.answer({"dark": 12}) if record.number >= 12]
    with book_of(ada) as book:
        answers = {record.number: book.opened(record.number)[1] for record in records}
    records = [record for record in records if (answer := answers[record.number]) and answer.label == "dark"]
    for record in records[:9]:
        flag(ada, str(record.number), "dark" if record.number % 3 else "light", why="follow-up", by="Dr. Strange")
    draft = draft_summary(ada)
    manifest = draft.manifest
    assert isinstance(manifest, SummaryManifest)
    assert manifest.last == 32
    tensors = unpack_tensors(draft.tensors, manifest)
    dark = manifest.labels.index("dark")
    assert tensors["flagged"][dark] == 9
    assert tensors["wrong"][dark] == sum(record.number % 3 == 0 for record in records[:9]) > 1
    assert submit_summary(ada, draft).state == "outbox"


def test_flags_before_the_next_answer_are_counted_with_it(ada: SiteHome, clinic: Clinic, limits: Limit) -> None:
    limits(cell=1, batch=1)
    records = clinic.answer({"dark": 6})[6:]
    _send(ada)
    for record in records:
        flag(ada, str(record.number), "light", why="follow-up", by="x")
    with pytest.raises(ConsiliumError, match="nothing was decided since the last summary"):
        draft_summary(ada)
    clinic.answer({"dark": 2})
    draft = draft_summary(ada)
    manifest: Any = draft.manifest
    assert (manifest.first, manifest.last) == (12, 21)
    flagged = unpack_tensors(draft.tensors, manifest)["flagged"]
    with book_of(ada) as book:
        answered = [answer for record in records if (answer := book.opened(record.number)[1]) and answer.label]
    assert flagged.sum() == len(answered) > 0


def test_patients_who_come_again_are_told_of_again(
    federation: Federation, ada: SiteHome, clinic: Clinic, limits: Limit
) -> None:
    """No record is in two summaries, so that nothing can be had from their difference."""
    limits(cell=3, batch=3, difference=3)
    folder, others = clinic.images({"dark": 12}), clinic.images({"dark": 1})
    for images in (folder, folder):
        records = clinic.answer({}, folder=images)
        clinic.answer({}, folder=others)
        for record in records[12:]:
            flag(ada, str(record.number), "light", why="follow-up", by="x")
        _send(ada)
    assert federation.exchange(ada) == ["summary accepted"] * 2


def test_what_left_names_nobody(federation: Federation, ada: SiteHome, clinic: Clinic, limits: Limit) -> None:
    limits(cell=1, batch=3)
    clinic.answer(MANY)
    _send(ada)
    *_, parcel = Outbox(ada).parcels()
    data = parcel.to_bytes()
    assert parse_parcel(data).digest == parcel.digest
    with details(ada.path / DETAILS) as connection:
        (patient,) = connection.execute("SELECT patient FROM details LIMIT 1").fetchone()
    for planted in (b"dark-1", b"png", patient.encode(), str(federation.folder).encode()):
        assert planted not in data


def test_a_site_that_went_back_is_refused(federation: Federation, ada: SiteHome, clinic: Clinic, limits: Limit) -> None:
    """A backup from before the last summary: its log is shorter than the coordinator knows."""
    limits(cell=1, batch=3)
    clinic.answer(MANY)
    for name in ("decisions", DETAILS):
        source = ada.path / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, ada.path.parent / f"old {name}")
    clinic.answer(MANY)
    _send(ada)
    assert federation.exchange(ada) == ["summary accepted"]
    shutil.rmtree(ada.path / "decisions")
    for name in ("decisions", DETAILS):
        (ada.path.parent / f"old {name}").replace(ada.path / name)
    _send(ada)
    assert federation.exchange(ada) == ["summary quarantined"]
    with federation.coordinator.registry.transaction() as session:
        assert [row.reason for row in session.scalars(select(QuarantineRow))] == [
            "decision log: has shrunk from 88 records to 44"
        ]


def test_labels_that_are_new_since_do_not_matter(ada: SiteHome, clinic: Clinic, limits: Limit) -> None:
    limits(cell=1, batch=3)
    clinic.answer(MANY)
    ada.follow_vocabulary(plain_vocabulary("shades", ["dark", "light", "striped", "spotted"]))
    assert _send(ada).labels == ("dark", "light", "striped")
