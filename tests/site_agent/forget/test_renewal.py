"""Sums that hold a forgotten patient: renewed as soon as the difference rule allows, in an order that loses nothing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import site_agent.forget.renewal
from federated.disclosure import Facts, Limits
from federated.envelope import parse_parcel, read_passage
from federated.keys import read_private_key
from federated.manifest import parse_manifest, unpack_tensors
from site_agent.adopt import load, read_shelf
from site_agent.agent import exchange, withdraw, work
from site_agent.egress import Gate
from site_agent.forget.forgetting import forget
from site_agent.forget.renewal import in_words, missing, stale, when
from site_agent.home import SiteHome
from site_agent.intake.ingest import Order, ingest
from site_agent.ledger import facts_by_digest, transaction
from site_agent.mailbox import Outbox
from site_agent.status.status import site_status
from site_agent.steps import read_progress

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation

LIMITS = Limits(cell=1, batch=1, difference=5, gram_share=1e9, dominance=1.0)
PATIENTS = {"dark": 20, "light": 8}


def _allow(federation: Federation, home: SiteHome, *kinds: str, **changes: Any) -> None:
    named = (*kinds, "report") if kinds else ("statistics", "report")
    federation.allow(home, *named, **{kind: {"limits": LIMITS, **changes} for kind in named if kind != "report"})


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    home = federation.hospital("ada", PATIENTS)
    _allow(federation, home)
    federation.event(home)
    return home


def _forget(home: SiteHome, number: int, fold: str = "train", label: str = "dark", batch: str = "b0001") -> list[str]:
    cases = home.archive.catalogue.cases(fold=fold, batch=batch)
    patients = sorted({case.patient for case in cases if case.label == label})[:number]
    assert len(patients) == number
    for patient in patients:
        forget(home, patient)
    return patients


def _current(federation: Federation) -> dict[str, dict[str, int]]:
    """Batch -> training patients, as the coordinator has them."""
    coordinator = federation.coordinator
    (site,) = coordinator.status()["sites"]
    return {each["batch"]: _patients(coordinator, each["digest"]) for each in site["contributions"]}


def _patients(coordinator: Any, digest: str) -> dict[str, int]:
    return dict(parse_manifest(coordinator.artefacts.get(digest)).patients)


def _train(home: SiteHome, batch: str = "b0001") -> dict[str, int]:
    cases = home.archive.catalogue.cases(fold="train", batch=batch)
    return {
        label: len({case.patient for case in cases if case.label == label}) for label in {case.label for case in cases}
    }


def test_one_patient_waits_for_four_more(federation: Federation, ada: SiteHome) -> None:
    before = _current(federation)
    _forget(ada, 1)
    (line,) = when(ada).values()
    assert line == (
        "stays in the sums of b0001 (statistics) until 4 more training patients with 'dark' are forgotten or come with "
        "the next batch (difference 5); to take it out now: consilium site withdraw b0001, at the price of the whole "
        "batch"
    )
    assert work(ada).steps == ()
    assert federation.exchange(ada) == []
    assert _current(federation) == before
    assert [one.forgotten for one in site_status(ada).contributions] == [line]


def test_five_patients_are_enough(federation: Federation, ada: SiteHome) -> None:
    old = _current(federation)["b0001"]
    _forget(ada, 4)
    assert "until 1 more training patients" in next(iter(when(ada).values()))
    _forget(ada, 1)
    assert next(iter(when(ada).values())).startswith("leaves the sums of b0001 (statistics) with the next")
    assert federation.exchange(ada) == ["statistics accepted", "withdrawal accepted"]
    assert _current(federation) == {"b0001": {**old, "dark": old["dark"] - 5}}
    assert (stale(ada), when(ada), work(ada).steps) == ([], {}, ())
    federation.event(ada)
    shelf = read_shelf(ada)
    assert [held.state for held in shelf.releases] == ["recalled", "waiting"]
    (own,) = load(ada, shelf.releases[-1].digest)[0].sites
    assert own.patients == _train(ada)


def test_the_new_sums_are_those_of_the_others_alone(federation: Federation, ada: SiteHome) -> None:
    """As if the forgotten had never come: the sums of another home that holds just the others."""
    _forget(ada, 5)
    work(ada)
    (renewed,) = read_progress(ada).contributions.values()
    parcel = Outbox(ada).sent(renewed)
    assert parcel is not None
    manifest = parse_manifest(parcel.manifest)
    sums = unpack_tensors(parcel.tensors, manifest)["train.weights"]
    assert np.allclose(sums, sums.sum() / len(manifest.labels))  # each label weighs the same at this site
    assert dict(manifest.patients) == _train(ada)
    with transaction(ada.state_path) as connection:
        facts = facts_by_digest(connection, withdrawn=False)[renewed]
    assert not any(name in site_agent.forget.renewal.Catalogue(ada.catalogue_path).forgotten() for name in facts.images)


def test_a_batch_that_has_not_left_yet_makes_up_for_those_who_lack(federation: Federation, ada: SiteHome) -> None:
    old = _current(federation)["b0001"]
    _forget(ada, 1)
    federation.take_in(ada, {"dark": 16}, first=100)
    came = _train(ada, "b0002")["dark"]
    assert came >= 4
    assert federation.exchange(ada) == ["statistics accepted", "withdrawal accepted"]
    assert _current(federation) == {"b0001": {**old, "dark": old["dark"] - 1 + came}}
    left = {case.fold for case in ada.archive.catalogue.cases(batch="b0002")}
    assert left == {"validation"}  # by so few nothing that left may change
    assert when(ada) == {}
    assert list(ada.path.glob(".trial-*")) == []


def test_a_batch_too_small_leaves_on_its_own(federation: Federation, ada: SiteHome) -> None:
    _forget(ada, 1)
    federation.take_in(ada, {"dark": 4}, first=100)
    assert _train(ada, "b0002")["dark"] < 4
    assert federation.exchange(ada) == ["statistics accepted"]
    assert sorted(_current(federation)) == ["b0001", "b0002"]
    assert len(when(ada)) == 1


def test_batches_of_another_machine_are_not_joined(federation: Federation, ada: SiteHome) -> None:
    _forget(ada, 1)
    index = federation.images("ada", {"dark": 16}, first=100)
    ingest(ada.archive, ada.vocabulary, ada.label_map, index, replace(Order(), machine="another"))
    assert federation.exchange(ada) == ["statistics accepted"]
    assert sorted(_current(federation)) == ["b0001", "b0002"]


def test_a_permissive_policy_renews_at_once(federation: Federation, ada: SiteHome) -> None:
    federation.allow(ada)
    _forget(ada, 1)
    assert federation.exchange(ada) == ["statistics accepted", "withdrawal accepted"]


def test_calibration_patients_are_in_no_sums_but_in_reports(federation: Federation, ada: SiteHome) -> None:
    federation.allow(ada, statistics={"limits": LIMITS}, report={"limits": LIMITS})
    patient = ada.archive.catalogue.cases(fold="calibration")[0].patient
    said = forget(ada, patient)
    assert (said.sums, said.reports) == ((), 1)
    assert said.next_report == "4 more calibration patients"
    assert "the next report waits until 4 more calibration patients" in " ".join(said.lines())


def test_statistics_beside_features_and_weights(federation: Federation) -> None:
    ada = federation.hospital("ada", PATIENTS)
    _allow(federation, ada, "statistics", "features", "weights")
    federation.event(ada)
    _forget(ada, 5)
    done = federation.exchange(ada)
    assert done == [
        "withdrawal accepted",
        "statistics accepted",
        "weights accepted",
        "withdrawal accepted",
        "features accepted",
    ]
    (site,) = federation.coordinator.status()["sites"]
    assert sorted(each["kind"] for each in site["contributions"]) == ["features", "statistics", "weights"]
    assert {_patients(federation.coordinator, each["digest"])["dark"] for each in site["contributions"]} == {
        _train(ada)["dark"]
    }
    federation.exchange(ada)
    gone = read_progress(ada).replaced
    assert len(gone) == 3
    assert [Outbox(ada).sent(digest) for digest in gone] == [None] * 3  # their features were the patients' own


def test_an_approver_is_asked_and_nothing_is_lost_meanwhile(federation: Federation, ada: SiteHome) -> None:
    _allow(federation, ada, approval="each")
    old = _current(federation)
    _forget(ada, 5)
    assert [(step.kind, step.state) for step in work(ada).steps] == [("statistics", "pending")]
    assert work(ada).steps == ()
    assert federation.exchange(ada) == []
    assert _current(federation) == old
    assert "those without it wait: consilium site approve" in next(iter(when(ada).values()))
    gate = Gate(ada)
    gate.approve(gate.pending()[0].digest, read_private_key(ada.keys_path / "approver.pem"))
    assert federation.exchange(ada) == ["statistics accepted", "withdrawal accepted"]
    assert _current(federation)["b0001"]["dark"] == old["b0001"]["dark"] - 5


def test_a_rejection_stands_and_the_batch_can_be_withdrawn(federation: Federation, ada: SiteHome) -> None:
    _allow(federation, ada, approval="each")
    _forget(ada, 5)
    work(ada)
    gate = Gate(ada)
    gate.reject(gate.pending()[0].digest, read_private_key(ada.keys_path / "approver.pem"), "no")
    assert work(ada).steps == ()
    assert "an approver rejected those without it" in next(iter(when(ada).values()))
    withdraw(ada, ["b0001"])
    assert federation.exchange(ada) == ["withdrawal accepted"]
    assert (_current(federation), when(ada)) == ({}, {})


def test_another_patient_of_a_draft_that_waits(federation: Federation, ada: SiteHome) -> None:
    _allow(federation, ada, approval="each")
    _forget(ada, 5)
    (first,) = work(ada).steps
    _forget(ada, 1)
    (second,) = work(ada).steps
    assert (second.kind, second.state) == ("statistics", "pending")
    assert first.digest != second.digest
    assert [waiting.digest for waiting in Gate(ada).pending()] == [second.digest]


def test_another_filter_that_refuses_is_told(federation: Federation, ada: SiteHome) -> None:
    _forget(ada, 5)
    limits = LIMITS.model_copy(update={"max_bytes": 1})
    federation.allow(ada, statistics={"limits": limits})
    (step,) = work(ada).steps
    assert (step.kind, step.state) == ("renewal", "refused")
    assert "refused by max_bytes" in step.note


def test_without_a_policy_the_sums_stay_and_it_is_said(federation: Federation, ada: SiteHome) -> None:
    _forget(ada, 5)
    ada.policy_path.unlink()
    assert "until a signed policy allows 'statistics'" in next(iter(when(ada).values()))
    assert work(ada).steps == ()


def test_a_batch_of_which_nobody_is_left_is_withdrawn(federation: Federation) -> None:
    ada = federation.hospital("ada", {"dark": 2})
    _allow(federation, ada)
    federation.event(ada)
    for patient in {case.patient for case in ada.archive.catalogue.cases()}:
        forget(ada, patient)
    assert federation.exchange(ada) == ["withdrawal accepted"]
    assert _current(federation) == {}


class Killed(BaseException):
    """As if the process had ended here."""


@pytest.mark.parametrize("also", [(), ("features",)])
def test_a_renewal_killed_anywhere_ends_the_same(
    federation: Federation, monkeypatch: pytest.MonkeyPatch, also: tuple[str, ...]
) -> None:
    ada = federation.hospital("ada", PATIENTS)
    _allow(federation, ada, "statistics", *also)
    federation.event(ada)
    _forget(ada, 1)
    federation.take_in(ada, {"dark": 16}, first=100)

    def copy(name: str) -> SiteHome:
        shutil.copytree(ada.path, federation.folder / name)
        return SiteHome(federation.folder / name)

    def outcome(home: SiteHome) -> list[tuple[int, str, str]]:
        parcels = [parse_parcel(data) for data in exchange(home, [], [])]
        return [(passage.sequence, passage.kind, one.digest) for one in parcels for passage in [read_passage(one)]]

    wanted = outcome(copy("undisturbed"))
    assert len(wanted) == (4 if also else 2)
    for moment in range(40):
        home = copy(f"killed at {moment}")
        with monkeypatch.context() as patch:
            _kill_at(patch, moment)
            try:
                outcome(home)
            except Killed:
                pass
            else:
                break
        assert outcome(home) == wanted, f"killed at {moment}"
    assert moment >= 6


def _kill_at(monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
    """Ends the process before (even moments) or after (odd ones) one of the steps."""
    moments = iter(range(0, 10**6, 2))

    def killing(action: Any) -> Any:
        def act(*arguments: Any, **options: Any) -> Any:
            now = next(moments)
            if now == moment:
                raise Killed
            result = action(*arguments, **options)
            if now + 1 == moment:
                raise Killed
            return result

        return act

    for name in ("_join", "note_contribution", "note_replaced"):
        monkeypatch.setattr(site_agent.forget.renewal, name, killing(getattr(site_agent.forget.renewal, name)))
    monkeypatch.setattr(Gate, "submit", killing(Gate.submit))


def test_who_lacks_is_counted_by_cell() -> None:
    cells = {("train", "a"): frozenset("pqrs"), ("train", "b"): frozenset("pt"), ("validation", "a"): frozenset("uvw")}
    facts = Facts("statistics", 1, None, cells, 0.1, 9)
    assert missing(facts, frozenset("pq"), 3) == {("train", "a"): 1, ("train", "b"): 2}
    assert missing(facts, frozenset("pqr"), 3) == {("train", "b"): 2}
    assert missing(facts, frozenset("x"), 3) == {}
    assert in_words({("train", "a"): 1, ("calibration", "any"): 2}) == (
        "1 more training patients with 'a' and 2 more calibration patients"
    )
