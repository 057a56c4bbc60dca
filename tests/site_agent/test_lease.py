"""A site answers by what the newest list names, until that is too old; no clock and no older list changes it back."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from federated.errors import ConsiliumError, SequenceError
from federated.release_status import ReleaseStatus, read_status, sign_status, write_time
from site_agent import adopt
from site_agent.agent import exchange, receive
from site_agent.doctor import lease as examined
from site_agent.home import SiteHome
from site_agent.lease import answering, lease, newest, take

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation

PATIENTS = {"dark": 20, "light": 20}
Clock = Callable[[float], None]


class Known:
    """A coordinator whose site has adopted two releases, in a copy of its folder."""

    def __init__(self, federation: Federation, home: SiteHome) -> None:
        self.federation, self.home = federation, home

    def status(self, **changes: object) -> bytes:
        """What the coordinator hands over, or a list that it might have signed."""
        data = self.federation.coordinator.release_status()
        parties = self.home.trust().find(role="coordinator")
        status = read_status(data, [party.verifier() for party in parties], "shades")
        return self.signed(status.model_copy(update=changes)) if changes else data

    def signed(self, status: ReleaseStatus) -> bytes:
        return sign_status(status, self.federation.coordinator.home.key())

    def digests(self) -> list[str]:
        return [held.digest for held in adopt.read_shelf(self.home).releases]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, found: type[Federation]) -> tuple[Federation, Path]:
    federation = found(tmp_path_factory.mktemp("federation"))
    home = federation.hospital("ada", PATIENTS)
    federation.event(home, adopting=True)
    federation.take_in(home, PATIENTS, first=100)
    federation.event(home, adopting=True)
    return federation, home.path


@pytest.fixture
def known(prepared: tuple[Federation, Path], tmp_path: Path) -> Known:
    federation, path = prepared
    shutil.copytree(path, tmp_path / "ada")
    return Known(federation, SiteHome(tmp_path / "ada"))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Sets the site's clock so many days from now."""
    began = datetime.now(UTC)

    def days(number: float) -> None:
        monkeypatch.setattr("site_agent.lease._now", lambda: began + timedelta(days=number))

    return days


def test_without_a_list_a_site_answers_as_it_always_did(known: Known, clock: Clock) -> None:
    clock(4000)
    assert (lease(known.home), newest(known.home)) == (None, None)
    assert answering(known.home).number == 2
    assert "no list of releases has come" in examined(known.home)


def test_what_stands_answers_until_the_lease_is_over(known: Known, clock: Clock) -> None:
    assert receive(known.home, [known.status()]) == []
    found = lease(known.home)
    assert found is not None
    assert (found.standing, found.expired) == ((1, 2), False)
    assert "these releases stand: 1, 2" in examined(known.home)
    clock(29.9)
    assert (answering(known.home).number, answering(known.home, "1").number) == (2, 1)
    clock(30.1)
    with pytest.raises(ConsiliumError) as caught:
        answering(known.home)
    assert str(caught.value) == (
        f"release 2: the list of releases that stand is of {found.issued} and was good for 30 days; get a newer list: "
        "consilium site run, or consilium site import what the coordinator exports"
    )
    with pytest.raises(ConsiliumError, match="was good until"):
        examined(known.home)


def test_a_clock_that_is_put_back_revives_nothing(known: Known, clock: Clock) -> None:
    take(known.home, known.status())
    for day in (31, 0, -400):
        clock(day)
        with pytest.raises(ConsiliumError, match="was good for 30 days"):
            answering(known.home)
    found = lease(known.home)
    assert found is not None
    assert found.expired


def test_a_clock_that_was_put_back_before_it_ended_lengthens_nothing(known: Known, clock: Clock) -> None:
    take(known.home, known.status())
    clock(20)
    assert answering(known.home).number == 2
    clock(-1000)
    assert answering(known.home).number == 2
    (known.home.releases / "standing.json").write_bytes(known.status(lease_days=19))
    with pytest.raises(ConsiliumError, match="was good for 19 days"):
        answering(known.home)


def test_a_clock_that_once_ran_ahead_is_mended_by_the_next_list(known: Known, clock: Clock) -> None:
    take(known.home, known.status())
    clock(30000)
    with pytest.raises(ConsiliumError, match="was good for 30 days"):
        answering(known.home)
    clock(1)
    issued = write_time(datetime.now(UTC) + timedelta(days=1))
    take(known.home, known.status(issued=issued))
    assert answering(known.home).number == 2


def test_a_list_from_a_clock_that_runs_ahead_ends_with_its_lease_and_breaks_nothing(known: Known, clock: Clock) -> None:
    """It counts from when it came; the next list, once the coordinator's clock is right, is good as ever."""
    take(known.home, known.status(issued="2990-01-01T00:00:00Z"))
    clock(29)
    assert answering(known.home).number == 2
    clock(31)
    with pytest.raises(ConsiliumError, match=r"of 2990-01-01T00:00:00Z and was good for 30 days"):
        answering(known.home)
    take(known.home, known.status(number=10**6, issued=write_time(datetime.now(UTC) + timedelta(days=31))))
    assert answering(known.home).number == 2
    clock(62)
    with pytest.raises(ConsiliumError, match="was good for 30 days"):
        answering(known.home)


def test_a_list_that_came_while_the_clock_was_behind_is_good_for_its_lease(known: Known, clock: Clock) -> None:
    take(known.home, known.status())
    clock(-1000)
    take(known.home, known.status(number=10**6, issued=write_time(datetime.now(UTC) + timedelta(days=20))))
    assert answering(known.home).number == 2
    clock(31)
    with pytest.raises(ConsiliumError, match="was good for 30 days"):
        answering(known.home)


def test_a_list_that_was_removed_is_missed(known: Known) -> None:
    take(known.home, known.status())
    (known.home.releases / "standing.json").unlink()
    with pytest.raises(ConsiliumError, match="was here and is gone; get a newer list"):
        answering(known.home)
    take(known.home, known.status())
    assert answering(known.home).number == 2


def test_a_home_of_before_goes_on(known: Known, clock: Clock) -> None:
    """It noted the newest time, and not when the list came."""
    take(known.home, known.status())
    (known.home.releases / "newest-time.json").write_text(f'{{"version":1,"seen":"{write_time(datetime.now(UTC))}"}}')
    clock(29.9)
    assert answering(known.home).number == 2
    clock(30.1)
    with pytest.raises(ConsiliumError, match="was good for 30 days"):
        answering(known.home)


def test_a_new_list_after_the_end_makes_it_answer_again(known: Known, clock: Clock) -> None:
    take(known.home, known.status())
    clock(40)
    with pytest.raises(ConsiliumError, match="consilium site run"):
        answering(known.home)
    exchange(known.home, [known.status(issued=write_time(datetime.now(UTC) + timedelta(days=40)))], [])
    assert answering(known.home).number == 2


def test_a_recall_stops_what_it_never_reached(known: Known) -> None:
    """Only the list came, as in an exchange whose parcels were lost."""
    first, second = known.digests()
    take(known.home, known.status(standing=(first,), number=10**6))
    with pytest.raises(ConsiliumError, match=r"release 2: does not stand, by the coordinator's list of .*; adopt one"):
        answering(known.home)
    assert answering(known.home, "1").digest == first
    found = lease(known.home)
    assert found is not None
    assert (found.standing, second in known.digests()) == ((1,), True)


def test_an_older_list_brings_nothing_back(known: Known) -> None:
    """It was kept by somebody, and is handed over again after the recall."""
    old = known.status()
    take(known.home, known.status(standing=(known.digests()[0],), number=10**6))
    for replayed in (old, known.status(issued="2030-01-01T00:00:00Z")):
        with pytest.raises(SequenceError, match="is older than the one held"):
            take(known.home, replayed)
        (error,) = receive(known.home, [replayed])
        assert "is older than the one held" in str(error)
    with pytest.raises(ConsiliumError, match="does not stand"):
        answering(known.home)


def test_the_same_list_again_is_no_work(known: Known) -> None:
    data = known.status()
    take(known.home, data)
    path = known.home.releases / "standing.json"
    before = path.stat().st_mtime_ns
    take(known.home, data)
    assert path.stat().st_mtime_ns == before


def test_lists_of_others_are_refused(known: Known) -> None:
    lung = known.status(federation="lung")
    parties = known.home.trust().find(role="coordinator")
    forged = sign_status(
        read_status(known.status(), [party.verifier() for party in parties], "shades"), known.home.key()
    )
    for data, what in (
        (lung, "is of federation 'lung', this is 'shades'"),
        (forged, "is signed by no key of the coord"),
    ):
        (error,) = receive(known.home, [data])
        assert what in str(error)
    assert newest(known.home) is None


def test_a_list_that_was_changed_here_is_noticed(known: Known) -> None:
    take(known.home, known.status())
    path = known.home.releases / "standing.json"
    path.write_bytes(path.read_bytes().replace(b'"sig":"', b'"sig":"0', 1))
    with pytest.raises(ConsiliumError):
        answering(known.home)
    (known.home.releases / "newest-time.json").write_text("{}")
    path.write_bytes(known.status())
    with pytest.raises(ConsiliumError, match="was changed by hand or damaged; restore the file"):
        answering(known.home)


def test_a_file_that_was_damaged_here_stops_no_exchange(known: Known) -> None:
    take(known.home, known.status())
    (known.home.releases / "newest-time.json").write_text("{}")
    (error,) = receive(known.home, [known.status()])
    assert "was changed by hand or damaged; restore the file" in str(error)
    assert exchange(known.home, [known.status()], []) == exchange(known.home, [], [])


def test_a_recalled_release_answers_under_no_name(known: Known) -> None:
    shelf = adopt.read_shelf(known.home)
    gone = shelf.named("1").model_copy(update={"state": "recalled", "reason": "an artefact"})
    (known.home.releases / "state.json").write_bytes(shelf.replace(gone).model_dump_json().encode())
    with pytest.raises(ConsiliumError, match=r"release 1: was recalled \(an artefact\); adopt one that stands"):
        answering(known.home, "1")


def test_no_release_is_one_line(home: SiteHome) -> None:
    with pytest.raises(ConsiliumError, match="no release answers here; consilium site evaluate, then consilium site"):
        answering(home)
