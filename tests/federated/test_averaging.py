from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from federated.averaging import MAX_VALUE, MAX_WHOLE, check_average, check_update, check_values, recompute_average
from federated.contract import Tensors, TensorSpec, unpack_tensors
from federated.errors import ContractError
from federated.manifest import manifest_digest

MakeSample = Callable[..., tuple[Any, bytes]]
OTHER = "sha256:" + "b" * 64
STATE: Tensors = {"weight": np.ones((2, 3), np.float32), "bias": np.ones(2, np.float32)}
SPECS = {"weight": TensorSpec(dtype="F32", shape=(2, 3)), "bias": TensorSpec(dtype="F32", shape=(2,))}


def _check(make_sample: MakeSample, tensors: Tensors | None = None, **changes: Any) -> None:
    """Holds an update against the sample average, which it answers unless something is changed."""
    average, _ = make_sample("average")
    name = manifest_digest(average)
    update, data = make_sample("update", tensors, **({"average": name} | changes))
    check_update(update, unpack_tensors(data, update), name, average)


def test_an_update_that_answers_the_average_is_sound(make_sample: MakeSample) -> None:
    _check(make_sample)
    assert make_sample("update")[0].examples == 21


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"average": OTHER}, "answers another global model than this round's; answer the newest"),
        ({"round": 2}, "is round 2 of run 1 with 'linear_head', wanted is round 3"),
        ({"run": 2}, "is round 3 of run 2"),
        ({"model": "small_resnet18"}, "with 'small_resnet18', wanted"),
        ({"labels": ("a4c", "psax")}, "'psax' is not among the labels of the run"),
        ({"images": {"a4c": 0, "plax": 0}}, "was trained on no image"),
        ({"images": {"a4c": 10**9, "plax": 1}}, "1000000001 images, at most 1000000000 are believed"),
    ],
)
def test_an_update_of_anything_else_is_refused(changes: dict[str, Any], reason: str, make_sample: MakeSample) -> None:
    with pytest.raises(ContractError, match=reason):
        _check(make_sample, **changes)


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ({"weight": STATE["weight"]}, r"tensor bias: is not there, the global model has F32\(2,\)"),
        (STATE | {"more": STATE["bias"]}, "tensor more: is F32.*, the global model has not there"),
        (STATE | {"bias": np.ones(3, np.float32)}, r"tensor bias: is F32\(3,\)"),
        (STATE | {"bias": np.ones(2)}, r"tensor bias: is F64\(2,\)"),
        (STATE | {"bias": np.array([1, np.nan], np.float32)}, "tensor bias: holds NaN or infinity"),
        (STATE | {"bias": np.array([1, -np.inf], np.float32)}, "tensor bias: holds NaN or infinity"),
        (STATE | {"bias": np.array([1, -1e30], np.float32)}, "tensor bias: holds numbers above 1e.06"),
    ],
)
def test_a_state_of_anything_but_the_network_is_refused(tensors: Tensors, reason: str, make_sample: MakeSample) -> None:
    with pytest.raises(ContractError, match=reason):
        _check(make_sample, tensors)


def test_an_average_is_held_against_the_network_it_names(make_sample: MakeSample) -> None:
    average, data = make_sample("average")
    check_average(average, unpack_tensors(data, average), SPECS)
    with pytest.raises(ContractError, match=r"tensor bias: is F32.*, a .linear_head. has F32"):
        check_average(average, STATE, SPECS | {"bias": TensorSpec(dtype="F32", shape=(5,))})
    with pytest.raises(ContractError, match="NaN"):
        check_average(average, STATE | {"bias": np.full(2, np.nan, np.float32)}, SPECS)


def test_numbers_may_be_as_large_as_the_limit() -> None:
    check_values({"x": np.array([MAX_VALUE, -MAX_VALUE]), "count": np.array(MAX_WHOLE), "none": np.zeros(0)})
    for wild in (np.iinfo(np.int64).min, MAX_WHOLE + 1):
        with pytest.raises(ContractError, match="tensor count: holds numbers above"):
            check_values({"count": np.array(wild)})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"round": 5}, "more rounds behind it than its plan has"),
        ({"round": 0}, "the first average, and no other, has nothing before it"),
        ({"previous": None}, "the first average, and no other, has nothing before it"),
        ({"updates": ()}, "the first average, and no other, has nothing before it"),
        ({"updates": 2 * ({"site": "ada", "update": OTHER, "images": 1},)}, "a site entered it twice"),
        ({"updates": ({"site": "ada", "update": OTHER, "images": 1},)}, "fewer sites entered it than its plan demands"),
        ({"updates": ({"site": "ada", "update": OTHER, "images": 0},)}, "images"),
    ],
)
def test_an_average_says_where_it_comes_from(changes: dict[str, Any], reason: str, make_sample: MakeSample) -> None:
    with pytest.raises(ValidationError, match=reason):
        make_sample("average", **changes)


def test_the_last_average_asks_for_nothing(make_sample: MakeSample) -> None:
    assert make_sample("average", round=4)[0].is_finished
    assert not make_sample("average", round=3)[0].is_finished


@pytest.mark.parametrize(("strategy", "proximal"), [("fedavg", 0.1), ("fedprox", 0.0)])
def test_only_fedprox_pulls_towards_the_global_model(strategy: str, proximal: float, make_sample: MakeSample) -> None:
    plan = make_sample("average")[0].plan.model_dump()
    with pytest.raises(ValidationError, match="fedprox needs a proximal term above 0"):
        make_sample("average", plan=plan | {"strategy": strategy, "proximal": proximal})


def _entered(make_sample: MakeSample, *states: Tensors) -> tuple[Any, dict[str, Any]]:
    """An average that names an update of each state, of 21 images and twice as many, and the updates by digest."""
    updates, entered = {}, []
    for site, state, times in zip(("ada", "ben"), states, (1, 2), strict=True):
        images = {"a4c": 12 * times, "plax": 9 * times}
        update, _ = make_sample("update", state, site=site, round=2, images=images)
        updates[manifest_digest(update)] = (update, state)
        entered.append({"site": site, "update": manifest_digest(update), "images": update.examples})
    average, _ = make_sample("average", updates=tuple(entered), previous=update.average)
    return average, updates


def test_the_mean_is_recomputed_with_the_images_of_the_updates(make_sample: MakeSample) -> None:
    one: Tensors = {"bias": np.array([3.0, 0.0], np.float32), "seen": np.array(2)}
    two: Tensors = {"bias": np.array([0.0, 6.0], np.float32), "seen": np.array(3)}
    average, updates = _entered(make_sample, one, two)
    mean: Tensors = {"bias": np.array([1.0, 4.0], np.float32), "seen": np.array(3)}
    told = recompute_average(average, mean, updates)
    assert told == "the mean of 2 updates, weighted by 63 images"
    for wrong in ({"bias": np.array([1.5, 3.0], np.float32)}, {"seen": np.array(5)}):
        with pytest.raises(ContractError, match=f"tensor {next(iter(wrong))}: is not the mean of the updates"):
            recompute_average(average, mean | wrong, updates)


@pytest.mark.parametrize("change", [{"site": "cem"}, {"images": {"a4c": 1, "plax": 2}}, {"average": OTHER}])
def test_an_average_that_names_an_update_otherwise_than_it_is_does_not_pass(
    change: dict[str, Any], make_sample: MakeSample
) -> None:
    average, updates = _entered(make_sample, STATE, STATE)
    name, (update, state) = next(iter(updates.items()))
    updates[name] = (update.model_copy(update=change), state)
    with pytest.raises(ContractError, match="is not what the global model says of it"):
        recompute_average(average, STATE, updates)


def test_an_update_of_other_shapes_is_no_part_of_a_mean(make_sample: MakeSample) -> None:
    one: Tensors = {"bias": np.ones(1, np.float32)}
    for whole in (2, 3):
        average, updates = _entered(make_sample, one, {"bias": np.ones(2, np.float32)})
        with pytest.raises(ContractError, match="is not what the global model says of it"):
            recompute_average(average, {"bias": np.ones(whole, np.float32)}, updates)
