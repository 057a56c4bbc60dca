"""Manifests of every kind, and the tensors beside them."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.canonical import digest
from federated.manifest import COORDINATOR_KINDS, SITE_KINDS, manifest_bytes, parse_manifest, unpack_tensors
from federated.shapes import check_shapes
from tests.fuzz.mutation import CHANGES, EDITS, Change, Edit, Samples, changed, edited, fuzzed, survived

KINDS = (*SITE_KINDS, *COORDINATOR_KINDS)
DTYPES = ("F64", "F32", "I64", "U8", "BF16", "F16", "BOOL", "F8_E4M3", "I128", "", "f64")


@pytest.fixture(scope="session")
def samples(make_sample: Callable[..., tuple[Any, bytes]]) -> Samples:
    made = {kind: make_sample(kind) for kind in KINDS}
    return Samples({kind: (manifest.model_dump(mode="json"), data) for kind, (manifest, data) in made.items()})


def _read(data: bytes, tensors: bytes) -> None:
    manifest = survived(lambda: parse_manifest(data))
    if manifest is not None:
        assert manifest_bytes(manifest) == data
        survived(lambda: check_shapes(manifest))
        survived(lambda: unpack_tensors(tensors, manifest))


def test_every_kind_is_among_the_samples(samples: Samples) -> None:
    for fields, tensors in samples.values():
        manifest = parse_manifest(edited(fields, []))
        check_shapes(manifest)
        unpack_tensors(tensors, manifest)


@given(kind=st.sampled_from(KINDS), edits=EDITS)
@fuzzed(600)
def test_a_manifest_of_another_form(samples: Samples, kind: str, edits: list[Edit]) -> None:
    fields, tensors = samples[kind]
    _read(edited(fields, edits), tensors)


@given(kind=st.sampled_from(KINDS), changes=CHANGES)
@fuzzed(200)
def test_changed_bytes_of_a_manifest(samples: Samples, kind: str, changes: list[Change]) -> None:
    fields, tensors = samples[kind]
    _read(changed(edited(fields, []), changes), tensors)


@given(kind=st.sampled_from(["statistics", "report", "synthetic"]), edits=EDITS, dtype=st.sampled_from(DTYPES))
@fuzzed(300)
def test_tensors_whose_header_lies(samples: Samples, kind: str, edits: list[Edit], dtype: str) -> None:
    """The manifest names their digest, so that the header itself is what has to be refused."""
    fields, tensors = samples[kind]
    size = struct.unpack("<Q", tensors[:8])[0]
    header = json.loads(tensors[8 : 8 + size])
    first = min(name for name in header if name != "__metadata__")
    header[first]["dtype"] = dtype
    spoilt = edited(header, edits)
    data = struct.pack("<Q", len(spoilt)) + spoilt + tensors[8 + size :]
    _read(edited(fields | {"tensors_digest": digest(data)}, []), data)


@given(kind=st.sampled_from(["statistics", "report", "synthetic"]), changes=CHANGES)
@fuzzed(200)
def test_changed_bytes_of_tensors(samples: Samples, kind: str, changes: list[Change]) -> None:
    fields, tensors = samples[kind]
    data = changed(tensors, changes)
    _read(edited(fields | {"tensors_digest": digest(data)}, []), data)


@pytest.mark.parametrize("length", [0, 1, 2**31, 2**63, 2**64 - 1])
def test_a_header_that_says_it_is_huge(samples: Samples, length: int) -> None:
    fields, tensors = samples["report"]
    data = struct.pack("<Q", length) + tensors[8:]
    _read(edited(fields | {"tensors_digest": digest(data)}, []), data)
