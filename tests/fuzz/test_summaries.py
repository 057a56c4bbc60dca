"""Sums over decisions that a site made up: what is taken has only numbers that do not contradict each other."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.contract import Tensors, pack_tensors
from federated.decision_summary import check_summary, concepts_of
from federated.manifest import ReleaseManifest, SummaryManifest, parse_manifest
from federated.shapes import check_shapes
from tests.decision_making import Tree, a_record, sums, told
from tests.federated.conftest import federation, make_federation
from tests.fuzz.mutation import EDITS, Edit, edited, fuzzed, survived

__all__ = ["federation", "make_federation"]
NUMBERS = st.sampled_from([0.0, -1.0, 0.5, 1e-300, 1e300, np.inf, -np.inf, np.nan])
INTEGERS = st.sampled_from([0, -1, 1, 10**6, 2**62, -(2**63), 2**63 - 1])
RECORDS = 12


@pytest.fixture(scope="module")
def release(federation: Any) -> ReleaseManifest:
    found: ReleaseManifest = federation.release().manifest
    return found


def _sound(release: ReleaseManifest) -> tuple[dict[str, Any], Tensors]:
    labels, sites = concepts_of(release), tuple(site.name for site in release.sites)
    tensors = sums([RECORDS - 2] + [0] * (len(labels) - 1), 2, sites)
    tree = Tree([a_record(number).to_bytes() for number in range(RECORDS)])
    fields = told(tree, labels=labels, sites=sites, decisions=RECORDS, patients=RECORDS)
    _, specs, digest = pack_tensors(tensors)
    manifest = SummaryManifest(federation="test", site="ada", tensors=specs, tensors_digest=digest, **fields)
    return manifest.model_dump(mode="json"), tensors


def _taken(fields: dict[str, Any], tensors: Tensors, release: ReleaseManifest, edits: list[Edit]) -> bool:
    _, specs, digest = pack_tensors(tensors)
    said = {name: spec.model_dump(mode="json") for name, spec in specs.items()}
    data = edited(fields | {"tensors": said, "tensors_digest": digest}, edits)
    manifest = survived(lambda: parse_manifest(data))
    if not isinstance(manifest, SummaryManifest):
        return False

    def check() -> bool:
        check_shapes(manifest)
        check_summary(manifest, tensors, release)
        return True

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return survived(check) is True


def test_the_sample_is_sound(release: ReleaseManifest) -> None:
    assert _taken(*_sound(release), release, [])


@given(edits=EDITS)
@fuzzed(150)
def test_a_manifest_of_another_form(release: ReleaseManifest, edits: list[Edit]) -> None:
    _taken(*_sound(release), release, edits)


@given(which=st.floats(0, 1), place=st.floats(0, 1), number=NUMBERS, integer=INTEGERS, everywhere=st.booleans())
@fuzzed(250)
def test_other_numbers(
    release: ReleaseManifest, which: float, place: float, number: float, integer: int, everywhere: bool
) -> None:
    fields, tensors = _sound(release)
    name = sorted(tensors)[min(int(which * len(tensors)), len(tensors) - 1)]
    array = tensors[name].copy()
    value = number if array.dtype.kind == "f" else integer
    if everywhere:
        array[...] = value
    else:
        array.flat[min(int(place * array.size), array.size - 1)] = value
    spoilt = tensors | {name: array}
    if _taken(fields, spoilt, release, []):
        assert all(np.isfinite(each).all() for each in spoilt.values())
        assert spoilt["answered"].sum() + spoilt["abstained"].sum() == RECORDS
        assert all((spoilt[count] >= 0).all() for count in ("answered", "abstained", "qualified", "drift"))
