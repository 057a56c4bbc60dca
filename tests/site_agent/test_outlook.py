"""What would leave, shown before anything does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from federated.disclosure import Limits
from federated.errors import ConsiliumError
from site_agent.agent import receive, work
from site_agent.home import SiteHome
from site_agent.mailbox import Outbox
from site_agent.outlook import LEVEL_1, NO_POLICY, NOT_APART, outlooks

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    return federation.hospital("ada", {"dark": 14, "light": 14, "striped": 2}, "statistics", "features", "report")


def test_what_is_shown_is_what_then_leaves(ada: SiteHome) -> None:
    shown = {one.preview.digest for one in outlooks(ada) if one.preview}
    work(ada)
    assert {parcel.digest for parcel in Outbox(ada).parcels()} == shown


def test_showing_lets_nothing_out(ada: SiteHome) -> None:
    outlooks(ada)
    assert Outbox(ada).parcels() == []


def test_only_what_was_not_drafted_is_shown_unless_asked(ada: SiteHome) -> None:
    assert [one.kind for one in outlooks(ada)] == ["statistics", "features"]
    work(ada)
    assert outlooks(ada) == []
    assert [one.kind for one in outlooks(ada, ["b0001"], ["weights"])] == ["weights"]


def test_what_is_left_out_is_counted(federation: Federation, ada: SiteHome) -> None:
    limits = Limits(cell=2, batch=2, difference=1, gram_share=1e9)
    federation.allow(ada, statistics={"limits": limits})
    (one,) = outlooks(ada)
    assert one.left_out[("train", "striped")] == 1
    assert "left out: train/striped, patients: 1" in one.lines()


def test_a_batch_that_is_too_small_says_what_to_wait_for(federation: Federation, ada: SiteHome) -> None:
    federation.allow(ada, statistics={"limits": Limits(cell=100)})
    (one,) = outlooks(ada)
    assert one.preview is None
    assert "refused by cell: batch b0001: no label has 100 training patients" in one.refusal
    assert "stays here" in one.lines()[1]


def test_without_a_policy_the_published_limits_are_shown(ada: SiteHome) -> None:
    ada.policy_path.unlink()
    (one,) = outlooks(ada)
    assert one.notes == (NO_POLICY,)
    assert one.preview is not None
    assert not one.preview.allowed
    assert ("train", "striped") in one.left_out


def test_level_1_is_explained(federation: Federation, ada: SiteHome) -> None:
    federation.allow(ada, statistics={"level_to_coordinator": 1})
    (one,) = outlooks(ada)
    assert one.notes == (LEVEL_1,)
    assert f"note: {LEVEL_1}" in one.lines()


def test_the_report_on_a_candidate_is_shown_as_it_then_leaves(federation: Federation, ada: SiteHome) -> None:
    federation.exchange(ada)
    assert outlooks(ada, (), ["report"]) == []
    federation.coordinator.propose()
    receive(ada, [parcel.to_bytes() for parcel in federation.coordinator.outgoing("ada")])
    (one,) = outlooks(ada)
    assert outlooks(ada, (), ["report"]) == [one]
    assert outlooks(ada, (), ["statistics"]) == []
    assert outlooks(ada, ["b0001"], ["report"]) == []
    assert one.lines()[0] == "report on candidate 1"
    assert one.preview is not None
    assert one.preview.allowed
    (step,) = [step for step in work(ada).steps if step.kind == "report"]
    assert step.digest == one.preview.digest
    assert outlooks(ada) == []


def test_a_report_that_may_not_leave_is_shown_with_the_reason(federation: Federation, ada: SiteHome) -> None:
    federation.exchange(ada)
    federation.coordinator.propose()
    receive(ada, [parcel.to_bytes() for parcel in federation.coordinator.outgoing("ada")])
    federation.allow(ada, "statistics", "features")
    (one,) = outlooks(ada)
    assert one.preview is not None
    assert "'report' is not allowed out" in one.preview.approval
    federation.allow(ada, statistics={"limits": Limits(cell=100)})
    (one,) = outlooks(ada)
    assert one.preview is None
    assert "refused by cell" in one.lines()[1]


def test_a_candidate_without_this_site_asks_for_no_report(federation: Federation, ada: SiteHome) -> None:
    federation.exchange(federation.hospital("ben", {"dark": 14, "light": 14}))
    federation.coordinator.propose()
    receive(ada, [parcel.to_bytes() for parcel in federation.coordinator.outgoing("ada")])
    assert outlooks(ada, (), ["report"]) == []


@pytest.mark.parametrize(("batches", "kinds"), [(["b0002"], []), ([], ["images"])])
def test_what_is_not_there_is_told(ada: SiteHome, batches: list[str], kinds: list[str]) -> None:
    with pytest.raises(ConsiliumError, match="there is no such"):
        outlooks(ada, batches, kinds)


def test_a_coarse_label_of_too_few_patients_is_told_to_go_along_with_the_others(nested: Federation) -> None:
    home = nested.hospital("ada", {"dark": 14, "light": 14, "striped": 4}, "statistics")
    (apart,) = outlooks(home)
    assert apart.notes == ()
    limits = Limits(cell=1, batch=1, difference=1, gram_share=40.0, dominance=1.0)  # thirteen patients a matrix
    nested.allow(home, statistics={"limits": limits})
    (one,) = outlooks(home)
    assert one.notes == (NOT_APART.format(labels="light"),)
