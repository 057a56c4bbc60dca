"""Experts of a task, own and of other sites, asked together."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from federated.errors import ConsiliumError, ContractError
from shared_models.image_reference import COUNTS, MEAN
from site_agent import asked_experts, averaging
from site_agent.asked_experts import AVERAGE, Experts, asked, network_of, p_values_of, panel
from site_agent.home import SiteHome
from tests.site_agent.small_experts import CONFIG, WANTED, small_expert


def test_a_panel_names_sites_and_numbers_those_that_have_several(
    home: SiteHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = small_expert(home).expert
    small_expert(home, replace(WANTED, batch="b0002"))
    others = [replace(own, site="beta"), replace(own, site="gamma", architecture="contour_network")]
    monkeypatch.setattr(asked_experts, "received", lambda _: others)
    assert list(panel(home, "segmentation", "unet")) == ["ada-1", "ada-2", "beta"]
    with pytest.raises(ConsiliumError, match="no expert of contour is here"):
        panel(home, "contour", "unet_3d")


def test_a_network_answers_with_its_state_and_not_with_anothers(home: SiteHome) -> None:
    expert = small_expert(home).expert
    state = network_of(expert).state_dict()
    assert all(np.array_equal(state[name].numpy(), array) for name, array in expert.state.items())
    with pytest.raises(ContractError, match="expert of ada: tensor"):
        network_of(replace(expert, state={}))


def test_weights_follow_from_how_in_distribution_an_image_is(home: SiteHome) -> None:
    own = small_expert(home).expert
    state = dict(own.state)
    features = np.zeros((2, state[MEAN].shape[0]))
    assert p_values_of(state, features).tolist() == [1, 1], "nobody calibrated it"
    counts = np.zeros_like(state[COUNTS])
    counts[160] = 99
    known = state | {COUNTS: counts}
    features[1] = 100
    p = p_values_of(known, features)
    assert p[1] == pytest.approx(0.01)
    experts = Experts({"ada": replace(own, state=known), "beta": own})
    weighed = experts.weighed({"ada": features, "beta": features})
    assert weighed.p.tolist() == [[1, 1], [p[1], 1]]
    assert weighed.weights.tolist() == [[1, 0.5], [p[1], 0.5]]
    assert weighed.of(1) == ({"ada": p[1], "beta": 1}, {"ada": p[1], "beta": 0.5})


def test_without_names_all_sites_are_asked_and_the_average_only_if_it_is_alone(home: SiteHome) -> None:
    own = small_expert(home).expert
    experts = {"ada": own, "beta": own, AVERAGE: own}
    assert list(asked(experts)) == ["ada", "beta"]
    assert list(asked({AVERAGE: own})) == [AVERAGE]
    assert list(asked(experts, [AVERAGE, "ada"])) == ["ada", AVERAGE]
    with pytest.raises(ConsiliumError, match="--by: there is no expert 'gamma', there are ada, beta, average"):
        asked(experts, ["gamma"])


def test_the_newest_average_that_ended_stands_in_the_panel(home: SiteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    state = small_expert(home).expert.state
    home.averages.mkdir()
    for name in ("one", "two", "three"):
        (home.averages / f"{name}.parcel").touch()
    runs = {"sha256:one": (1, "unet"), "sha256:two": (2, "unet"), "sha256:three": (3, "linear_head")}

    def load(_: SiteHome, digest: str) -> tuple[SimpleNamespace, Any]:
        run, model = runs[digest]
        plan = SimpleNamespace(model=model, config=CONFIG, labels=(f"of run {run}",))
        return SimpleNamespace(run=run, plan=plan), state

    monkeypatch.setattr(averaging, "load_average", load)
    found = panel(home, "segmentation", "unet")
    assert list(found) == ["ada", AVERAGE]
    assert found[AVERAGE].labels == ("of run 2",)


def test_a_network_is_made_when_it_is_first_asked_for(home: SiteHome) -> None:
    own = small_expert(home).expert
    experts = Experts({"ada": own, "beta": replace(own, state={})})
    assert experts.network("ada") is experts.network("ada")
    with pytest.raises(ContractError, match="tensor"):
        experts.network("beta")
