from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pydantic import ValidationError

from federated.canonical import canonical, digest
from federated.errors import ContractError
from federated.manifest import (
    COORDINATOR_KINDS,
    MAX_MANIFEST_BYTES,
    MAX_TENSORS_BYTES,
    SITE_KINDS,
    AnyManifest,
    manifest_bytes,
    manifest_digest,
    pack_tensors,
    parse_manifest,
    unpack_tensors,
)

KINDS = (*SITE_KINDS, *COORDINATOR_KINDS)
MakeSample = Callable[..., tuple[Any, bytes]]


def test_the_kinds_are_these() -> None:
    models = get_args(get_args(AnyManifest)[0])
    assert {kind for model in models for kind in get_args(model.model_fields["kind"].annotation)} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_hold_the_manifest_and_its_tensors(kind: str, make_sample: MakeSample) -> None:
    manifest, data = make_sample(kind)
    body = manifest_bytes(manifest)
    assert body == canonical(json.loads(body))
    read = parse_manifest(body)
    assert (read, type(read), manifest_digest(read)) == (manifest, type(manifest), digest(body))
    tensors = unpack_tensors(data, read)
    assert {name: (array.dtype.str, array.shape) for name, array in tensors.items()}.keys() == read.tensors.keys()
    assert pack_tensors(tensors)[0] == data


def test_the_first_version_of_an_expert_is_not_written_and_further_ones_are(make_sample: MakeSample) -> None:
    """So that a manifest from before there were versions keeps its bytes, and each says one thing in one way."""
    first, second = (make_sample("statistics", expert=expert)[0] for expert in (1, 2))
    assert b"expert" not in manifest_bytes(first)
    assert b'"expert":2' in manifest_bytes(second)
    assert [parse_manifest(manifest_bytes(one)).expert for one in (first, second)] == [1, 2]
    said = canonical(json.loads(manifest_bytes(first)) | {"expert": 1})
    with pytest.raises(ContractError, match="canonical"):
        parse_manifest(said)
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        make_sample("statistics", expert=0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_manifest_is_immutable_and_knows_its_fields(kind: str, make_sample: MakeSample) -> None:
    manifest, _ = make_sample(kind)
    with pytest.raises(ValidationError, match="frozen"):
        manifest.federation = "other"
    with pytest.raises(ValidationError, match="more"):
        make_sample(kind, more=1)


@pytest.mark.parametrize("kind", KINDS)
def test_no_byte_of_a_manifest_can_change_unnoticed(kind: str, make_sample: MakeSample) -> None:
    """Each changed byte makes it no manifest, or one with another digest."""
    body = manifest_bytes(make_sample(kind)[0])
    for place in range(0, len(body), 5):
        changed = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        try:
            read = parse_manifest(changed)
        except ContractError:
            continue
        assert manifest_digest(read) == digest(changed) != digest(body)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"version":1', b'"version": 1'),
        (b'"version":1', b'"version":1.0'),
        (b"{", b" {"),
        (b'{"choice"', b'{"federation":"other","choice"'),
        (b'"adopted"', b'"\\u0061dopted"'),
        (b'"adopted"', b'"adopted" '),
    ],
)
def test_another_form_of_the_same_manifest_is_refused(old: bytes, new: bytes, make_sample: MakeSample) -> None:
    body = manifest_bytes(make_sample("adoption")[0])
    assert old in body
    with pytest.raises(ContractError):
        parse_manifest(body.replace(old, new, 1))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"kind":"video"}',
        b'{"kind":5}',
        b'{"kind":"adoption"}',
    ],
)
def test_other_bytes_are_no_manifest(data: bytes) -> None:
    with pytest.raises(ContractError, match="manifest"):
        parse_manifest(data)


@pytest.mark.parametrize("number", ["1e400", "NaN", "123456789012345678901234567890", "9007199254740993", "-0"])
def test_numbers_that_json_does_not_hold_exactly_are_refused(number: str, make_sample: MakeSample) -> None:
    body = manifest_bytes(make_sample("decision", decision={"x": 7})[0])
    with pytest.raises(ContractError, match="manifest"):
        parse_manifest(body.replace(b'"x":7', f'"x":{number}'.encode()))


def test_a_long_manifest_is_not_even_parsed() -> None:
    with pytest.raises(ContractError, match=f"{MAX_MANIFEST_BYTES + 1} bytes, at most {MAX_MANIFEST_BYTES}"):
        parse_manifest(b" " * (MAX_MANIFEST_BYTES + 1))


@pytest.mark.parametrize("level", ["true", '"2"', "2.0", "null"])
def test_a_level_is_a_number(level: str, make_sample: MakeSample) -> None:
    body = manifest_bytes(make_sample("statistics")[0])
    with pytest.raises(ContractError, match=r"manifest"):
        parse_manifest(body.replace(b'"level":2', f'"level":{level}'.encode()))


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("statistics", {"version": 2}),
        ("statistics", {"level": 3}),
        ("statistics", {"level": 0}),
        ("statistics", {"level_to_sites": 0}),
        ("statistics", {"features": 0}),
        ("statistics", {"features": 4097}),
        ("statistics", {"features": 3.0}),
        ("statistics", {"folds": ()}),
        ("statistics", {"folds": ("train", "test")}),
        ("statistics", {"labels": ()}),
        ("statistics", {"labels": ("two words",)}),
        ("statistics", {"labels": tuple(f"l{number}" for number in range(257))}),
        ("statistics", {"patients": {"a4c": -1}}),
        ("statistics", {"site": "Ada"}),
        ("statistics", {"federation": "two words"}),
        ("statistics", {"front_end": "sha256:short"}),
        ("weights", {"config": {"size": float("nan")}}),
        ("weights", {"config": {"sizes": [1]}}),
        ("synthetic", {"threshold": float("inf")}),
        ("adoption", {"choice": "maybe"}),
        ("adoption", {"reason": "x" * 201}),
        ("withdrawal", {"contributions": ()}),
        ("release", {"alpha": 1.0}),
        ("release", {"temperature": 0.0}),
        ("release", {"number": 0}),
    ],
)
def test_fields_are_checked(kind: str, changes: dict[str, Any], make_sample: MakeSample) -> None:
    with pytest.raises(ValidationError, match=next(iter(changes))):
        make_sample(kind, **changes)


tensors = st.dictionaries(
    st.text("abc._", min_size=1, max_size=6),
    st.sampled_from([np.float64, np.float32, np.int64, np.uint8]).flatmap(
        lambda dtype: arrays(dtype, array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4))
    ),
    max_size=4,
)


@given(tensors)
def test_tensors_are_kept_bit_by_bit(kept: dict[str, Any]) -> None:
    data, specs, name = pack_tensors(kept)
    assert pack_tensors(dict(reversed(kept.items()))) == (data, specs, name)
    manifest = _adoption(specs, name)
    read = unpack_tensors(data, manifest)
    assert set(read) == set(kept)
    for key, array in kept.items():
        assert (read[key].dtype, read[key].shape) == (array.dtype, array.shape)
        assert read[key].tobytes() == np.ascontiguousarray(array).tobytes()


def _adoption(specs: Any, name: str) -> Any:
    body = {"kind": "adoption", "version": 1, "federation": "test", "site": "ada", "release": "sha256:" + "a" * 64}
    body |= {"choice": "adopted", "reason": "", "tensors_digest": name}
    return parse_manifest(
        canonical(body | {"tensors": {key: spec.model_dump(mode="json") for key, spec in specs.items()}})
    )


@pytest.mark.parametrize("dtype", [np.float16, np.int32, np.bool_, np.complex128, ">f8"])
def test_other_types_of_numbers_are_refused(dtype: Any) -> None:
    with pytest.raises(ContractError, match=r"x: is .*, only float64, float32, int64 and uint8 are taken"):
        pack_tensors({"x": np.zeros(2, dtype)})


@pytest.mark.parametrize("place", [0, 9, 60, -1])
def test_a_flipped_byte_of_the_tensors_is_noticed(place: int, make_sample: MakeSample) -> None:
    manifest, data = make_sample("statistics")
    changed = bytearray(data)
    changed[place] ^= 1
    with pytest.raises(ContractError, match="the tensors are not the ones the manifest names; ask for them again"):
        unpack_tensors(bytes(changed), manifest)


def _file(header: Any, data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


ONE = {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}
DECLARED = {"x": {"dtype": "F64", "shape": [1]}}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a safetensors file"),
        (b"\x80\x04K\x01.", "not a safetensors file"),  # a pickle
        (b"\xff" * 8, "not a safetensors file"),
        (_file({"x": ONE | {"dtype": "BF16", "data_offsets": [0, 2]}}, b"12"), "not a safetensors file"),
        (_file({"x": ONE | {"shape": [2**62, 4]}}), "not a safetensors file"),
        (_file({"x": ONE}, b"1234567"), "not a safetensors file"),
        (_file({"y": ONE}, b"12345678"), "x, y: other tensors than declared"),
        (
            _file({"x": ONE, "y": ONE | {"data_offsets": [8, 16]}}, b"1234567812345678"),
            "y: other tensors than declared",
        ),
        (_file({"x": ONE | {"dtype": "I64"}}, b"12345678"), "x: is int64.*declared F64"),
        (_file({"x": ONE | {"shape": [1, 1]}}, b"12345678"), "x: is float64.*declared F64"),
        (_file({"x": ONE, "__metadata__": {"note": "Jane Doe"}}, b"12345678"), "hold more than the declared tensors"),
        (_file({"x": ONE}, b"12345678"), "hold more than the declared tensors"),
    ],
)
def test_other_files_are_refused(data: bytes, reason: str) -> None:
    """The last two hold a note, and spaces in the header: nothing leaves beside the tensors."""
    manifest = _adoption({}, digest(data))
    declared = parse_manifest(canonical(manifest.model_dump(mode="json") | {"tensors": DECLARED}))
    with pytest.raises(ContractError, match=reason):
        unpack_tensors(data, declared)


def test_a_long_file_is_not_even_hashed(monkeypatch: pytest.MonkeyPatch, make_sample: MakeSample) -> None:
    class Long(bytes):
        def __len__(self) -> int:
            return MAX_TENSORS_BYTES + 1

    with pytest.raises(ContractError, match=f"{MAX_TENSORS_BYTES + 1} bytes of tensors, at most {MAX_TENSORS_BYTES}"):
        unpack_tensors(Long(), make_sample("statistics")[0])
