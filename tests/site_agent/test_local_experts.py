"""Experts that a site has trained: kept, read again, and refused where a file is not what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from federated.errors import ConsiliumError, ContractError
from shared_models.checkpoint import read_checkpoint, write_checkpoint
from shared_models.image_reference import COUNTS, MEAN
from shared_models.recipe import Recipe
from shared_models.segmentation import Masked, SegmentationTask
from site_agent import averaging, local_experts
from site_agent.home import SiteHome
from site_agent.local_experts import (
    AVERAGE,
    Trained,
    Wanted,
    asked,
    kept,
    network_of,
    p_values_of,
    panel,
    trained,
    weights_of,
)

CONFIG = {"classes": 2, "side": 16, "width": 2, "levels": 2}
WANTED = Wanted("segmentation", "b0001", ("87878005",), "unet", CONFIG, key=1)


def _learn(network):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (4, 16, 16), dtype=np.uint8)
    return SegmentationTask(network, 16, Masked(images, (images > 128).astype(np.uint8))), Recipe(1, 2, 1e-3, 0)


def _trained(home: SiteHome, wanted: Wanted = WANTED) -> Trained:
    return trained(home, wanted, _learn, lambda _: None)


def test_it_is_there_the_next_time(home: SiteHome) -> None:
    first = _trained(home)
    again = trained(home, WANTED, lambda _: pytest.fail("it is there"), lambda _: pytest.fail("it is there"))
    assert again.path == first.path
    assert all(np.array_equal(again.expert.state[name], array) for name, array in first.expert.state.items())
    assert [each.path for each in kept(home, "segmentation")] == [first.path]
    assert kept(home, "contour") == []


def test_a_later_one_of_the_batch_takes_its_place_and_one_of_another_stands_beside_it(home: SiteHome) -> None:
    _trained(home)
    second, other = _trained(home, replace(WANTED, key=2)), _trained(home, replace(WANTED, batch="b0002"))
    assert {each.path for each in kept(home, "segmentation")} == {second.path, other.path}


def test_a_training_that_was_stopped_goes_on(home: SiteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(home, WANTED, _learn, interrupted)
    (folder,) = [path for path in (home.experts / "own").iterdir() if path.is_dir()]
    assert (folder / "checkpoint.safetensors").exists()
    done = _trained(home)
    assert len(done.history) == 1
    assert not folder.exists()


def test_an_interrupted_checkpoint_that_is_damaged_is_told_in_a_line(home: SiteHome) -> None:
    with pytest.raises(KeyboardInterrupt):
        trained(home, WANTED, _learn, _stop)
    (checkpoint,) = (home.experts / "own").glob("*/checkpoint.safetensors")
    checkpoint.write_bytes(checkpoint.read_bytes()[:-9])
    with pytest.raises(ConsiliumError, match=r"checkpoint.safetensors: is damaged; remove it and begin anew$"):
        _trained(home)


def _stop(_: object) -> None:
    raise KeyboardInterrupt


def test_a_file_of_another_architecture_is_told_in_a_line(home: SiteHome) -> None:
    path = _trained(home).path
    tensors, said = read_checkpoint(path)
    write_checkpoint(path, tensors, said | {"config": CONFIG | {"width": 4}})
    with pytest.raises(ConsiliumError, match="is of another architecture than it says; remove it and train again"):
        kept(home, "segmentation")


def test_the_file_of_another_task_is_told_in_a_line(home: SiteHome) -> None:
    path = _trained(home).path
    tensors, said = read_checkpoint(path)
    write_checkpoint(path, tensors, said | {"task": "contour"})
    with pytest.raises(ConsiliumError, match=rf"{path.name}: holds an expert of contour of batch b0001, which belongs"):
        kept(home, "segmentation")
    with pytest.raises(ConsiliumError, match=r"which belongs elsewhere; remove it and train again$"):
        _trained(home)


def test_a_network_that_cannot_be_built_names_the_section(home: SiteHome) -> None:
    with pytest.raises(ConsiliumError, match=r"take a multiple of 2; mend \[segmentation\] of config.toml"):
        _trained(home, replace(WANTED, config=CONFIG | {"side": 17}))


def test_a_panel_names_sites_and_numbers_those_that_have_several(
    home: SiteHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = _trained(home).expert
    _trained(home, replace(WANTED, batch="b0002"))
    others = [replace(own, site="beta"), replace(own, site="gamma", architecture="contour_network")]
    monkeypatch.setattr(local_experts, "received", lambda _: others)
    assert list(panel(home, "segmentation", "unet")) == ["ada-1", "ada-2", "beta"]
    with pytest.raises(ConsiliumError, match="no expert of contour is here"):
        panel(home, "contour", "unet_3d")


def test_a_network_answers_with_its_state_and_not_with_anothers(home: SiteHome) -> None:
    expert = _trained(home).expert
    state = network_of(expert).state_dict()
    assert all(np.array_equal(state[name].numpy(), array) for name, array in expert.state.items())
    with pytest.raises(ContractError, match="expert of ada: tensor"):
        network_of(replace(expert, state={}))


def test_weights_follow_from_how_in_distribution_an_image_is(home: SiteHome) -> None:
    state = dict(_trained(home).expert.state)
    features = np.zeros((2, state[MEAN].shape[0]))
    assert p_values_of(state, features).tolist() == [1, 1], "nobody calibrated it"
    counts = np.zeros_like(state[COUNTS])
    counts[160] = 99
    known = state | {COUNTS: counts}
    features[1] = 100
    p = p_values_of(known, features)
    assert p[1] == pytest.approx(0.01)
    both = np.stack([p, p_values_of(state, features)], axis=1)
    assert weights_of([known, state], both).tolist() == [[p[0], 0.5], [p[1], 0.5]]


def test_the_home_of_experts_is_its_own_folder(home: SiteHome) -> None:
    assert _trained(home).path.parent == home.experts / "own"
    assert isinstance(_trained(home).path, Path)


def test_without_names_all_sites_are_asked_and_the_average_only_if_it_is_alone(home: SiteHome) -> None:
    own = _trained(home).expert
    experts = {"ada": own, "beta": own, AVERAGE: own}
    assert list(asked(experts)) == ["ada", "beta"]
    assert list(asked({AVERAGE: own})) == [AVERAGE]
    assert list(asked(experts, [AVERAGE, "ada"])) == ["ada", AVERAGE]
    with pytest.raises(ConsiliumError, match="--by: there is no expert 'gamma', there are ada, beta, average"):
        asked(experts, ["gamma"])


def test_the_newest_average_that_ended_stands_in_the_panel(home: SiteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    state = _trained(home).expert.state
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
