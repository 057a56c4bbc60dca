from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from federated.deciding import decide_alone
from federated.draw import Draw, draw_from, indices, verify_opened
from federated.envelope import Opened, open_parcel
from federated.errors import ConsiliumError, DisclosureError
from site_agent.adopt import model_of
from site_agent.decisions.book import book_of
from site_agent.decisions.flags import flag
from site_agent.decisions.opening import export_one, open_draw
from site_agent.decisions.summaries import draft_summary, submit_summary
from site_agent.egress import Gate
from site_agent.mailbox import Outbox

if TYPE_CHECKING:
    from site_agent.home import SiteHome
    from tests.site_agent.conftest import Federation
    from tests.site_agent.decisions.conftest import Clinic

Limit = Callable[..., None]
SEED = bytes(range(32))


@pytest.fixture
def summary(ada: SiteHome, clinic: Clinic, limits: Limit) -> Opened:
    """Of 25 records, one a flag; it has left."""
    limits(cell=1, batch=1)
    clinic.answer({"dark": 4, "light": 4}, each=2)
    flag(ada, "20", "light", why="follow-up", by="x")
    submit_summary(ada, draft_summary(ada))
    return _parcels(ada, "summary")[0]


def _parcels(home: SiteHome, kind: str) -> list[Opened]:
    """What is in the outbox, as the coordinator opens it."""
    trust = home.trust()
    opened = [open_parcel(parcel, trust, recipient="hub") for parcel in Outbox(home).parcels()]
    return [each for each in opened if each.manifest.kind == kind]


def _approve(home: SiteHome, approver: Any) -> None:
    for waiting in Gate(home).pending():
        Gate(home).approve(waiting.digest, approver)


def test_exactly_what_was_drawn_leaves_record_by_record(
    federation: Federation, ada: SiteHome, clinic: Clinic, summary: Opened, approver_of: Callable[[SiteHome], Any]
) -> None:
    drawn = draw_from(summary, seed=SEED, count=6)
    clinic.answer({"dark": 2})  # the log has gone on meanwhile
    steps = open_draw(ada, drawn)
    assert [step.state for step in steps] == ["pending"] * 6
    assert _parcels(ada, "decision") == []
    _approve(ada, approver_of(ada))
    opened = _parcels(ada, "decision")
    assert sorted(each.manifest.record.number for each in opened) == list(indices(drawn))
    checks = verify_opened(drawn, summary, opened)
    assert [check.ok for check in checks] == [True] * 7
    assert federation.exchange(ada) == ["summary accepted", *["decision accepted"] * 6]
    assert [step.state for step in open_draw(ada, drawn)] == ["same"] * 6


def test_what_was_opened_can_be_computed_again(
    ada: SiteHome, summary: Opened, approver_of: Callable[[SiteHome], Any]
) -> None:
    open_draw(ada, draw_from(summary, seed=SEED, count=100))
    _approve(ada, approver_of(ada))
    opened = _parcels(ada, "decision")
    assert len(opened) == 25
    for each in opened:
        answer = each.manifest.decision
        if answer is not None:
            model = model_of(ada, each.manifest.release)
            assert decide_alone(model, each.tensors["features"], answer.image, answer.clip) == answer
    assert [each.manifest.record.number for each in opened if each.manifest.decision is None] == [24]


def test_a_draw_of_somebody_else_is_not_answered(ada: SiteHome, clinic: Clinic, summary: Opened) -> None:
    drawn = draw_from(summary, seed=SEED, count=3)
    with book_of(ada) as book:
        grown = {"size": 24, "root": book.root(24)}
    for changes, said in (
        ({"site": "ben"}, "is drawn from site 'ben'"),
        ({"federation": "other"}, "of federation 'other'"),
        ({"summary": "sha256:" + "0" * 64}, "is from no summary that left this hospital"),
        ({"root": "0" * 64}, "is from no summary that left this hospital"),
        (grown, "is from no summary that left this hospital"),
    ):
        with pytest.raises(ConsiliumError, match=said):
            open_draw(ada, Draw(**{**drawn.model_dump(), **changes}))
    assert Gate(ada).pending() == []


def test_before_the_summary_has_left_nothing_is_opened(
    federation: Federation, ada: SiteHome, clinic: Clinic, approver_of: Callable[[SiteHome], Any]
) -> None:
    limits = federation.allow(ada, "summary").summary.limits.model_copy(update={"cell": 1, "batch": 1})
    federation.allow(ada, "summary", "decision", summary={"approval": "each", "limits": limits})
    clinic.answer({"dark": 4})
    draft = draft_summary(ada)
    submit_summary(ada, draft)
    manifest: Any = draft.manifest
    drawn = Draw(
        federation="shades",
        site="ada",
        summary=draft.digest,
        size=manifest.size,
        root=manifest.root,
        seed=SEED.hex(),
        count=2,
    )
    with pytest.raises(ConsiliumError, match="is from no summary that left this hospital"):
        open_draw(ada, drawn)
    _approve(ada, approver_of(ada))
    assert [step.state for step in open_draw(ada, drawn)] == ["pending"] * 2


def test_who_was_forgotten_is_not_opened_and_the_rest_is(ada: SiteHome, clinic: Clinic, summary: Opened) -> None:
    """Of the patient whose clip is record 20, with two images and a flag, which can be opened without anything."""
    with book_of(ada) as book:
        detail = book.detail(20)
        assert detail is not None
        assert book.forget(detail.patient) == 4
    steps = open_draw(ada, draw_from(summary, seed=SEED, count=100))
    refused = [step for step in steps if step.state == "refused"]
    assert (len(refused), len(steps), steps[24].state) == (3, 25, "pending")
    assert "record 8: its answer is not here any more: its patient was forgotten" in refused[0].note


def test_one_record_may_leave_without_a_draw(
    federation: Federation, ada: SiteHome, summary: Opened, approver_of: Callable[[SiteHome], Any]
) -> None:
    assert summary.manifest.size == 25
    assert export_one(ada, 3).state == "pending"
    _approve(ada, approver_of(ada))
    (opened,) = _parcels(ada, "decision")
    assert (opened.manifest.record.number, opened.manifest.draw) == (3, None)
    assert federation.exchange(ada) == ["summary accepted", "decision accepted"]
    with pytest.raises(ConsiliumError, match="record 25: there is no such record"):
        export_one(ada, 25)


def test_where_the_policy_is_silent_nothing_is_opened(federation: Federation, ada: SiteHome, summary: Opened) -> None:
    federation.allow(ada, "summary")
    (step, *_) = open_draw(ada, draw_from(summary, seed=SEED, count=2))
    assert (step.state, "'decision' is not allowed out" in step.note) == ("refused", True)
    with pytest.raises(DisclosureError, match="'decision' is not allowed out"):
        export_one(ada, 3)
