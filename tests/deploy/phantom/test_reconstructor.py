"""A network of phantom hearts: written once, read back, gone on with where it was stopped, refused in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from deploy.phantom import reconstructor
from deploy.phantom.reconstructor import ReconstructorOrder, check_order, order_named, train_reconstructor
from federated.errors import ConsiliumError
from site_agent.reconstruction.network_file import read_network

ORDER = ReconstructorOrder(patients=4, epochs=2, seed=6)


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(reconstructor, "NETWORK", {"trunk": "test_resnet", "shrink": 32, "bottleneck": 8})


def _weights(path: Path) -> dict[str, torch.Tensor]:
    return read_network(path).network.state_dict()


def test_stopped_after_an_epoch_it_ends_in_the_same_bytes(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole.safetensors", tmp_path / "broken.safetensors"
    lines: list[str] = []
    found = train_reconstructor(whole, ORDER, lines.append)
    assert 0 <= found <= 1
    assert [line.split(":")[0] for line in lines] == ["epoch 1 of 2", "epoch 2 of 2"]

    def stop(line: str) -> None:
        raise KeyboardInterrupt(line)

    with pytest.raises(KeyboardInterrupt):
        train_reconstructor(broken, ORDER, stop)
    assert not broken.exists()
    train_reconstructor(broken, ORDER)
    assert whole.read_bytes() == broken.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.safetensors", "whole.safetensors"]
    card = read_network(whole).card
    assert (card.target, card.network["views"], card.hearts) == ("walls", "A4C,A2C", 6)  # of four patients one is asked
    assert 110 < card.cube_mm < 200


def test_some_hearts_lack_a_view_and_which_follows_from_the_seed() -> None:
    from shared_models.reconstruction.shape_examples import ShapePlan, shape_example, shape_patient

    one = shape_example(shape_patient(1), "ED", ShapePlan(32, ("A4C", "A2C")))
    views = [reconstructor._lacking(one, 1, number).views for number in range(60)]
    assert views == [reconstructor._lacking(one, 1, number).views for number in range(60)]
    assert {*views} == {("A4C", "A2C"), ("A4C",), ("A2C",)}
    assert 5 < sum(len(each) == 1 for each in views) < 35
    lacking = reconstructor._lacking(one, 1, [len(each) for each in views].index(1))
    np.testing.assert_array_equal(lacking.planes[0], one.planes[one.views.index(lacking.views[0])])


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("heart.pt", {}, r"does not end in \.safetensors"),
        ("none/heart.safetensors", {}, "there is no such folder"),
        ("heart.safetensors", {"size": 48}, "--size: 48 is none of 32, 64, 128"),
        ("heart.safetensors", {"patients": 1}, "--patients: 1 is not from 4"),
        ("heart.safetensors", {"epochs": 0}, "--epochs: 0 is not from 1"),
        ("heart.safetensors", {"seed": -1}, "--seed: -1 is negative"),
    ],
)
def test_what_cannot_be_done_is_one_line(tmp_path: Path, name: str, change: dict[str, int], told: str) -> None:
    words = {"size": 32, "patients": 4, "epochs": 1, "seed": 1} | change
    with pytest.raises(ConsiliumError, match=told):
        check_order(tmp_path / name, order_named("A4C,A2C", "walls", **words))


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "heart.safetensors"
    path.write_bytes(b"mine")
    with pytest.raises(ConsiliumError, match="is there already"):
        train_reconstructor(path, ORDER)
    assert path.read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("views", "target", "told"),
    [
        ("A4C,4ch", "walls", "--views: view 'A4C' is given twice"),
        ("A9C", "walls", "--views: there is no view 'A9C'"),
        ("", "walls", "--views: no view is given"),
        ("A4C", "aorta", "--target: there is no 'aorta'; known are walls"),
    ],
)
def test_words_that_mean_nothing_are_one_line(views: str, target: str, told: str) -> None:
    with pytest.raises(ConsiliumError) as error:
        order_named(views, target, size=32, patients=4, epochs=1, seed=1)
    assert str(error.value).startswith(told)


def test_views_come_in_the_order_of_their_channels() -> None:
    assert order_named("a2c, 4ch,PLAX", "walls", size=32, patients=4, epochs=1, seed=1).views == ("PLAX", "A4C", "A2C")
