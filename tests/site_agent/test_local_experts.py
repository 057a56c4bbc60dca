"""Experts that a site has trained: kept, read again, and refused where a file is not what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from federated.errors import ConsiliumError
from shared_models.checkpoint import read_checkpoint, write_checkpoint
from site_agent.home import SiteHome
from site_agent.local_experts import kept, trained
from tests.site_agent.small_experts import CONFIG, WANTED, learn, small_expert


def test_it_is_there_the_next_time(home: SiteHome) -> None:
    first = small_expert(home)
    again = trained(home, WANTED, lambda _: pytest.fail("it is there"), lambda _: pytest.fail("it is there"))
    assert again.path == first.path
    assert all(np.array_equal(again.expert.state[name], array) for name, array in first.expert.state.items())
    assert [each.path for each in kept(home, "segmentation")] == [first.path]
    assert kept(home, "contour") == []


def test_a_later_one_of_the_batch_takes_its_place_and_one_of_another_stands_beside_it(home: SiteHome) -> None:
    small_expert(home)
    second, other = small_expert(home, replace(WANTED, key=2)), small_expert(home, replace(WANTED, batch="b0002"))
    assert {each.path for each in kept(home, "segmentation")} == {second.path, other.path}


def test_a_training_that_was_stopped_goes_on(home: SiteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(home, WANTED, learn, interrupted)
    (folder,) = [path for path in (home.experts / "own").iterdir() if path.is_dir()]
    assert (folder / "checkpoint.safetensors").exists()
    done = small_expert(home)
    assert len(done.history) == 1
    assert not folder.exists()


def test_an_interrupted_checkpoint_that_is_damaged_is_told_in_a_line(home: SiteHome) -> None:
    with pytest.raises(KeyboardInterrupt):
        trained(home, WANTED, learn, _stop)
    (checkpoint,) = (home.experts / "own").glob("*/checkpoint.safetensors")
    checkpoint.write_bytes(checkpoint.read_bytes()[:-9])
    with pytest.raises(ConsiliumError, match=r"checkpoint.safetensors: is damaged; remove it and begin anew$"):
        small_expert(home)


def _stop(_: object) -> None:
    raise KeyboardInterrupt


def test_a_file_of_another_architecture_is_told_in_a_line(home: SiteHome) -> None:
    path = small_expert(home).path
    tensors, said = read_checkpoint(path)
    write_checkpoint(path, tensors, said | {"config": CONFIG | {"width": 4}})
    with pytest.raises(ConsiliumError, match="is of another architecture than it says; remove it and train again"):
        kept(home, "segmentation")


def test_the_file_of_another_task_is_told_in_a_line(home: SiteHome) -> None:
    path = small_expert(home).path
    tensors, said = read_checkpoint(path)
    write_checkpoint(path, tensors, said | {"task": "contour"})
    with pytest.raises(ConsiliumError, match=rf"{path.name}: holds an expert of contour of batch b0001, which belongs"):
        kept(home, "segmentation")
    with pytest.raises(ConsiliumError, match=r"which belongs elsewhere; remove it and train again$"):
        small_expert(home)


def test_a_network_that_cannot_be_built_names_the_section(home: SiteHome) -> None:
    with pytest.raises(ConsiliumError, match=r"take a multiple of 2; mend \[segmentation\] of config.toml"):
        small_expert(home, replace(WANTED, config=CONFIG | {"side": 17}))


def test_the_home_of_experts_is_its_own_folder(home: SiteHome) -> None:
    assert small_expert(home).path.parent == home.experts / "own"
    assert isinstance(small_expert(home).path, Path)
