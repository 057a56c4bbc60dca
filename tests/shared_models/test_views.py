from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from federated.contract import pack_tensors
from shared_models.expert_architectures import FEATURE
from shared_models.registry import create_model
from shared_models.views import (
    LOOKED_AT_ONCE,
    ExpertNetwork,
    expert_digest,
    frozen_expert,
    grey_levels,
    load_state,
    scaled,
    sizes_of,
)

ARCHITECTURE = "small_resnet18"
CONFIG: dict[str, Any] = {"classes": 3, "side": 8, "width": 4}
GREY = (0.4, 0.3)
GOLDEN = "sha256:a2cc49775ca53d3a03a56f71f593925d9e6abcbbe46c57046ede867c97eb3660"


def images(count: int, side: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side), dtype=np.uint8)


def frozen(seed: int = 0, **config: Any) -> ExpertNetwork:
    expert = ExpertNetwork(ARCHITECTURE, CONFIG | config, seed)
    expert.freeze(expert.look(images(9), *GREY).means.mean(axis=0))
    return expert


def test_the_shapes_of_what_is_seen() -> None:
    looked = frozen().look(images(5), *GREY)
    assert (looked.features.shape, looked.logits.shape, looked.means.shape) == ((5, 32), (5, 3), (5, 244))
    assert {looked.features.dtype, looked.logits.dtype, looked.means.dtype} == {np.dtype(np.float32)}


def test_logits_are_the_classifiers_of_the_features() -> None:
    expert = frozen()
    looked, state = expert.look(images(5), *GREY), expert.state()
    assert np.allclose(looked.logits, looked.features @ state["fc.weight"].T + state["fc.bias"], atol=1e-5)


def test_the_network_says_the_same_alone() -> None:
    expert = frozen()
    shown = torch.from_numpy((images(5)[:, None] / 255 - GREY[0]) / GREY[1]).float()
    assert np.allclose(expert.look(images(5), *GREY).logits, expert.network(shown).numpy(), atol=1e-5)


def test_the_first_neural_mean_is_linear_in_the_image() -> None:
    """The stem's mean over an even image's inside is the weights' sum times the grey level."""
    expert = ExpertNetwork(ARCHITECTURE, CONFIG | {"side": 512})
    even = np.full((1, 512, 512), 255, np.uint8)
    first = expert.look(even, 0.0, 1.0).means[0, :4]
    assert np.allclose(first, expert.state()["conv1.weight"].sum(axis=(1, 2, 3)), atol=0.02)


def test_batches_change_nothing() -> None:
    expert, shown = frozen(), images(LOOKED_AT_ONCE + 3)
    whole = expert.look(shown, *GREY)
    for index in (0, LOOKED_AT_ONCE - 1, LOOKED_AT_ONCE, LOOKED_AT_ONCE + 2):
        alone = expert.look(shown[index : index + 1], *GREY)
        assert np.allclose(alone.means[0], whole.means[index], atol=1e-5)
        assert np.allclose(alone.logits[0], whole.logits[index], atol=1e-5)


def test_it_answers_the_same_every_time() -> None:
    expert = frozen()
    one, other = (expert.look(images(4), *GREY) for _ in range(2))
    assert np.array_equal(one.means, other.means)
    assert np.array_equal(one.logits, other.logits)


def test_nobody_asked_nothing_seen() -> None:
    looked = frozen().look(images(0), *GREY)
    assert (looked.features.shape, looked.logits.shape, looked.means.shape) == ((0, 32), (0, 3), (0, 244))


def test_images_are_normalised_by_their_own_site() -> None:
    expert = ExpertNetwork(ARCHITECTURE, CONFIG)
    given = expert.given(images(3), 0.2, 0.5)
    assert np.allclose(given[:, 0].numpy(), (images(3) / 255 - 0.2) / 0.5, atol=1e-6)
    levels = np.array([0.1, 0.2, 0.3])
    each = expert.given(images(3), levels, levels)
    assert np.allclose(each[2].numpy(), expert.given(images(3)[2:], 0.3, 0.3)[0].numpy())


def test_a_sites_grey_levels_make_its_images_standard() -> None:
    shown = ExpertNetwork(ARCHITECTURE, CONFIG).given(images(30), *grey_levels(images(30)))
    assert float(shown.mean()) == pytest.approx(0, abs=1e-5)
    assert float(shown.std(correction=0)) == pytest.approx(1, abs=1e-5)


def test_images_of_another_size_are_scaled() -> None:
    expert = frozen()
    large = images(3, 20)
    assert np.array_equal(expert.look(large, *GREY).logits, expert.look(scaled(large, 8), *GREY).logits)


def test_the_same_seed_shows_every_expert_the_same_copies() -> None:
    one, other = frozen(0), frozen(1)
    shown = [
        expert.given(images(4), *GREY, augmentation=torch.Generator().manual_seed(5)).numpy() for expert in (one, other)
    ]
    assert np.array_equal(shown[0], shown[1])
    copies = [one.look(images(40), *GREY, augmentation_seed=seed).features for seed in (5, 5, 6)]
    assert np.array_equal(copies[0], copies[1])
    assert not np.allclose(copies[0], copies[2])
    assert not np.allclose(copies[0], one.look(images(40), *GREY).features)


@pytest.mark.parametrize("wrong", [np.zeros((2, 8, 8)), np.zeros((8, 8), np.uint8)])
def test_what_is_no_image_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"\(n, H, W\) uint8 images are expected"):
        frozen().look(wrong, *GREY)


def test_a_site_that_is_all_black_is_refused() -> None:
    with pytest.raises(ValueError, match="grey levels do not vary"):
        frozen().look(images(1), 0.0, 0.0)


def test_the_mean_discrepancy_over_own_images_is_none() -> None:
    expert, own = ExpertNetwork(ARCHITECTURE, CONFIG), images(40)
    looked = expert.look(own, *GREY)
    expert.freeze(looked.means.mean(axis=0))
    discrepancy = expert.discrepancy(looked)
    assert discrepancy is not None
    assert np.abs(discrepancy.mean(axis=0)).max() < 1e-5
    assert np.abs(discrepancy).mean() > 0.01  # though single images are off
    foreign = expert.discrepancy(expert.look(own // 8, *GREY))
    assert foreign is not None
    assert np.abs(foreign.mean(axis=0)).max() > 0.1


def test_a_network_of_timm_looks_through_the_same_door() -> None:
    config: dict[str, Any] = {"architecture": "test_resnet", "classes": 2, "side": 32, "channels": 3}
    expert = ExpertNetwork("timm", config)
    looked = expert.look(images(3, 20), *GREY)
    assert looked.features.shape == (3, expert.features)
    assert looked.means.shape == (3, expert.means)
    shown = expert.given(images(3, 20), *GREY)
    assert torch.equal(shown[:, 0], shown[:, 2])


def test_a_network_without_neural_means_has_no_discrepancy() -> None:
    expert = ExpertNetwork("timm", {"architecture": "test_convnext", "classes": 2, "side": 32, "channels": 1})
    looked = expert.look(images(3), *GREY)
    assert (expert.means, looked.means.shape) == (0, (3, 0))
    assert expert.discrepancy(looked) is None
    assert expert.batch_norm_means().shape == (0,)
    expert.freeze(np.zeros(0, np.float32))
    assert frozen_expert("timm", expert.config, expert.state()).digest == expert.digest


def test_a_frozen_expert_comes_back_from_its_state_alone() -> None:
    expert = frozen(seed=3)
    again = frozen_expert(ARCHITECTURE, CONFIG, expert.state(), expert.digest)
    one, other = (known.look(images(4), *GREY) for known in (expert, again))
    assert np.array_equal(one.logits, other.logits)
    assert np.array_equal(np.asarray(expert.discrepancy(one)), np.asarray(again.discrepancy(other)))
    assert again.digest == expert.digest


def test_the_digest_is_of_every_bit_and_of_the_configuration() -> None:
    expert = frozen()
    state = expert.state()
    digests = {expert.digest, expert_digest("timm", CONFIG, state)}
    digests.add(expert_digest(ARCHITECTURE, CONFIG | {"side": 9}, state))
    for name in ("fc.bias", "bn1.running_mean", "bn1.num_batches_tracked", FEATURE):
        changed = expert.state()
        changed[name].reshape(-1).view(np.uint8)[0] ^= 1
        digests.add(expert_digest(ARCHITECTURE, CONFIG, changed))
    digests.add(expert_digest(ARCHITECTURE, CONFIG, state | {FEATURE: state[FEATURE].reshape(2, -1)}))
    assert len(digests) == 8
    assert expert_digest(ARCHITECTURE, dict(reversed(CONFIG.items())), dict(reversed(state.items()))) == expert.digest


def test_the_digest_is_golden() -> None:
    state = {"b": np.arange(3, dtype=np.float32), "a": np.array(7)}
    assert expert_digest("linear_head", {"features": 2, "labels": 3}, state) == GOLDEN


def test_a_pinned_digest_that_differs_is_refused() -> None:
    expert = frozen()
    state = expert.state()
    state["fc.bias"] += 1
    with pytest.raises(ValueError, match=f"the expert is sha256:.*, not {expert.digest}"):
        frozen_expert(ARCHITECTURE, CONFIG, state, expert.digest)


def test_a_frozen_expert_learns_no_more() -> None:
    expert = frozen()
    before = expert.state()
    with pytest.raises(ValueError, match="learns no more"):
        expert.network.train()
    with pytest.raises(ValueError, match="is frozen"):
        expert.freeze(np.zeros(244, np.float32))
    expert.network.eval()(torch.rand(4, 1, 8, 8))
    assert not any(parameter.requires_grad for parameter in expert.network.parameters())
    assert all(np.array_equal(before[name], array) for name, array in expert.state().items())


def test_a_feature_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(3,\), \(244,\) expected"):
        ExpertNetwork(ARCHITECTURE, CONFIG).freeze(np.zeros(3, np.float32))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fc.bias": np.zeros(2, np.float32)}, r"tensor fc.bias is float32\(2,\), the network has float32\(3,\)"),
        ({"fc.bias": np.zeros(3)}, "tensor fc.bias is float64"),
        ({"more": np.zeros(1)}, "tensor more is .* the network has None"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_whole(change: dict[str, np.ndarray], said: str) -> None:
    expert = ExpertNetwork(ARCHITECTURE, CONFIG)
    before = expert.state()
    with pytest.raises(ValueError, match=said):
        load_state(expert.network, frozen(seed=4).state() | change)
    assert all(np.array_equal(before[name], array) for name, array in expert.state().items())


def test_a_state_that_lacks_something_is_refused() -> None:
    state = frozen().state()
    del state[FEATURE]
    with pytest.raises(ValueError, match=f"tensor {FEATURE} is None"):
        frozen_expert(ARCHITECTURE, CONFIG, state)


def test_the_seed_makes_the_weights_and_nothing_else_is_touched() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    states = [ExpertNetwork(ARCHITECTURE, CONFIG, seed).state() for seed in (1, 1, 2)]
    assert torch.equal(torch.rand(1), expected)
    assert np.array_equal(states[0]["conv1.weight"], states[1]["conv1.weight"])
    assert not np.array_equal(states[0]["conv1.weight"], states[2]["conv1.weight"])


def test_one_class_is_degenerate() -> None:
    assert frozen(classes=1).degenerate
    assert not frozen(classes=2).degenerate


def test_a_state_is_a_snapshot() -> None:
    expert = ExpertNetwork(ARCHITECTURE, CONFIG)
    state = expert.state()
    state["fc.bias"] += 1
    assert not np.array_equal(state["fc.bias"], expert.state()["fc.bias"])


def test_a_state_passes_as_a_parcels_tensors() -> None:
    """Types and shapes as the receiver reads them off the network, which it builds without memory."""
    _, specs, _ = pack_tensors(frozen().state())
    with torch.device("meta"):
        expected = create_model(ARCHITECTURE, **CONFIG).state_dict()
    names = {torch.float32: "F32", torch.int64: "I64"}
    assert {name: (spec.dtype, spec.shape) for name, spec in specs.items()} == {
        name: (names[tensor.dtype], tuple(tensor.shape)) for name, tensor in expected.items()
    }


def test_sizes_are_known_before_anything_is_built() -> None:
    sizes, looked = sizes_of(ARCHITECTURE, CONFIG), frozen().look(images(2), *GREY)
    assert (sizes.features, sizes.logits, sizes.means) == tuple(
        part.shape[1] for part in (looked.features, looked.logits, looked.means)
    )
    with pytest.raises(ValueError, match="1000000000"):
        sizes_of(ARCHITECTURE, CONFIG | {"width": 10**9})
