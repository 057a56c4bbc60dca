"""A release that a coordinator signed and that is spoilt: its manifest, its numbers; and sums that a site made up."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.fused_model import FusedModel
from federated.manifest import Tensors, pack_tensors, parse_manifest, unpack_tensors
from tests.federated.conftest import federation, make_federation
from tests.fuzz.mutation import EDITS, Edit, edited, fuzzed, survived

if TYPE_CHECKING:
    from tests.federated.conftest import Federation

__all__ = ["federation", "make_federation"]
NUMBERS = st.sampled_from([0.0, -1.0, 1e-300, 1e300, np.inf, -np.inf, np.nan])
Sound = tuple[dict[str, Any], Tensors]


@pytest.fixture(scope="module")
def sound(federation: Federation) -> Callable[[], Sound]:
    """A release of four sites: its fields, and its tensors as they were signed."""
    built = federation.release()
    fields = built.manifest.model_dump(mode="json")
    return lambda: (fields, unpack_tensors(built.tensors, built.manifest))


def _used(fields: dict[str, Any], edits: list[Edit], tensors: Tensors) -> None:
    """As a site does: read, put together, asked about an image."""
    data, specs, name = pack_tensors(tensors)
    fields = fields | {"tensors": {key: spec.model_dump(mode="json") for key, spec in specs.items()}}
    manifest = survived(lambda: parse_manifest(edited(fields | {"tensors_digest": name}, edits)))
    if manifest is None or manifest.kind not in ("release", "candidate"):
        return
    read = survived(lambda: unpack_tensors(data, manifest))
    model = survived(lambda: FusedModel.from_release(manifest, read)) if read is not None else None
    if model is not None:
        features = np.ones((2, manifest.front_end.features))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of numbers that a coordinator made up
            survived(lambda: model.decide(features, ["image-1", "image-2"], ["clip", "clip"]))


def test_the_sample_is_sound(sound: Callable[[], Sound]) -> None:
    fields, tensors = sound()
    data, _, _ = pack_tensors(tensors)
    manifest = parse_manifest(edited(fields, []))
    model = FusedModel.from_release(manifest, unpack_tensors(data, manifest))
    assert len(model.decide(np.ones((2, manifest.front_end.features)), ["a", "b"], ["clip", "clip"])) == 3


@given(edits=EDITS)
@fuzzed(150)
def test_a_manifest_of_another_form(sound: Callable[[], Sound], edits: list[Edit]) -> None:
    _used(sound()[0], edits, sound()[1])


@given(which=st.floats(0, 1), how=st.sampled_from(["number", "shape", "gone", "type", "none"]), number=NUMBERS)
@fuzzed(120)
def test_other_tensors(sound: Callable[[], Sound], which: float, how: str, number: float) -> None:
    fields, tensors = sound()
    name = sorted(tensors)[min(int(which * len(tensors)), len(tensors) - 1)]
    array = tensors[name].copy()
    if how == "number" and array.dtype.kind == "f" and array.size:
        array.flat[int(which * 997) % array.size] = number
    elif how == "type":
        array = array.astype(np.float32 if array.dtype == np.float64 else np.float64)
    elif how == "none":
        array = array[:0] if array.ndim else array
    elif how == "shape":
        array = array[..., None]
    others = {key: value for key, value in tensors.items() if key != name}
    _used(fields, [], others if how == "gone" else others | {name: np.ascontiguousarray(array)})
