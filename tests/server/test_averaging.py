from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated.averaging import AverageManifest, Plan
from federated.contract import Tensors
from federated.envelope import Opened
from federated.errors import ConsiliumError, ContractError
from server.averages import Update
from server.averaging import AveragingSummary, Round, as_declared, run_average
from server.event import ExchangeRequest, Unreached
from tests.server.conftest import CARD, FEATURES, IMAGES, LABELS, SHIFTS, Draft, Site, World

SITES = ("ada", "ben", "cem")


def plan(**changes: Any) -> Plan:
    fields: dict[str, Any] = {
        "task": "classification",
        "front_end": CARD.digest,
        "labels": LABELS,
        "model": "linear_head",
        "config": {"features": FEATURES, "labels": len(LABELS)},
        "strategy": "fedavg",
        "rounds": 3,
        "epochs": 1,
        "proximal": 0.0,
        "least": 2,
    }
    return Plan.model_validate(fields | changes)


class Mean:
    """The weighted mean, by hand; `seen` are the sites whose updates it was shown."""

    def __init__(self) -> None:
        self.seen: list[list[str]] = []

    def ask(self, _: AverageManifest, _state: Tensors, sites: Sequence[str], /) -> list[str]:
        return list(sites)

    def average(self, _: AverageManifest, updates: Sequence[Update], /) -> Tensors:
        self.seen.append([each.manifest.site for each in updates])
        total = sum(each.manifest.examples for each in updates)
        names = updates[0].tensors
        return {
            name: np.asarray(sum(each.manifest.examples / total * each.tensors[name].astype(float) for each in updates))
            for name in names
        }


@pytest.fixture
def three(world: World) -> World:
    for name in SITES:
        world.join(name)
    return world


def _run(world: World, strategy: Mean | None = None, **changes: Any) -> AveragingSummary:
    world.coordinator.begin_average(plan(**changes))
    return run_average(world.coordinator, world, strategy or Mean())


def _step(*sites: str) -> float:
    """By how much a round moves every number: the mean of the sites' shifts, weighted by their images."""
    return sum(IMAGES[site] * SHIFTS[site] for site in sites) / sum(IMAGES[site] for site in sites)


def _final(world: World, summary: AveragingSummary) -> Tensors:
    assert summary.finished is not None
    return dict(world.coordinator.stored(summary.finished).tensors)


def _entered(summary: AveragingSummary) -> list[list[str]]:
    return [sorted(each.entered) for each in summary.rounds]


def _reasons(one: Round) -> dict[str, str]:
    return {found.site: found.reason for found in one.accepted if found.reason}


def test_the_global_model_after_all_rounds_is_the_analytic_weighted_mean(three: World) -> None:
    summary = _run(three)
    for array in _final(three, summary).values():
        np.testing.assert_allclose(array, 3 * _step(*SITES), rtol=1e-6)
        assert array.dtype == np.float32
    assert _entered(summary) == 3 * [list(SITES)]
    assert summary.rounds[0].entered == {site: 2 * IMAGES[site] for site in SITES}  # two labels each


def test_every_site_gets_a_signed_chain_from_the_first_global_model_to_the_last(three: World) -> None:
    summary = _run(three)
    chain = three.members["ada"].averages
    assert [opened.manifest.round for opened in chain] == [0, 1, 2, 3]
    assert [opened.manifest.previous for opened in chain] == [None, *(opened.digest for opened in chain[:-1])]
    assert (chain[-1].digest, chain[-1].manifest.is_finished) == (summary.finished, True)
    assert {each.site for each in chain[-1].manifest.updates} == set(SITES)


def _tampered(site: Site) -> Callable[[ExchangeRequest], list[bytes]]:
    """The site's outbox with a bit of the last update's tensors flipped on the way."""

    def exchange(request: ExchangeRequest) -> list[bytes]:
        *others, last = Site.exchange(site, request) or [b""]
        return [*others, last[:-1] + bytes([last[-1] ^ 1])] if last else []

    return exchange


def _foreign(site: Site) -> Callable[[ExchangeRequest], list[bytes]]:
    """The same envelopes under a key that nobody enrolled."""

    def exchange(request: ExchangeRequest) -> list[bytes]:
        site.key = Ed25519PrivateKey.generate()
        return Site.exchange(site, request)

    return exchange


@pytest.mark.parametrize(
    ("wrong", "reason"), [(_tampered, "tensors are not the ones the manifest names"), (_foreign, "does not verify")]
)
def test_an_update_altered_or_signed_by_others_is_named_and_the_round_goes_on(
    wrong: Callable[[Site], Any], reason: str, three: World
) -> None:
    cem, strategy = three.members["cem"], Mean()
    cem.exchange = wrong(cem)  # type: ignore[method-assign]
    summary = _run(three, strategy, rounds=1)
    assert reason in _reasons(summary.rounds[0])["cem"]
    assert strategy.seen == [["ada", "ben"]]
    np.testing.assert_allclose(_final(three, summary)["bias"], _step("ada", "ben"), rtol=1e-6)


def _state(**changes: Any) -> Tensors:
    state: Tensors = {
        "weight": np.ones((len(LABELS), FEATURES), np.float32),
        "bias": np.ones(len(LABELS), np.float32),
    }
    return state | changes


BAD_STATES: Mapping[str, tuple[Tensors, str]] = {
    "NaN": (_state(bias=np.full(3, np.nan, np.float32)), "tensor bias|bias: holds NaN"),
    "infinity": (_state(bias=np.full(3, np.inf, np.float32)), "holds NaN or infinity"),
    "huge": (_state(bias=np.full(3, 3e38, np.float32)), "holds numbers above"),
    "shape": (_state(bias=np.ones(4, np.float32)), "tensor bias: is F32"),
    "type": (_state(bias=np.ones(3)), "tensor bias: is F64"),
    "more": (_state(more=np.ones(3, np.float32)), "tensor more: is F32"),
    "less": ({"bias": np.ones(3, np.float32)}, "tensor weight: is not there"),
}


@pytest.mark.parametrize("name", BAD_STATES)
def test_a_state_that_is_none_of_this_network_never_reaches_the_strategy(name: str, three: World) -> None:
    tensors, reason = BAD_STATES[name]
    cem, strategy = three.members["cem"], Mean()
    cem.answer = lambda opened: cem.update(opened, tensors)
    summary = _run(three, strategy, rounds=1)
    assert any(part in _reasons(summary.rounds[0])["cem"] for part in reason.split("|"))
    assert strategy.seen == [["ada", "ben"]]
    quarantine = three.coordinator.status()["quarantine"]
    assert [row["site"] for row in quarantine] == ["cem"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model": "small_resnet18"}, "with 'small_resnet18', wanted"),
        ({"run": 2}, "is round 1 of run 2"),
        ({"round": 2}, "is round 2 of run 1"),
        ({"average": "sha256:" + "e" * 64}, "answers another global model than this round's"),
        ({"task": "grading"}, "is for task 'grading'"),
        ({"front_end": "sha256:" + "e" * 64}, "another front end"),
        ({"images": {"plax": 0, "a2c": 0}, "patients": {"plax": 0, "a2c": 0}}, "was trained on no image"),
        ({"images": {"plax": 2, "a2c": 2}}, "8 patients with 2 images"),
        ({"images": {"plax": 10**9, "a2c": 10**9}}, "2000000000 images, at most 1000000000 are believed"),
    ],
)
def test_an_update_of_something_else_never_reaches_the_strategy(
    changes: dict[str, Any], reason: str, three: World
) -> None:
    cem, strategy = three.members["cem"], Mean()
    cem.answer = lambda opened: cem.update(opened, **changes)
    summary = _run(three, strategy, rounds=1)
    assert reason in _reasons(summary.rounds[0])["cem"]
    assert strategy.seen == [["ada", "ben"]]


def test_an_update_of_an_earlier_round_enters_no_later_one(three: World) -> None:
    """Neither its bytes once more nor the same state under a new signature."""
    cem, strategy = three.members["cem"], Mean()
    first: list[Opened] = []
    kept: list[bytes] = []

    def answer(opened: Opened) -> Draft:
        first.append(opened)
        return cem.update(first[0], labels=("a2c",), patients={"a2c": 8}, images={"a2c": 8 + len(first)})

    def exchange(request: ExchangeRequest) -> list[bytes]:
        kept.extend(Site.exchange(cem, request))
        return list(kept)

    cem.answer, cem.exchange = answer, exchange  # type: ignore[method-assign]
    summary = _run(three, strategy, rounds=2)
    assert strategy.seen == [["ada", "ben", "cem"], ["ada", "ben"]]
    outcomes = [(found.outcome, found.reason) for found in summary.rounds[1].accepted if found.site == "cem"]
    assert outcomes[0] == ("same", "")
    assert outcomes[-1][0] == "quarantined"
    assert "answers another global model than this round's" in outcomes[-1][1]


def test_a_site_cannot_answer_for_another(three: World) -> None:
    cem, ben = three.members["cem"], three.members["ben"]
    cem.answer = ben.update
    summary = _run(three, rounds=1)
    assert "speaks for site 'ben'" in _reasons(summary.rounds[0])["cem"]
    assert _entered(summary) == [["ada", "ben"]]


def test_with_too_few_sites_the_run_waits_and_then_goes_on(three: World, make_world: Callable[..., World]) -> None:
    three.offline = {"ben", "cem"}
    waiting = _run(three)
    assert waiting.finished is None
    assert waiting.trouble == ("round 1 has updates of 1 sites, 2 are needed; run the command again to go on from here")
    three.offline = set()
    summary = _run(three)
    assert (summary.run, _entered(summary)) == (1, 3 * [list(SITES)])
    whole = make_world()
    for name in SITES:
        whole.join(name)
    np.testing.assert_array_equal(_final(three, summary)["weight"], _final(whole, _run(whole))["weight"])


class Killed(BaseException):
    """What ends a process."""


class Mortal(Mean):
    """Ends in the middle of the second round."""

    def average(self, average: AverageManifest, updates: Sequence[Update], /) -> Tensors:
        if average.round == 1:
            raise Killed
        return super().average(average, updates)


def test_a_run_that_was_killed_goes_on_from_its_last_global_model(three: World) -> None:
    with pytest.raises(Killed):
        _run(three, Mortal())
    three.restart()
    summary = _run(three)
    assert [each.round for each in summary.rounds] == [2, 3]
    np.testing.assert_allclose(_final(three, summary)["bias"], 3 * _step(*SITES), rtol=1e-6)
    assert [opened.manifest.round for opened in three.members["ada"].averages] == [0, 1, 2, 3]


def test_who_does_not_answer_is_told(three: World) -> None:
    def exchange(requests: Mapping[str, ExchangeRequest]) -> dict[str, list[bytes] | Unreached]:
        return {site: Unreached("late") for site in requests}

    three.exchange = exchange  # type: ignore[method-assign]
    assert "not reached: ada (late), ben (late), cem (late)" in _run(three).trouble


def test_a_site_that_was_away_gets_the_newest_global_model_only(three: World) -> None:
    three.offline = {"cem"}
    summary = _run(three)
    (waiting,) = three.coordinator.outgoing("cem")
    assert waiting.digest == summary.finished


def test_the_last_global_model_of_a_run_reaches_a_site_that_was_away_although_another_run_has_begun(
    three: World,
) -> None:
    three.offline = {"cem"}
    finished, second = _run(three).finished, three.coordinator.begin_average(plan(rounds=1))
    assert [parcel.digest for parcel in three.coordinator.outgoing("cem")] == [finished, second]


def test_a_run_that_was_stopped_while_it_averaged_keeps_nothing(three: World) -> None:
    class Stopping(Mean):
        def average(self, average: AverageManifest, updates: Sequence[Update], /) -> Tensors:
            three.coordinator.stop_average()
            return super().average(average, updates)

    with pytest.raises(ConsiliumError, match="run 1: went on or was stopped meanwhile"):
        _run(three, Stopping())
    assert three.coordinator.open_average() is None


def test_a_revoked_site_is_left_out_even_if_its_update_was_taken_in(three: World) -> None:
    class Revoking(Mean):
        def average(self, average: AverageManifest, updates: Sequence[Update], /) -> Tensors:
            if average.round == 0 and "cem" in three.coordinator.sites():
                three.coordinator.revoke("cem")
                raise Killed
            return super().average(average, updates)

    strategy = Revoking()
    with pytest.raises(Killed):
        _run(three, strategy, rounds=1)
    _run(three, strategy, rounds=1)
    assert strategy.seen == [["ada", "ben"]]


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (_state(bias=np.full(3, np.nan, np.float32)), "NaN"),
        (_state(bias=np.ones(4, np.float32)), "tensor bias: is F32"),
        ({"bias": np.ones(3, np.float32)}, "tensor weight: is not there"),
    ],
)
def test_what_a_strategy_makes_is_checked_before_it_is_signed(state: Tensors, reason: str, three: World) -> None:
    class Wrong(Mean):
        def average(self, _: AverageManifest, _updates: Sequence[Update], /) -> Tensors:
            return state

    with pytest.raises(ContractError, match=reason):
        _run(three, Wrong())
    open_ = three.coordinator.open_average()
    assert open_ is not None
    assert open_.manifest.round == 0


def test_without_a_run_there_is_nothing_to_do(three: World) -> None:
    with pytest.raises(ConsiliumError, match="no run of rounds waits for updates"):
        run_average(three.coordinator, three, Mean())


def test_means_come_back_in_the_types_of_the_network() -> None:
    like: Tensors = {"seen": np.array(3), "weight": np.ones(2, np.float32)}
    typed = as_declared({"seen": np.array(4.6), "weight": np.array([0.1, 0.2]), "other": np.ones(1)}, like)
    assert [typed[name].dtype.name for name in ("seen", "weight", "other")] == ["int64", "float32", "float64"]
    assert typed["seen"] == 5


def test_updates_are_neither_contributions_nor_experts(three: World) -> None:
    _run(three)
    status = three.coordinator.status()
    assert [site["contributions"] for site in status["sites"]] == [[], [], []]
    assert three.coordinator.propose() is None
