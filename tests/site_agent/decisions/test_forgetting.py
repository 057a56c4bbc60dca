"""A patient who is forgotten goes from beside the decision log, whose leaves stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from federated.manifest import parse_manifest
from site_agent.agent import work
from site_agent.backup.backup import back_up
from site_agent.backup.restore import restore
from site_agent.decisions.book import answer_of, at_rest, book_of, decided_on, decisions_on, forget_decisions
from site_agent.decisions.opening import export_one
from site_agent.decisions.summaries import draft_summary, submit_summary
from site_agent.egress import Gate
from site_agent.forget.forgetting import find_patient, forget
from site_agent.home import SiteHome
from site_agent.mailbox import Outbox

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation
    from tests.site_agent.decisions.conftest import Clinic


@pytest.fixture
def patient(ada: SiteHome, clinic: Clinic) -> str:
    """Of two records, who was never taken in."""
    clinic.answer({"dark": 8})
    return find_patient(ada, f"dark-{clinic.came}")


def _bytes(home: SiteHome) -> bytes:
    return b"".join(path.read_bytes() for path in home.path.rglob("*") if path.is_file())


def test_answers_and_features_go_and_the_log_stays(ada: SiteHome, patient: str) -> None:
    with book_of(ada) as book:
        before, _, features, detail = book.opened(0)
        assert detail is not None
        assert (detail.patient, book.size) == (patient, 16)
        assert features is not None
        root = book.root(16)
    assert decisions_on(ada, patient) == 2
    planned = forget(ada, patient, dry_run=True)
    assert "would be removed here: answers and features of 2 decisions" in planned.lines()
    assert decisions_on(ada, patient) == 2
    assert forget(ada, patient).decisions == 2
    assert (decisions_on(ada, patient), patient in decided_on(ada)) == (0, False)
    left = _bytes(ada)
    assert patient.encode() not in left
    assert detail.name not in left
    assert features.tobytes()[:200] not in left
    with book_of(ada) as book:
        assert (book.root(16), book.record(0)) == (root, before)


def test_drafts_of_the_patient_go_and_the_records_are_told_again(
    federation: Federation, ada: SiteHome, patient: str
) -> None:
    limits = federation.allow(ada, "summary").summary.limits.model_copy(update={"cell": 1, "batch": 1})
    federation.allow(ada, "summary", "decision", summary={"approval": "each", "limits": limits})
    submit_summary(ada, draft_summary(ada))
    export_one(ada, 0)
    assert len(Gate(ada).pending()) == 2
    assert sorted(forget(ada, patient).drafts) == ["decision", "summary"]
    assert Gate(ada).pending() == []
    manifest: Any = draft_summary(ada).manifest
    assert (manifest.first, manifest.patients) == (0, 7)


def test_what_was_opened_cannot_be_unsent_and_its_copy_goes(
    federation: Federation, ada: SiteHome, patient: str, approver_of: Callable[[SiteHome], Any]
) -> None:
    export_one(ada, 0)
    for waiting in Gate(ada).pending():
        Gate(ada).approve(waiting.digest, approver_of(ada))
    (name,) = [parcel.digest for parcel in Outbox(ada).parcels() if b'"record"' in parcel.manifest]
    told = forget(ada, patient)
    assert "1 decisions that left hold features of this patient; they cannot be unsent" in told.lines()
    assert Outbox(ada).sent(name) is not None  # on its way
    federation.exchange(ada)
    federation.exchange(ada)
    work(ada)
    assert Outbox(ada).sent(name) is None


def test_without_a_log_there_is_nothing_to_forget(ada: SiteHome) -> None:
    forget_decisions(ada, "p")
    assert (decided_on(ada), decisions_on(ada, "p")) == (set(), 0)
    with at_rest(ada):
        assert not (ada.path / "decisions").exists()


def test_a_backup_holds_the_log(ada: SiteHome, patient: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("elsewhere")
    back_up(ada, folder / "ada.backup", "a passphrase of some length")
    restore(folder / "ada.backup", folder / "ada", "a passphrase of some length")
    with book_of(SiteHome(folder / "ada")) as book:
        record, answer, _, detail = book.opened(0)
        assert detail is not None
        assert (record.number, detail.patient, answer_of(detail)) == (0, patient, answer)
    assert all(parse_manifest(parcel.manifest) for parcel in Outbox(SiteHome(folder / "ada")).parcels())
