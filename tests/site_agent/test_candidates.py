"""The candidate that waits, this site's part of it, and the report as it would leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from federated.errors import ContractError
from site_agent.agent import receive
from site_agent.candidates import draft_report, part_of, unread_candidate
from site_agent.home import SiteHome
from site_agent.mailbox import Inbox, Outbox
from site_agent.policy import read_policy
from site_agent.steps import Progress, _write

if TYPE_CHECKING:
    from federated.envelope import Opened
    from tests.site_agent.conftest import Federation


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    home = federation.hospital("ada", {"dark": 14, "light": 14})
    federation.exchange(home)
    return home


def _candidate(federation: Federation, home: SiteHome) -> Opened:
    federation.coordinator.propose()
    receive(home, [parcel.to_bytes() for parcel in federation.coordinator.outgoing(home.config.site)])
    opened = unread_candidate(home)
    assert opened is not None
    return opened


def test_the_newest_candidate_is_the_one(federation: Federation, ada: SiteHome) -> None:
    assert unread_candidate(ada) is None
    first = _candidate(federation, ada)
    federation.exchange(federation.hospital("ben", {"dark": 14}))
    federation.coordinator.propose()
    receive(ada, [parcel.to_bytes() for parcel in federation.coordinator.outgoing("ada")])
    newest = unread_candidate(ada)
    assert newest is not None
    assert newest.digest != first.digest
    assert [one.digest for one in Inbox(ada).unread()] == [first.digest, newest.digest]


def test_the_part_of_this_site_is_found(federation: Federation, ada: SiteHome) -> None:
    manifest = _candidate(federation, ada).manifest
    part = part_of(ada, manifest)
    assert part is not None
    assert part.labels == ("dark", "light")
    assert part_of(federation.join("ben"), manifest) is None


def test_drafting_a_report_changes_nothing(federation: Federation, ada: SiteHome) -> None:
    opened = _candidate(federation, ada)
    before = [parcel.digest for parcel in Outbox(ada).parcels()]
    draft = draft_report(ada, opened, read_policy(ada))
    assert draft.digest == draft_report(ada, opened, read_policy(ada)).digest
    assert getattr(draft.manifest, "candidate", None) == opened.digest
    assert [parcel.digest for parcel in Outbox(ada).parcels()] == before
    assert [one.digest for one in Inbox(ada).unread()] == [opened.digest]


def test_contributions_that_the_home_does_not_know_get_no_report(federation: Federation, ada: SiteHome) -> None:
    opened = _candidate(federation, ada)
    _write(ada, Progress())
    with pytest.raises(ContractError, match="candidate 1: holds contributions that this home does not know"):
        draft_report(ada, opened, read_policy(ada))
