"""The published parameter counts and costs, and what cannot be built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch.utils.flop_counter import FlopCounterMode

from shared_models.reconstruction.pix2vox import PRESETS, load_trunk, pix2vox
from shared_models.reconstruction.view_network import ViewNetwork
from shared_models.registry import create_model, state_form
from shared_models.timm_networks import timm_network
from tests.shared_models.reconstruction.tiny import on_meta, parameters, planes, tiny

WHOLE: dict[str, Any] = {"size": 32, "views": "A4C"}


@pytest.mark.parametrize(
    ("size", "encoder", "decoder", "merger", "refiner"),
    [
        (32, 5_577_014, 55_854_424, 17_877, 34_880_352),
        (64, 1_847_926, 9_216_504, 8_571, 34_943_920),
        (128, 6_298_678, 71_714_264, 8_571, 34_959_320),
    ],
)
def test_parameters_are_those_of_the_published_networks(
    size: int, encoder: int, decoder: int, merger: int, refiner: int
) -> None:
    fused, unfused = (on_meta(size, 9, fused=fused) for fused in (True, False))
    assert parameters(fused.encoder) + parameters(fused.fusing) == encoder
    assert parameters(unfused.encoder) == encoder - 246
    assert parameters(unfused.merger) == merger
    assert fused.merger is None
    assert unfused.fusing is None
    for network in (fused, unfused):
        assert parameters(network.decoder) == decoder
        assert parameters(network.refiner) == refiner


@pytest.mark.parametrize("views", [1, 2, 9])
def test_the_fusing_layer_has_27_weights_a_view_and_three(views: int) -> None:
    assert parameters(on_meta(64, views, fused=True).fusing) == 27 * views + 3


def _products(network: ViewNetwork) -> float:
    """Multiplications with additions of one heart, in thousands of millions."""
    with FlopCounterMode(display=False) as counted, torch.device("meta"):
        network(torch.rand(1, len(network.views), 224, 224))
    return counted.get_total_flops() / 2e9


@pytest.mark.parametrize(
    ("size", "views", "unfused", "fused"),
    [
        (32, 2, 13.6, 12.1),
        (32, 9, 56.7, 45.0),
        (64, 2, 12.6, 9.8),
        (64, 5, 27.4, 15.9),
        (64, 9, 47.1, 24.2),
        (128, 2, 66.7, 41.2),
        (128, 9, 278.2, 74.7),
    ],
)
def test_products_are_those_of_the_published_networks_less_the_idle_merger(
    size: int, views: int, unfused: float, fused: float
) -> None:
    merged = on_meta(size, views, fused=False)
    assert _products(merged) == pytest.approx(unfused, abs=0.051)
    merger = merged.merger
    assert merger is not None
    with FlopCounterMode(display=False) as counted, torch.device("meta"):
        merger(torch.rand(1, 9, size, size, size))
    idle = counted.get_total_flops() / 2e9
    assert _products(on_meta(size, views, fused=True)) == pytest.approx(fused - idle, abs=0.051)


def test_presets_are_smaller_and_smaller() -> None:
    counts = [parameters(on_meta(64, 9, fused=True, **options)) for options in PRESETS.values()]
    assert counts[0] == 46_008_350
    assert counts[0] - counts[1] == (2048 - 256) * (2 * 8192 + 1)
    assert counts[2] < 4_000_000


@pytest.mark.parametrize("fused", [True, False])
def test_the_registry_builds_it(fused: bool) -> None:
    config: dict[str, Any] = {
        "size": 32,
        "views": "A2C, A4C",
        "fused": fused,
        "trunk": "test_resnet",
        "shrink": 32,
        "bottleneck": 8,
    }
    network = create_model("pix2vox", **config)
    form = state_form("pix2vox", **config)
    assert {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()} == {
        name: shape for name, (_, shape) in form.items()
    }
    assert network.views == ("A4C", "A2C")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"size": 48}, "size 48; there are 32, 64, 128"),
        ({"size": 10**9}, r"size 1000000000; 32 to 128 are taken"),
        ({"views": ""}, "no view is given"),
        ({"views": "A4C,A4C"}, "view 'A4C' is given twice"),
        ({"views": "A4C,A9C"}, "there is no view 'A9C', there are RV inflow"),
        ({"trunk": "hf-hub:mine"}, "trunk hf-hub:mine; there are resnet50"),
        ({"shrink": 3}, "shrink 3; there are 1, 2"),
        ({"bottleneck": 10**9}, "1 to 2048 are taken"),
    ],
)
def test_what_cannot_be_built_is_told_in_one_line(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        pix2vox(**WHOLE | wrong)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", [{"size": 32.0}, {"size": True}, {"views": 3}, {"fused": 1}, {"trunk": None}])
def test_other_types_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        pix2vox(**WHOLE | wrong)


def test_initial_weights_are_kaimings_but_for_the_trunk() -> None:
    torch.manual_seed(0)
    network: Any = pix2vox(32, "A4C", trunk="test_resnet", shrink=32, bottleneck=64)
    layer = network.decoder.up[0]
    fan_in = layer.weight[0].numel()
    assert layer.weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.05)
    dense = network.refiner.bottleneck[1]
    assert dense.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert dense.bias.abs().max() == 0
    torch.manual_seed(0)
    alone = timm_network("test_resnet", 0, features_only=True, out_indices=(2,))
    for name, tensor in alone.state_dict().items():
        assert torch.equal(network.encoder.trunk.state_dict()[name], tensor)


def test_weights_of_the_trunk_come_from_a_local_file(tmp_path: Path) -> None:
    network = tiny()
    whole = timm_network("test_resnet", 10)
    save_file(whole.state_dict(), tmp_path / "trunk.safetensors")
    load_trunk(network, tmp_path / "trunk.safetensors")
    for name, tensor in network.encoder.trunk.state_dict().items():
        assert torch.equal(tensor, whole.state_dict()[name])


@pytest.mark.parametrize(("change", "words"), [("left out", "'conv1.0.weight' is missing"), ("cut", r"is \(1,")])
def test_weights_that_do_not_fit_the_trunk(tmp_path: Path, change: str, words: str) -> None:
    state = timm_network("test_resnet", 10).state_dict()
    first = state.pop("conv1.0.weight")
    if change == "cut":
        state["conv1.0.weight"] = first[:1].clone()
    save_file(state, tmp_path / "trunk.safetensors")
    with pytest.raises(ValueError, match=words):
        load_trunk(tiny(), tmp_path / "trunk.safetensors")


def test_golden_numbers() -> None:
    """Of seed 0, so that nobody changes a layer unawares."""
    with torch.no_grad():
        found = {fused: tiny(fused=fused)(planes(1, 2)) for fused in (True, False)}
    means = [getattr(found[fused], part).mean().item() for fused in (True, False) for part in ("coarse", "refined")]
    assert means == pytest.approx([0.54784, 0.53485, 0.39423, 0.46494], abs=1e-4)
