"""The network of reconstruction with its reference: features, and statistics of a site's own."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from shared_models.batch_norm_rounds import is_statistic
from shared_models.image_reference import COUNTS, MEAN
from shared_models.reconstruction.pix2vox import DESIGNS, PRESETS
from shared_models.reconstruction.reconstruction_training import reconstructed
from shared_models.reconstruction.view_network import ViewNetwork
from shared_models.reconstruction_expert import rebuilt, reconstruction_expert, with_own_statistics
from shared_models.registry import state_form

VIEWS = ("A4C", "A2C")
TINY: dict[str, Any] = {"size": 32, "views": "A4C,A2C", "trunk": "test_resnet", "shrink": 32, "bottleneck": 8}


@dataclass(frozen=True)
class Seen:
    """Pictures of a heart."""

    views: tuple[str, ...]
    planes: np.ndarray


def _seen(seed: int, views: tuple[str, ...] = VIEWS) -> Seen:
    return Seen(views, np.random.default_rng(seed).random((len(views), 224, 224), dtype=np.float32))


@pytest.fixture(scope="module")
def network() -> ViewNetwork:
    torch.manual_seed(0)
    return reconstruction_expert(**TINY).eval()


def test_it_is_pix2vox_with_an_empty_reference(network: ViewNetwork) -> None:
    state = network.state_dict()
    assert state[MEAN].shape == (8,)
    assert state[COUNTS].sum() == 0
    with pytest.raises(ValueError, match="batch norms are re-estimated or averaged, not 'frozen'"):
        reconstruction_expert(**TINY, batch_norm="frozen")


def test_features_are_means_over_places_and_over_views_that_are_there(network: ViewNetwork) -> None:
    both, other, alone = _seen(1), _seen(2), Seen(("A2C",), _seen(1).planes[1:])
    found = rebuilt(network, [both, alone, other])
    np.testing.assert_array_equal(found.probabilities, reconstructed(network, [both, alone, other]))
    with torch.no_grad():
        maps = network.encoder(torch.from_numpy(both.planes)).mean(dim=(2, 3)).numpy()
    np.testing.assert_allclose(found.features[0], maps.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(found.features[1], maps[1], atol=1e-5)
    assert found.features.shape == (3, 8)
    assert not network.encoder._forward_hooks


def test_the_page_tells_the_bytes_of_a_round() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/methods/reconstruction.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (32|64|128) \| (\w+) \| (\d+) \| (\d+) \|$", page, re.MULTILINE)
    assert {(size, preset) for size, preset, _, _ in rows} == {
        (str(size), name) for size in DESIGNS for name in PRESETS
    }
    for size, preset, total, still in rows:
        form = state_form("pix2vox", size=int(size), views="A4C,A2C", **PRESETS[preset])
        found = {name: np.dtype(kind).itemsize * math.prod(shape) for name, (kind, shape) in form.items()}
        assert sum(found.values()) == int(total)
        assert sum(count for name, count in found.items() if is_statistic(name)) == int(still)


def test_of_no_heart_there_is_nothing(network: ViewNetwork) -> None:
    found = rebuilt(network, [])
    assert (found.probabilities.shape, found.features.shape) == ((0, 32, 32, 32), (0, 8))


def test_own_statistics_are_those_of_what_training_would_see() -> None:
    torch.manual_seed(1)
    network = reconstruction_expert(**TINY).eval()
    hearts = [_seen(seed) for seed in range(3)]
    before = {name: weights.detach().clone() for name, weights in network.named_parameters()}
    told: list[int] = []
    assert with_own_statistics(network, hearts, told.append) is network
    assert told == [3]
    assert all(torch.equal(weights, before[name]) for name, weights in network.named_parameters())
    planes = torch.from_numpy(np.stack([heart.planes for heart in hearts]))
    alone = reconstruction_expert(**TINY)
    alone.load_state_dict(network.state_dict())
    for module in alone.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.track_running_stats, module.running_mean, module.running_var = False, None, None
    with torch.no_grad():
        of_batch, of_statistics = alone.eval()(planes).refined, network(planes).refined
    assert (of_batch - of_statistics).abs().max() < 0.02, "but for the unbiased variance"
    fusing = cast(Any, network.fusing)[1]
    assert fusing.running_mean.shape == (1,), "one channel, through which all of a heart goes"
    assert fusing.running_mean.item() != 0


def test_hearts_may_lack_views_and_must_be_there() -> None:
    network = reconstruction_expert(**TINY)
    with_own_statistics(network, [_seen(1), Seen(("A2C",), _seen(2).planes[1:])])
    with pytest.raises(ValueError, match="there is nothing to take"):
        with_own_statistics(network, [])
