"""A site that trains in rounds: what it takes for a global model, what it answers, and what it keeps."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from federated.averaging import Averaged, AverageManifest, Plan
from federated.contract import Tensors, pack_tensors
from federated.disclosure import Limits
from federated.envelope import Opened, parse_parcel, read_passage
from federated.errors import ConsiliumError, ContractError
from federated.keys import read_private_key
from federated.manifest import manifest_digest
from server.averages import Update
from server.averaging import AveragingSummary, run_average
from server.event import ExchangeRequest
from shared_models.averaged_models import AVERAGED_MODELS, Config, averaged_model
from shared_models.linear_head import predict_head
from site_agent import averaging, lessons
from site_agent.agent import exchange, withdraw, work
from site_agent.averaging import average_path, draft_update, load_average, require_sound
from site_agent.catalogue import Catalogue
from site_agent.egress import Gate
from site_agent.features import features_of
from site_agent.forget.forgetting import forget
from site_agent.home import SiteHome
from site_agent.lessons import lesson_of, training_cases
from site_agent.mailbox import Inbox
from site_agent.policy import Policy, StandingApproval, UpdateRule, read_policy, sign_policy, write_policy
from site_agent.witness import witness
from tests.site_agent.conftest import SHADES

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation

PATIENTS = {"dark": 12, "light": 12}
OTHER = "sha256:" + "e" * 64


class Files:
    """Homes in this process as a route."""

    def __init__(self, *homes: SiteHome) -> None:
        self.homes = {home.config.site: home for home in homes}

    def sites(self) -> list[str]:
        return sorted(self.homes)

    def witness(self, requests: Mapping[str, Sequence[bytes]]) -> dict[str, bytes]:
        return {site: witness(self.homes[site], asked, told) for site, (asked, *told) in requests.items()}

    def exchange(self, requests: Mapping[str, ExchangeRequest]) -> dict[str, list[bytes]]:
        return {site: exchange(self.homes[site], one.parcels, one.settled) for site, one in requests.items()}


class Mean:
    """The weighted mean, by hand."""

    def ask(self, _: AverageManifest, _state: Tensors, sites: Sequence[str], /) -> list[str]:
        return list(sites)

    def average(self, _: AverageManifest, updates: Sequence[Update], /) -> Tensors:
        share = np.array([each.manifest.examples for each in updates], dtype=float)
        share /= share.sum()
        return {
            name: np.tensordot(share, np.stack([each.tensors[name] for each in updates]), 1)
            for name in updates[0].tensors
        }


def _allow(home: SiteHome, approval: str = "standing", rounds: int = 20, model: str = "linear_head") -> None:
    standing = StandingApproval(task="classification", model=model, rounds=rounds, until="2999-12-31", bytes=10**7)
    rule = UpdateRule.model_validate({"allowed": True, "approval": approval, "averaging": (standing,)})
    write_policy(home, Policy(federation="shades", site=home.config.site, update=rule))
    sign_policy(home, read_private_key(home.keys_path / "approver.pem"))


def _hospital(federation: Federation, name: str, patients: dict[str, int] | None = None) -> SiteHome:
    home = federation.join(name)
    federation.take_in(home, PATIENTS if patients is None else patients)
    _allow(home)
    return home


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    return _hospital(federation, "ada")


def _plan(federation: Federation, **changes: Any) -> Plan:
    config = federation.coordinator.home.config
    fields: dict[str, Any] = {
        "task": "classification",
        "front_end": config.front_end.digest,
        "labels": SHADES,
        "model": "linear_head",
        "config": {"features": config.front_end.features, "labels": len(SHADES)},
        "strategy": "fedavg",
        "rounds": 2,
        "epochs": 5,
        "proximal": 0.0,
        "least": 1,
    }
    return Plan.model_validate(fields | changes)


def _run(federation: Federation, *homes: SiteHome, **changes: Any) -> AveragingSummary:
    federation.coordinator.begin_average(_plan(federation, **changes))
    return run_average(federation.coordinator, Files(*homes), Mean())


def _made(federation: Federation, **changes: Any) -> tuple[AverageManifest, Tensors]:
    """A global model as a coordinator might make it, right but for some fields."""
    plan = changes.pop("plan", _plan(federation))
    state = changes.pop("state", averaged_model("linear_head").start(_plan(federation).config))
    _, specs, tensors_digest = pack_tensors(state)
    fields: dict[str, Any] = {"federation": "shades", "tensors": specs, "tensors_digest": tensors_digest}
    fields |= {"run": 1, "plan": plan, "round": 0, "previous": None, "updates": ()}
    return AverageManifest.model_validate(fields | changes), state


def _states(home: SiteHome) -> list[tuple[str, str]]:
    return [(step.kind, step.state) for step in work(home).steps]


def _waiting(federation: Federation, home: SiteHome, **changes: Any) -> Opened:
    """The first global model, in the site's inbox and not read yet."""
    federation.coordinator.begin_average(_plan(federation, **changes))
    for parcel in federation.coordinator.outgoing(home.config.site):
        Inbox(home).put(parcel.to_bytes())
    return Inbox(home).unread()[-1]


def test_two_hospitals_learn_together_what_neither_sees_alone(federation: Federation, ada: SiteHome) -> None:
    ben = _hospital(federation, "ben", {"light": 12, "striped": 12})
    summary = _run(federation, ada, ben, least=2, rounds=4, epochs=1)
    assert summary.finished is not None
    assert [sorted(each.entered) for each in summary.rounds] == 4 * [["ada", "ben"]]
    for home in (ada, ben):
        manifest, state = load_average(home, summary.finished)
        assert manifest.round == 4
        cases = [case for case in Catalogue(home.catalogue_path).cases() if case.fold != "train"]
        found = predict_head(features_of(home, cases), state["weight"].T.astype(float), state["bias"]).argmax(axis=1)
        right = [manifest.plan.labels[column] == case.label for column, case in zip(found, cases, strict=True)]
        assert np.mean(right) > 0.9


def test_a_network_of_images_is_averaged_in_the_same_way(federation: Federation, ada: SiteHome) -> None:
    _allow(ada, model="small_resnet18")
    config: Config = {"classes": len(SHADES), "side": 8, "width": 2}
    summary = _run(federation, ada, model="small_resnet18", config=config, rounds=1)
    assert summary.finished is not None
    manifest, state = load_average(ada, summary.finished)
    start = averaged_model("small_resnet18").start(config)
    assert {name: array.shape for name, array in state.items()} == {name: array.shape for name, array in start.items()}
    assert state["bn1.num_batches_tracked"] > 0
    assert not np.array_equal(state["conv1.weight"], start["conv1.weight"])
    assert manifest.plan.config == config


@pytest.mark.parametrize(("model", "dominates"), [("linear_head", False), ("small_resnet18", True)])
def test_a_patient_of_many_images_dominates_a_network_that_counts_images(
    model: str, dominates: bool, federation: Federation, ada: SiteHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = _plan(federation)
    config: Config = plan.config if model == "linear_head" else {"classes": len(SHADES), "side": 8, "width": 2}
    opened = _waiting(federation, ada, model=model, config=config, epochs=1)
    limits = read_policy(ada).update.limits
    cases = training_cases(ada, SHADES, limits)
    monkeypatch.setattr(lessons, "training_cases", lambda *_: [*cases, *50 * cases[:1]])
    facts = draft_update(ada, opened, lesson_of(ada, opened.manifest.plan, limits)).facts
    assert (facts.largest_share > Limits().dominance) is dominates


@pytest.mark.parametrize("wrong", [ValueError, RuntimeError, MemoryError])
def test_images_that_cannot_be_trained_from_are_told_here(
    wrong: type[Exception], federation: Federation, ada: SiteHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(*_: Any) -> Tensors:
        raise wrong("grey levels do not vary\nat all")

    model = dataclasses.replace(averaged_model("linear_head"), train=train)
    monkeypatch.setitem(AVERAGED_MODELS, "linear_head", model)
    _waiting(federation, ada)
    step = work(ada).steps[0]
    assert (step.state, "cannot be trained from (grey levels do not vary)" in step.note) == ("refused", True)


def test_every_update_left_by_the_gate_and_has_a_receipt(federation: Federation, ada: SiteHome) -> None:
    summary = _run(federation, ada)
    receipts = Gate(ada).receipts()
    assert [(one.kind, one.approval, one.filters["standing_rounds"]) for one in receipts] == [
        ("update", "standing", "1 <= 20"),
        ("update", "standing", "2 <= 20"),
    ]
    entered = [federation.coordinator.stored(one.average or "").manifest.updates[0] for one in summary.rounds]
    assert [one.update for one in entered] == [one.digest for one in receipts]
    counted = sum(case.fold == "train" for case in Catalogue(ada.catalogue_path).cases())
    assert {one.images for one in entered} == {counted}


def test_the_same_global_model_is_answered_by_the_same_bytes(federation: Federation, ada: SiteHome) -> None:
    opened = _waiting(federation, ada)
    lesson = lesson_of(ada, opened.manifest.plan, read_policy(ada).update.limits)
    one, two = (draft_update(ada, opened, lesson) for _ in range(2))
    assert (one.digest, one.tensors) == (two.digest, two.tensors)
    assert _states(ada) == [("update", "outbox")]
    assert _states(ada) == []


def test_a_huge_proximal_term_keeps_the_update_at_the_global_model(federation: Federation, ada: SiteHome) -> None:
    near, far = (
        _run(federation, ada, strategy=strategy, proximal=mu, rounds=1)
        for strategy, mu in (("fedprox", 1e8), ("fedavg", 0.0))
    )
    moved = [
        np.abs(federation.coordinator.stored(summary.finished or "").tensors["weight"]).max() for summary in (near, far)
    ]
    assert moved[0] < 1e-7
    assert moved[1] > 1e-3


def test_without_the_policys_word_nothing_leaves_and_the_round_is_answered_later(
    federation: Federation, ada: SiteHome
) -> None:
    write_policy(ada, Policy(federation="shades", site="ada"))
    sign_policy(ada, read_private_key(ada.keys_path / "approver.pem"))
    summary = _run(federation, ada)
    assert summary.trouble.startswith("round 1 has updates of 0 sites, 1 are needed")
    step = work(ada).steps[0]
    assert (step.kind, step.state) == ("average", "refused")
    assert "'update' is not allowed out; set allowed = true under [update]" in step.note
    _allow(ada)
    assert _run(federation, ada).finished


def test_a_run_ends_for_a_site_where_its_standing_approval_does(federation: Federation, ada: SiteHome) -> None:
    _allow(ada, rounds=1)
    summary = _run(federation, ada)
    assert [sorted(each.entered) for each in summary.rounds] == [["ada"], []]
    assert "refused by standing_rounds" in work(ada).steps[0].note


def test_nothing_is_trained_that_could_not_leave(
    federation: Federation, ada: SiteHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    _allow(ada, rounds=1)
    trained: list[int] = []

    def train(state: Tensors, *_: Any) -> Tensors:
        trained.append(1)
        return state

    model = dataclasses.replace(averaged_model("linear_head"), train=train)
    monkeypatch.setitem(AVERAGED_MODELS, "linear_head", model)
    _run(federation, ada)
    work(ada)
    assert trained == [1]


def test_a_training_that_goes_astray_is_told_here_and_does_not_leave(
    federation: Federation, ada: SiteHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(state: Tensors, *_: Any) -> Tensors:
        return {name: array * np.float32(np.nan) for name, array in state.items()}

    model = dataclasses.replace(averaged_model("linear_head"), train=train)
    monkeypatch.setitem(AVERAGED_MODELS, "linear_head", model)
    _waiting(federation, ada)
    step = work(ada).steps[0]
    assert (step.state, "NaN" in step.note) == ("refused", True)
    assert Gate(ada).receipts() == []


def test_an_approver_may_sign_every_update(federation: Federation, ada: SiteHome) -> None:
    _allow(ada, approval="each")
    key = read_private_key(ada.keys_path / "approver.pem")
    assert not _run(federation, ada, rounds=1).finished
    (pending,) = Gate(ada).pending()
    assert Gate(ada).approve(pending.digest, key).state == "outbox"
    assert _run(federation, ada, rounds=1).finished


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"task": "grading"}, "another task or front end"),
        ({"front_end": OTHER}, "another task or front end"),
        ({"labels": ("dark", "light", "spotted")}, "'spotted' is not in the vocabulary"),
        ({"model": "cat"}, "no model 'cat' is trained in rounds"),
        ({"config": {"features": 3, "labels": 3}}, "not the network that these labels and features need"),
    ],
)
def test_a_global_model_for_something_else_is_not_used(
    change: dict[str, Any], reason: str, federation: Federation, ada: SiteHome
) -> None:
    manifest, state = _made(federation, plan=_plan(federation, **change))
    with pytest.raises(ContractError, match=reason):
        require_sound(ada, manifest, state)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_a_global_model_of_wild_numbers_is_not_used(value: float, federation: Federation, ada: SiteHome) -> None:
    _, state = _made(federation)
    manifest, wild = _made(federation, state=state | {"bias": np.full(3, value, np.float32)})
    with pytest.raises(ContractError, match="tensor bias"):
        require_sound(ada, manifest, wild)


def test_a_global_model_of_other_shapes_is_not_used(federation: Federation, ada: SiteHome) -> None:
    manifest, state = _made(federation, state={"bias": np.zeros(3, np.float32)})
    with pytest.raises(ContractError, match="tensor weight: is not there"):
        require_sound(ada, manifest, state)


def test_a_coordinator_that_makes_up_an_update_of_this_site_is_found_out(federation: Federation, ada: SiteHome) -> None:
    entered = (Averaged(site="ada", update=OTHER, images=7),)
    manifest, state = _made(federation, round=1, previous=OTHER, updates=entered)
    with pytest.raises(ContractError, match="names an update of this site that never left here"):
        require_sound(ada, manifest, state)


@pytest.mark.parametrize(("images", "previous"), [(1, None), (None, OTHER)])
def test_a_coordinator_that_counts_an_update_otherwise_is_found_out(
    images: int | None, previous: str | None, federation: Federation, ada: SiteHome
) -> None:
    made = federation.coordinator.stored(_run(federation, ada).rounds[0].average or "")
    require_sound(ada, made.manifest, made.tensors)
    entered = made.manifest.updates[0].model_copy(update={"images": images} if images else {})
    before = previous or made.manifest.previous
    wrong = made.manifest.model_copy(update={"updates": (entered,), "previous": before})
    with pytest.raises(ContractError, match="says of this site's update what is not in it"):
        require_sound(ada, wrong, made.tensors)


def test_a_global_model_under_another_signature_is_not_taken_in(federation: Federation, ada: SiteHome) -> None:
    stranger = type(federation)(federation.folder / "stranger")
    stranger.join("ada")
    stranger.coordinator.begin_average(_plan(federation))
    (parcel,) = stranger.coordinator.outgoing("ada")
    assert exchange(ada, [parcel.to_bytes()], []) == []
    assert Inbox(ada).unread() == []


def test_a_kept_global_model_that_was_changed_is_not_used(federation: Federation, ada: SiteHome) -> None:
    finished = _run(federation, ada).finished
    assert finished is not None
    path = average_path(ada, finished)
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(ContractError, match="tensors are not the ones the manifest names"):
        load_average(ada, finished)
    path.unlink()
    with pytest.raises(ConsiliumError, match="cannot be read"):
        load_average(ada, finished)


def test_one_global_model_does_not_stand_for_another(federation: Federation, ada: SiteHome) -> None:
    first, second = (_run(federation, ada, rounds=rounds).finished for rounds in (1, 2))
    assert first is not None
    assert second is not None
    average_path(ada, first).write_bytes(average_path(ada, second).read_bytes())
    with pytest.raises(ContractError, match="is another global model than its name says"):
        load_average(ada, first)


def test_of_several_that_wait_the_newest_is_answered_and_finished_ones_are_kept(federation: Federation) -> None:
    def opened(number: int, rounds: int) -> Opened:
        plan = _plan(federation, rounds=rounds)
        entered = (Averaged(site="ben", update=OTHER, images=7),) if number else ()
        manifest, state = _made(
            federation, plan=plan, round=number, previous=OTHER if number else None, updates=entered
        )
        passage: Any = None
        return Opened(passage, manifest, state, manifest_digest(manifest), frozenset())

    first, last, again, newest = opened(0, 2), opened(2, 2), opened(0, 3), opened(1, 3)
    assert averaging.overtaken([first, last, again, newest]) == {first.digest, again.digest}


def test_batches_that_were_taken_back_are_not_learnt_from(federation: Federation, ada: SiteHome) -> None:
    federation.allow(ada, "statistics", "update")
    work(ada)
    federation.take_in(ada, PATIENTS, first=50)
    withdraw(ada, ["b0001"])
    limits = read_policy(ada).update.limits
    assert {case.batch for case in training_cases(ada, SHADES, limits)} == {"b0002"}


def _after_statistics(federation: Federation) -> SiteHome:
    """A hospital whose statistics have left, and which may answer a round that waits."""
    ada = federation.hospital("ada", PATIENTS, "statistics")
    assert _states(ada) == [("statistics", "outbox")]
    rules = read_policy(ada)
    _allow(ada)
    write_policy(ada, rules.model_copy(update={"update": read_policy(ada).update}))
    sign_policy(ada, read_private_key(ada.keys_path / "approver.pem"))
    return ada


def test_an_update_without_a_forgotten_patient_waits_while_sums_with_the_patient_are_out(
    federation: Federation,
) -> None:
    ada = _after_statistics(federation)
    with ada.lock():
        forget(ada, Catalogue(ada.catalogue_path).cases(fold="train")[0].patient)
    _waiting(federation, ada)
    (step,) = [step for step in work(ada).steps if step.kind == "average"]
    assert (step.state, "refused by difference" in step.note) == ("refused", True)


def test_an_update_over_all_batches_leaves_beside_the_sums_of_each(federation: Federation) -> None:
    ada = _after_statistics(federation)
    federation.take_in(ada, PATIENTS, first=50)
    _waiting(federation, ada)
    assert _states(ada) == [("update", "outbox"), ("statistics", "outbox")]


def test_a_patient_who_is_forgotten_leaves_an_update_that_waits(federation: Federation, ada: SiteHome) -> None:
    _allow(ada, approval="each")
    _waiting(federation, ada)
    assert _states(ada) == [("update", "pending")]
    before = Gate(ada).pending()[0]
    patient = Catalogue(ada.catalogue_path).cases(fold="train")[0].patient
    with ada.lock():
        assert forget(ada, patient).drafts == ("update",)
    assert _states(ada) == [("update", "pending")]
    (after,) = Gate(ada).pending()
    assert after.digest != before.digest
    assert patient not in str(Gate(ada).draft(after.digest).facts)


def test_who_was_behind_an_update_that_left_is_told_when_forgotten(federation: Federation, ada: SiteHome) -> None:
    _run(federation, ada)
    patient = Catalogue(ada.catalogue_path).cases(fold="train")[0].patient
    with ada.lock():
        found = forget(ada, patient, dry_run=True)
    assert found.updates == 2
    assert any("2 updates that left were trained on this patient" in line for line in found.lines())


def test_what_leaves_is_one_update_and_nothing_else(federation: Federation, ada: SiteHome) -> None:
    federation.coordinator.begin_average(_plan(federation))
    (parcel,) = federation.coordinator.outgoing("ada")
    (answer,) = exchange(ada, [parcel.to_bytes()], [])
    assert read_passage(parse_parcel(answer)).kind == "update"
