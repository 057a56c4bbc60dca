"""Everything at a glance, in every state that something can be in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from site_agent.agent import receive, withdraw, work
from site_agent.home import SiteHome
from site_agent.status.status import SiteStatus, site_status

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    return federation.hospital("ada", {"dark": 14, "light": 14})


def _state(home: SiteHome) -> str:
    (contribution,) = site_status(home).contributions
    return contribution.state


def test_a_new_home_is_empty_and_says_why_nothing_leaves(federation: Federation) -> None:
    status = site_status(federation.join("ada"))
    assert status.policy == "nothing may leave: there is no policy, so nothing may leave"
    assert (status.images, status.contributions, status.releases, status.answers) == ((), (), (), None)


def test_images_are_counted_by_fold_and_label(ada: SiteHome) -> None:
    status = site_status(ada)
    assert sum(count.patients for count in status.images) == 28
    assert sum(count.images for count in status.images) == 56
    assert {count.fold for count in status.images} == {"train", "validation", "calibration", "test"}
    assert status.policy == "may leave: statistics, report"
    assert (status.holdings.patients, status.holdings.clips, status.holdings.images) == (28, 56, 56)
    assert {view.label: view.images for view in status.holdings.views} == {"dark": 28, "light": 28}


def test_a_contribution_goes_from_the_outbox_to_accepted_to_withdrawn(federation: Federation, ada: SiteHome) -> None:
    work(ada)
    assert _state(ada) == "outbox"
    federation.exchange(ada)
    federation.exchange(ada)
    assert _state(ada) == "accepted"
    withdraw(ada, ["b0001"])
    assert _state(ada) == "withdrawn"


def test_a_contribution_that_the_coordinator_refused(federation: Federation, ada: SiteHome) -> None:
    from site_agent.agent import settle

    step = work(ada).steps[0]
    assert step.digest is not None
    settle(ada, [(step.digest, "rejected")])
    assert _state(ada) == "refused"


def test_what_waits_for_an_approver(federation: Federation, ada: SiteHome) -> None:
    federation.allow(ada, statistics={"approval": "each"})
    work(ada)
    status = site_status(ada)
    assert _state(ada) == "pending"
    assert [one.digest for one in status.pending] == [status.contributions[0].digest]


def test_releases_and_the_inbox(federation: Federation, ada: SiteHome) -> None:
    federation.event(ada, adopting=True)
    federation.coordinator.recall(1, "an artefact")
    receive(ada, [parcel.to_bytes() for parcel in federation.coordinator.outgoing("ada")])
    status = site_status(ada)
    assert (status.answers, status.unread, status.outbox) == (1, 1, 1)
    work(ada)
    status = site_status(ada)
    assert (status.answers, status.unread) == (None, 0)
    assert [step.kind for step in status.last] == ["recall"]


def test_it_survives_json(ada: SiteHome) -> None:
    work(ada)
    status = site_status(ada)
    assert SiteStatus.model_validate_json(status.model_dump_json()) == status
