"""The gated fusion: the paper's counts, its limits, contributions that add up, and what it does without an expert."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.errors import ContractError
from federated.fusion.experts import Consulted
from federated.fusion.gated import GatedModel, GatedShape, Reads

LABELS = (("a", "b", "c"), ("b", "d"), ("e",))
NAMES = ("amber", "beryl", "coral")
GLOBAL = [f"view-{number}" for number in range(15)]
PAPER = (tuple(GLOBAL[4:12]), ("view-4", "view-6"), tuple(GLOBAL[4:]), tuple(GLOBAL[:4]))
FOUR = ("wase", "camus", "mstr", "stg")


def _shape(reads: Reads = "features") -> GatedShape:
    return GatedShape(NAMES, LABELS, reads, features=4, means=5 if reads == "discrepancy" else 0)


def _model(shape: GatedShape, seed: int = 0) -> GatedModel:
    rng = np.random.default_rng(seed)
    return GatedModel(shape, {name: 0.5 * rng.standard_normal(size) for name, size in shape.tensors.items()})


def _consulted(shape: GatedShape, images: int = 6, seed: int = 1, *, asked: bool = True) -> Consulted:
    rng = np.random.default_rng(seed)
    count = len(shape.names)
    features = rng.standard_normal((images, count, shape.features))
    logits = tuple(3 * rng.standard_normal((images, len(held))) for held in shape.labels)
    discrepancy = rng.standard_normal((images, count, shape.means)) if shape.means else None
    flags = rng.random((images, count)) < 0.6
    flags[np.arange(images), rng.integers(0, count, images)] = True
    return Consulted(shape.names, shape.labels, features, logits, discrepancy, None if asked else flags)


@pytest.mark.parametrize(
    ("reads", "means", "learnt", "uploaded"),
    [("none", 0, 38_475, 2_073), ("features", 0, 170_719, 2_073), ("discrepancy", 3904, 1_039_071, 17_689)],
)
def test_the_papers_counts(reads: Reads, means: int, learnt: int, uploaded: int) -> None:
    shape = GatedShape(FOUR, PAPER, reads, features=512, means=means)
    assert shape.parameters == learnt
    assert shape.floats_an_image == uploaded
    assert shape.stacked == 25
    assert len(GatedModel(shape, {}).labels) == 15


def test_one_map_an_expert_holds_its_cross_heads() -> None:
    model = _model(_shape())
    weight, bias = model.cross_head(1, 0)
    assert weight.shape == (4, 2)
    assert np.array_equal(weight, model.state["heads.0.weight"][:2].T)
    assert np.array_equal(bias, model.state["heads.0.bias"][:2])
    assert np.array_equal(model.cross_head(2, 1)[0], model.state["heads.1.weight"][3:].T)


@pytest.mark.parametrize("reads", ["features", "discrepancy", "none"])
def test_answers_are_the_papers_steps_one_image_at_a_time(reads: Reads) -> None:
    shape = _shape(reads)
    model, consulted = _model(shape), _consulted(shape)
    pooled = model.answer(consulted)
    for image in range(consulted.images):
        weights = _gate_by_hand(model, consulted, image)
        assert pooled.weights[image] == pytest.approx(weights)
        for column, label in enumerate(pooled.labels):
            said = [
                sum(weights[k] * _u(model, consulted, image, j, k)[held.index(label)] for k in range(3))
                for j, held in enumerate(LABELS)
                if label in held
            ]
            assert pooled.scores[image, column] == pytest.approx(max(said))


def _u(model: GatedModel, consulted: Consulted, image: int, j: int, k: int) -> np.ndarray:
    if j == k:
        return consulted.logits[k][image]
    weight, bias = model.cross_head(j, k)
    return consulted.features[image, k] @ weight + bias


def _gate_by_hand(model: GatedModel, consulted: Consulted, image: int) -> np.ndarray:
    if model.shape.reads == "none":
        return np.ones(3)
    read = consulted.features if model.shape.reads == "features" else consulted.discrepancy
    assert read is not None
    values = np.concatenate(list(read[image]))
    for layer in range(3):
        values = model.state[f"gate.{layer}.weight"] @ (values if layer == 0 else np.maximum(values, 0))
        values = values + model.state[f"gate.{layer}.bias"]
    return np.exp(values) / np.exp(values).sum()


def test_a_gate_of_one_expert_alone_is_its_own_logits_after_the_pooler() -> None:
    shape = _shape()
    for expert, held in enumerate(LABELS):
        state = {name: np.zeros(size) for name, size in shape.tensors.items()}
        state["gate.2.bias"][expert] = 1e3
        state[f"heads.{expert}.bias"][:] = -1e6
        consulted = _consulted(shape)
        pooled = GatedModel(shape, state).answer(consulted)
        columns = [pooled.labels.index(label) for label in held]
        assert pooled.weights == pytest.approx(np.tile(np.eye(3)[expert], (6, 1)))
        assert np.array_equal(pooled.scores[:, columns], consulted.logits[expert])
        assert np.array_equal(pooled.contributions[:, expert, columns], consulted.logits[expert])


def test_a_single_expert_is_itself() -> None:
    shape = GatedShape(("amber",), (("a", "b"),), "features", features=4)
    consulted = _consulted(shape)
    assert "heads.0.weight" not in shape.tensors
    assert np.array_equal(_model(shape).answer(consulted).scores, consulted.logits[0])


@given(seed=st.integers(0, 2**16), reads=st.sampled_from(["features", "discrepancy", "none"]))
def test_contributions_add_up_and_unasked_experts_have_none(seed: int, reads: Reads) -> None:
    shape = _shape(reads)
    consulted = _consulted(shape, seed=seed, asked=False)
    pooled = _model(shape, seed).answer(consulted)
    assert np.abs(pooled.contributions.sum(axis=1) - pooled.scores).max() < 1e-9
    assert np.array_equal(pooled.present, consulted.present)
    assert not pooled.weights[~consulted.present].any()
    assert not pooled.contributions[~consulted.present].any()
    if reads != "none":
        assert pooled.weights.sum(axis=1) == pytest.approx(np.ones(6))


def test_what_stands_in_the_place_of_an_unasked_expert_is_not_read() -> None:
    shape = _shape("discrepancy")
    consulted = _consulted(shape, asked=False)
    gone = ~consulted.present
    assert gone.any()
    assert consulted.discrepancy is not None
    features, discrepancy = consulted.features.copy(), consulted.discrepancy.copy()
    features[gone], discrepancy[gone] = np.nan, np.inf
    logits = tuple(np.where(gone[:, [k]], np.nan, own) for k, own in enumerate(consulted.logits))
    spoilt = Consulted(NAMES, LABELS, features, logits, discrepancy, consulted.asked)
    one, other = _model(shape).answer(consulted), _model(shape).answer(spoilt)
    assert np.array_equal(one.scores, other.scores)
    assert np.array_equal(one.weights, other.weights)


def test_labels_of_an_unasked_expert_are_answered_by_what_others_learnt_of_them() -> None:
    shape = _shape()
    consulted = _consulted(shape)
    flags = np.array([[True, True, False]] * 6)
    without = Consulted(NAMES, LABELS, consulted.features, consulted.logits, asked=flags)
    pooled = _model(shape).answer(without)
    weights, stacks = _model(shape).weights(without), _model(shape).stacks(without)
    assert pooled.scores[:, pooled.labels.index("e")] == pytest.approx((weights[:, :2] * stacks[:, :2, -1]).sum(axis=1))


def test_many_images_are_answered_as_each_alone() -> None:
    shape = _shape("discrepancy")
    consulted = _consulted(shape, images=2500)
    model = _model(shape)
    whole, last = model.answer(consulted), model.answer(consulted.rows(np.array([2499])))
    assert whole.scores.shape == (2500, 5)
    assert whole.scores[-1] == pytest.approx(last.scores[0], abs=1e-12)
    assert model.answer(consulted.rows(slice(0, 0))).scores.shape == (0, 5)


def test_tensors_come_back_as_they_went() -> None:
    model = _model(_shape())
    again = GatedModel.from_tensors(model.shape, model.to_tensors())
    assert np.array_equal(again.answer(_consulted(model.shape)).scores, model.answer(_consulted(model.shape)).scores)


def test_tensors_that_do_not_fit_are_refused() -> None:
    good = _model(_shape())
    for name, value, told in (
        ("gate.3.weight", np.zeros(1), "gate.3.weight: other tensors"),
        ("gate.0.bias", np.zeros(63), r"gate.0.bias: is float64\(63,\)"),
        ("gate.0.bias", np.zeros(64, dtype=np.int64), r"gate.0.bias: is int64\(64,\)"),
        ("heads.0.bias", np.full(3, np.nan), "heads.0.bias: holds a number that is not finite"),
    ):
        with pytest.raises(ContractError, match=told):
            GatedModel.from_tensors(good.shape, good.to_tensors() | {name: value})


def test_shapes_that_cannot_be_are_refused() -> None:
    many = tuple(f"site-{number}" for number in range(65))
    with pytest.raises(ContractError, match="65 experts"):
        GatedShape(many, (("a",),) * 65, "none", features=1)
    with pytest.raises(ContractError, match="neural means"):
        GatedShape(("amber",), (("a",),), "discrepancy", features=1)
    with pytest.raises(ContractError, match="neural means"):
        GatedShape(("amber",), (("a",),), "features", features=1, means=3)


def test_other_experts_than_the_models_are_refused() -> None:
    model = _model(_shape("discrepancy"))
    consulted = _consulted(model.shape)
    renamed = Consulted(("amber", "beryl", "onyx"), LABELS, consulted.features, consulted.logits, consulted.discrepancy)
    with pytest.raises(ContractError, match="amber, beryl, onyx: are not the experts"):
        model.answer(renamed)
    with pytest.raises(ContractError, match="discrepancy: 0 neural means"):
        model.weights(Consulted(NAMES, LABELS, consulted.features, consulted.logits))
    with pytest.raises(ContractError, match="features: are 2, not 4"):
        model.stacks(Consulted(NAMES, LABELS, consulted.features[..., :2], consulted.logits, consulted.discrepancy))


def test_golden_numbers() -> None:
    shape = _shape("discrepancy")
    model = GatedModel(shape, {name: 0.3 * values for name, values in _model(shape, 7).state.items()})
    pooled = model.answer(_consulted(shape, images=2, seed=8))
    scores = np.array(
        [
            [-0.3073406369, -0.0725441796, -0.3407388915, -3.4351236018, -0.2660897058],
            [0.0655602761, -0.1608517227, 1.6683711267, 1.5170989793, 1.3697082002],
        ]
    )
    assert pooled.scores == pytest.approx(scores, abs=1e-9)
    assert pooled.weights == pytest.approx(
        np.array([[0.258412823, 0.5079078664, 0.2336793106], [0.3175673882, 0.3902396081, 0.2921930037]]), abs=1e-9
    )
    assert pooled.contributions[0, :, 1] == pytest.approx(
        np.array([-0.1858617556, 0.1100118094, 0.0033057666]), abs=1e-9
    )
