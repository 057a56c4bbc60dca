from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from federated.canonical import canonical, digest
from federated.contract import MAX_TENSORS_BYTES, pack_tensors, unpack_tensors
from federated.errors import ContractError
from federated.manifest import parse_manifest

MakeSample = Callable[..., tuple[Any, bytes]]

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
