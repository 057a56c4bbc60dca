"""A site's rounds of work: what is contributed and reported, what is refused, and that a kill changes nothing."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import federated.files
import site_agent.adopt
import site_agent.mailbox
import site_agent.steps
from federated.disclosure import Limits
from federated.envelope import parse_parcel, read_passage
from federated.errors import ConsiliumError
from site_agent import agent, egress
from site_agent.adopt import read_shelf
from site_agent.agent import exchange, receive, withdraw, work
from site_agent.catalogue import Catalogue
from site_agent.evaluation import Interval
from site_agent.home import SiteHome
from site_agent.mailbox import Inbox, Outbox
from site_agent.steps import read_progress
from tests.small_front_end import CARD

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation

PATIENTS = {"dark": 14, "light": 14}


@pytest.fixture
def federation(found: type[Federation], tmp_path: Path) -> Federation:
    """One of few features, which every event is the faster for."""
    return found(tmp_path, card=CARD)


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    return federation.hospital("ada", PATIENTS, "statistics", "weights", "report")


def _states(home: SiteHome, **options: Any) -> list[str]:
    return [f"{step.kind} {step.state}" for step in work(home, **options).steps]


def _kinds(parcels: list[bytes]) -> list[str]:
    return [read_passage(parse_parcel(data)).kind for data in parcels]


def test_a_new_batch_is_contributed_in_every_kind_that_is_allowed(federation: Federation, ada: SiteHome) -> None:
    assert _states(ada) == ["statistics outbox", "weights outbox"]
    assert set(read_progress(ada).contributions) == {"statistics/b0001", "weights/b0001"}


def test_nothing_new_is_no_work(ada: SiteHome) -> None:
    work(ada)
    assert work(ada).steps == ()
    assert _kinds([parcel.to_bytes() for parcel in Outbox(ada).parcels()]) == ["statistics", "weights"]
    assert [step.kind for step in read_progress(ada).last] == ["statistics", "weights"]


def test_a_kind_that_is_allowed_later_is_contributed_later(federation: Federation, ada: SiteHome) -> None:
    work(ada)
    federation.allow(ada, "statistics", "weights", "features", "report")
    assert _states(ada) == ["features outbox"]


def test_a_further_batch_is_an_update(federation: Federation, ada: SiteHome) -> None:
    first = federation.event(ada)
    federation.take_in(ada, {"light": 8, "striped": 8}, first=100)
    assert federation.exchange(ada) == ["statistics accepted", "weights accepted"]
    second = federation.event(ada)
    assert second not in (None, first)
    (release,) = [held for held in read_shelf(ada).releases if held.number == 2]
    manifest, _ = site_agent.adopt.load(ada, release.digest)
    assert manifest.labels == ("dark", "light", "striped")
    assert manifest.sites[0].calibration_patients > 0


def test_an_exchange_hands_out_what_was_not_settled(ada: SiteHome) -> None:
    first = exchange(ada, [], [])
    assert exchange(ada, [], []) == first
    settled = [(parse_parcel(first[0]).digest, "accepted")]
    assert exchange(ada, [], settled) == first[1:]


def test_what_a_candidate_names_is_settled_though_nobody_said_so(federation: Federation, ada: SiteHome) -> None:
    federation.coordinator.accept_all(exchange(ada, [], []))
    federation.coordinator.propose()
    parcels = [parcel.to_bytes() for parcel in federation.coordinator.outgoing("ada")]
    assert _kinds(exchange(ada, parcels, [])) == ["weights", "report"]  # a candidate names sums, a release experts


def test_a_report_names_the_candidate_and_its_contributions_only(federation: Federation, ada: SiteHome) -> None:
    federation.exchange(ada)
    federation.coordinator.propose()
    federation.take_in(ada, {"dark": 8, "light": 8}, first=100)  # not part of the candidate
    accepted = federation.exchange(ada)
    assert "report accepted" in accepted
    (settled,) = [step for step in read_progress(ada).last if step.kind == "report"]
    (parcel,) = [parcel for parcel in Outbox(ada).parcels() if parcel.digest == settled.digest]
    assert b'"calibration_patients":4' in parcel.manifest  # of the 28 patients of the first batch


def test_of_several_candidates_only_the_newest_is_reported_on(federation: Federation, ada: SiteHome) -> None:
    ben = federation.hospital("ben", PATIENTS)
    federation.exchange(ada)
    federation.coordinator.propose()
    parcels = [parcel.to_bytes() for parcel in federation.coordinator.outgoing("ada")]
    federation.exchange(ben)
    federation.coordinator.propose()
    parcels += [parcel.to_bytes() for parcel in federation.coordinator.outgoing("ada")][len(parcels) :]
    assert _kinds(parcels) == ["candidate", "candidate"]
    settled = federation.coordinator.settled("ada")
    answer = exchange(ada, parcels, settled)
    assert [one.outcome for one in federation.coordinator.accept_all(answer)] == ["accepted"]


def test_a_candidate_without_this_site_is_no_work(federation: Federation, ada: SiteHome) -> None:
    ben = federation.hospital("ben", PATIENTS)
    federation.exchange(ben)
    federation.coordinator.propose()
    receive(ada, [parcel.to_bytes() for parcel in federation.coordinator.outgoing("ada")])
    assert "report" not in " ".join(_states(ada))
    assert Inbox(ada).unread() == []


def test_without_a_policy_nothing_leaves_and_the_candidate_waits(federation: Federation, ada: SiteHome) -> None:
    federation.exchange(ada)
    federation.coordinator.propose()
    federation.allow(ada, "statistics", "weights")
    assert federation.exchange(ada) == []
    (step,) = read_progress(ada).last
    assert (step.kind, step.subject, step.state) == ("candidate", "candidate 1", "refused")
    assert "'report' is not allowed out" in step.note
    federation.allow(ada, "statistics", "weights", "report")
    assert federation.exchange(ada) == ["report accepted"]


def test_a_filter_refuses_one_kind_and_lets_another_pass(federation: Federation, ada: SiteHome) -> None:
    strict = Limits(cell=1, batch=1, difference=1, dominance=1.0)
    federation.allow(ada, "statistics", "weights", statistics={"limits": strict})
    summary = work(ada)
    assert [f"{step.kind} {step.state}" for step in summary.steps] == ["statistics refused", "weights outbox"]
    (refusal,) = summary.refusals
    assert "refused by gram_share: statistics of batch b0001" in refusal.note
    assert "level_to_coordinator" in refusal.note
    federation.allow(ada, "statistics", "weights", statistics={"limits": strict, "level_to_coordinator": 1})
    assert _states(ada) == ["statistics outbox"]


def test_a_working_image_that_is_gone_stops_its_batch_and_nothing_else(federation: Federation, ada: SiteHome) -> None:
    federation.take_in(ada, PATIENTS, first=100)
    ada.archive.cache.remove(Catalogue(ada.catalogue_path).cases(fold="train", batch="b0001")[0].key)
    summary = work(ada)
    assert {(step.subject, step.state) for step in summary.steps} == {
        ("batch b0001", "refused"),
        ("batch b0002", "outbox"),
    }
    assert "a working image is missing or damaged" in summary.refusals[0].note


@pytest.mark.parametrize("wrong", ["flipped", "cut", "twice numbered", "other site", "own"])
def test_a_wrong_parcel_changes_nothing_and_the_round_goes_on(
    federation: Federation, ada: SiteHome, wrong: str
) -> None:
    ben = federation.hospital("ben", PATIENTS)
    for home in (ada, ben):
        federation.exchange(home)
    federation.coordinator.propose()
    good = federation.coordinator.outgoing("ada")[0].to_bytes()
    bad = {
        "flipped": good[:-1] + bytes([good[-1] ^ 1]),
        "cut": good[:-1],
        "twice numbered": good.replace(b'"kind":"candidate"', b'"kind":"candidatE"', 1),
        "other site": federation.coordinator.outgoing("ben")[0].to_bytes(),
        "own": Outbox(ada).parcels()[0].to_bytes(),
    }[wrong]
    (error,) = receive(ada, [bad])
    assert isinstance(error, ConsiliumError)
    assert Inbox(ada).unread() == []
    if wrong != "flipped":  # its envelope is right, so it has used its number up
        assert "report" in _kinds(exchange(ada, [bad, good], []))


def test_a_release_waits_for_a_person(federation: Federation, ada: SiteHome) -> None:
    federation.event(ada)
    (held,) = read_shelf(ada).releases
    assert held.state == "waiting"
    assert read_shelf(ada).current is None


def test_a_release_above_the_floor_is_adopted_and_the_coordinator_told(federation: Federation, ada: SiteHome) -> None:
    federation.event(ada, adopting=True)
    current = read_shelf(ada).current
    assert current is not None
    assert (current.number, current.state, current.told) == (1, "adopted", True)
    assert federation.coordinator.status()["releases"][0]["choices"] == {"ada": "adopted"}


def test_a_release_under_the_floor_waits_with_its_figure(
    federation: Federation, ada: SiteHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    federation.event(ada)
    figure = Interval(value=0.7, low=0.6, high=0.8)
    measured = site_agent.adopt.evaluate(ada, read_shelf(ada).releases[0].digest)
    monkeypatch.setattr(
        site_agent.adopt, "evaluate", lambda *_: measured.model_copy(update={"balanced_accuracy": figure})
    )
    (step,) = work(ada, adopting=True, floor=0.75).steps
    assert (step.state, read_shelf(ada).current) == ("waiting", None)
    assert step.note == "balanced accuracy 70.0 % [60.0, 80.0], 75.0 % needed: a person decides"


def test_a_pinned_release_is_not_replaced(federation: Federation, ada: SiteHome) -> None:
    federation.event(ada, adopting=True)
    site_agent.adopt.choose(ada, read_shelf(ada).releases[0].digest, "pinned")
    federation.take_in(ada, PATIENTS, first=100)
    federation.event(ada, adopting=True)
    assert [held.state for held in read_shelf(ada).releases] == ["pinned", "waiting"]


def test_a_recall_falls_back_and_tells(federation: Federation, ada: SiteHome) -> None:
    federation.event(ada, adopting=True)
    federation.take_in(ada, PATIENTS, first=100)
    federation.event(ada, adopting=True)
    federation.coordinator.recall(2, "an artefact")
    assert federation.exchange(ada) == ["adoption accepted"]
    assert [held.state for held in read_shelf(ada).releases] == ["adopted", "recalled"]
    assert [f"{step.kind} {step.state}" for step in read_progress(ada).last] == ["recall recalled", "adoption outbox"]


def test_a_withdrawn_batch_is_not_contributed_again(federation: Federation, ada: SiteHome) -> None:
    federation.exchange(ada)
    step = withdraw(ada, ["b0001"])
    assert (step.kind, step.state) == ("withdrawal", "outbox")
    assert federation.exchange(ada) == ["withdrawal accepted"]
    assert work(ada).steps == ()
    assert federation.coordinator.propose() is None


def test_two_rounds_at_once_wait_for_each_other(ada: SiteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("federated.homes.POLL_SECONDS", 0.01)
    monkeypatch.setattr(agent, "_work", lambda *_: pytest.fail("worked beside another"))
    lock = ada.lock
    monkeypatch.setattr(ada, "lock", lambda: lock(0.05))
    with SiteHome(ada.path).lock(), pytest.raises(ConsiliumError, match="another command is at work here"):
        work(ada)


def test_a_site_without_images_has_nothing_to_do(federation: Federation) -> None:
    home = federation.join("ada")
    federation.allow(home)
    assert work(home).steps == ()


def test_a_site_of_one_patient_takes_part_but_has_nothing_to_judge_by(federation: Federation) -> None:
    home = federation.hospital("ada", {"dark": 1})
    assert federation.event(home, adopting=True) is not None
    assert read_shelf(home).current is None
    assert "balanced accuracy no clips" in read_progress(home).last[-1].note


def test_a_report_on_nobody_is_refused_and_the_release_made_without_it(federation: Federation) -> None:
    home = federation.hospital("ada", {"dark": 1})
    federation.allow(home, report={"limits": Limits(cell=1, batch=1)})
    federation.exchange(home)
    federation.coordinator.propose()
    assert federation.exchange(home) == []
    assert "refused by cell" in read_progress(home).last[0].note
    assert federation.coordinator.release() is not None


def test_a_site_of_one_class_takes_part(federation: Federation) -> None:
    home = federation.hospital("ada", {"dark": 16})
    federation.event(home, adopting=True)
    current = read_shelf(home).current
    assert current is not None
    assert current.number == 1


def test_a_full_disk_is_one_line_and_loses_nothing(
    federation: Federation, ada: SiteHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    federation.exchange(ada)
    federation.coordinator.propose()
    parcels = [parcel.to_bytes() for parcel in federation.coordinator.outgoing("ada")]
    with monkeypatch.context() as patch:
        patch.setattr(federated.files, "_temporary", full)
        with pytest.raises(ConsiliumError, match="the disk is full"):
            exchange(ada, parcels, [])
    assert "report" in _kinds(exchange(ada, parcels, []))


class Killed(BaseException):
    """As if the process had ended here."""


MODULES = (site_agent.adopt, site_agent.mailbox, site_agent.steps, egress)


def _kill_at(monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
    """Ends the process before (even moments) or after (odd ones) one of the files is written or moved."""
    moments = iter(range(0, 10**6, 2))

    def killing(action: Callable[..., Any]) -> Callable[..., Any]:
        def act(*arguments: Any, **options: Any) -> Any:
            now = next(moments)
            if now == moment:
                raise Killed
            result = action(*arguments, **options)
            if now + 1 == moment:
                raise Killed
            return result

        return act

    for module in MODULES:
        monkeypatch.setattr(module, "write_whole", killing(module.write_whole))
    monkeypatch.setattr(site_agent.mailbox, "_move", killing(site_agent.mailbox._move))
    monkeypatch.setattr(egress, "write_receipts", killing(egress.write_receipts))


def _outcome(home: SiteHome, handed_out: list[bytes]) -> tuple[Any, ...]:
    """Everything that should be the same in the end: what left in which order, receipts, releases, what was read."""
    passages = [read_passage(parse_parcel(data)) for data in handed_out]
    return (
        [
            (passage.sequence, passage.kind, parse_parcel(data).digest)
            for passage, data in zip(passages, handed_out, strict=True)
        ],
        [(receipt.sequence, receipt.digest) for receipt in egress.Gate(home).receipts()],
        read_shelf(home),
        read_progress(home).contributions,
        [opened.digest for opened in Inbox(home).unread()],
    )


@pytest.mark.parametrize("stage", ["contribute", "report", "adopt"])
def test_a_round_killed_anywhere_ends_the_same(
    federation: Federation, ada: SiteHome, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    coordinator, before = federation.coordinator, ("contribute", "report", "adopt").index(stage)
    for step in (coordinator.propose, coordinator.release)[:before]:
        federation.exchange(ada)
        step()
    parcels = [parcel.to_bytes() for parcel in coordinator.outgoing("ada")]
    settled = coordinator.settled("ada")

    def copy(name: str) -> SiteHome:
        shutil.copytree(ada.path, federation.folder / name)
        return SiteHome(federation.folder / name)

    undisturbed = copy("undisturbed")
    wanted = _outcome(undisturbed, exchange(undisturbed, parcels, settled, adopting=True))
    for moment in range(200):
        home = copy(f"killed at {moment}")
        with monkeypatch.context() as patch:
            _kill_at(patch, moment)
            try:
                exchange(home, parcels, settled, adopting=True)
            except Killed:
                pass
            else:
                break
        assert _outcome(home, exchange(home, parcels, settled, adopting=True)) == wanted, f"killed at {moment}"
        shutil.rmtree(home.path)
    assert moment >= 6
