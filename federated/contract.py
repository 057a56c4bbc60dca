"""What every kind of manifest has in common: types and limits, tensors beside it, and the bytes that name it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors
from safetensors.numpy import save as save_safetensors

from federated.canonical import canonical, digest
from federated.errors import ContractError, DamagedError
from federated.faults import DIGEST, LABEL, NAME

Digest = Annotated[str, StringConstraints(pattern=DIGEST)]
Name = Annotated[str, StringConstraints(pattern=NAME)]
Label = Annotated[str, StringConstraints(pattern=LABEL)]
Count = Annotated[int, Field(ge=0, le=10**9)]
Version = Annotated[int, Field(ge=1, le=10**6)]
Fold = Literal["train", "validation"]
Unit = Literal["image", "clip"]
Scalar = bool | int | float | str
Tensors = dict[str, NDArray[Any]]

MAX_TENSORS_BYTES = 512 * 2**20
MAX_FEATURES = 4096
MAX_LABELS = 256
DTYPES: dict[Literal["F64", "F32", "I64", "U8"], type[np.generic]] = {
    "F64": np.float64,
    "F32": np.float32,
    "I64": np.int64,
    "U8": np.uint8,
}


def is_empty(names: tuple[object, ...]) -> bool:
    """Left out of the canonical bytes: what has no partial labels reads as it did before there were any."""
    return not names


class Frozen(BaseModel):
    """Base of everything that is written down: strict types, no unknown fields, immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class TensorSpec(Frozen):
    """Declared type and shape of one tensor of the safetensors file."""

    dtype: Literal["F64", "F32", "I64", "U8"]
    shape: tuple[Annotated[int, Field(ge=0, le=2**31)], ...] = Field(max_length=6)


class Manifest(Frozen):
    """Common part of every kind."""

    version: Literal[1] = 1
    federation: Name
    tensors: dict[str, TensorSpec]
    tensors_digest: Digest


class FrontEndCard(Frozen):
    """Which frozen front end made the features: statistics of different front ends never mix."""

    name: Name
    config: dict[str, Scalar]
    digest: Digest
    features: Annotated[int, Field(ge=1, le=MAX_FEATURES)]


class Contribution(Manifest):
    """Common part of the four kinds that carry a model.

    `expert` is the version of the site's expert that the batch is of: another machine is another version, which stands
    beside those before it. The first version is not written, so that manifests from before there were others read the
    same.
    """

    site: Name
    task: Name
    front_end: Digest
    batch: Name
    labels: tuple[Label, ...] = Field(min_length=1, max_length=MAX_LABELS)
    patients: dict[Label, Count]
    images: dict[Label, Count]
    batch_patients: Count
    expert: Version = Field(default=1, exclude_if=lambda version: version == 1)


def pack_tensors(tensors: Tensors) -> tuple[bytes, dict[str, TensorSpec], str]:
    """Tensors as safetensors bytes, with the specification and digest a manifest declares."""
    arrays = {name: np.asarray(array, order="C") for name, array in sorted(tensors.items())}
    specs = {name: TensorSpec(dtype=_dtype_name(array, name), shape=array.shape) for name, array in arrays.items()}
    data = save_safetensors(arrays)
    return data, specs, digest(data)


def _dtype_name(array: NDArray[Any], where: str) -> Literal["F64", "F32", "I64", "U8"]:
    for name, dtype in DTYPES.items():
        if array.dtype == dtype:
            return name
    raise ContractError(f"is {array.dtype}, only float64, float32, int64 and uint8 are taken", where=where)


def unpack_tensors(data: bytes, manifest: Manifest) -> Tensors:
    """Tensors of a manifest.

    Raises:
        ContractError: the bytes have another digest, are not what `pack_tensors` writes (which leaves no room for
            anything beside the tensors), or hold other names, types or shapes than declared.
    """
    if len(data) > MAX_TENSORS_BYTES:
        raise ContractError(f"{len(data)} bytes of tensors, at most {MAX_TENSORS_BYTES} are taken", where="tensors")
    if digest(data) != manifest.tensors_digest:
        raise DamagedError(
            "the tensors are not the ones the manifest names", where="tensors", cure="ask for them again"
        )
    try:
        tensors = load_safetensors(data)
    except (SafetensorError, ValueError, KeyError, OverflowError) as error:
        raise ContractError(f"not a safetensors file ({error})", where="tensors") from error
    if set(tensors) != set(manifest.tensors):
        raise ContractError(
            "other tensors than declared", where=", ".join(sorted(set(tensors) ^ set(manifest.tensors)))
        )
    for name, spec in manifest.tensors.items():
        if tensors[name].dtype != DTYPES[spec.dtype] or tensors[name].shape != spec.shape:
            raise ContractError(
                f"is {tensors[name].dtype}{tensors[name].shape}, declared {spec.dtype}{spec.shape}", where=name
            )
    if pack_tensors(tensors)[2] != manifest.tensors_digest:
        raise ContractError("hold more than the declared tensors", where="tensors")
    return tensors


def manifest_bytes(manifest: Manifest) -> bytes:
    """Canonical bytes; their digest identifies the manifest and its tensors."""
    return canonical(manifest.model_dump(mode="json"))


def manifest_digest(manifest: Manifest) -> str:
    """``sha256:…`` of the canonical bytes."""
    return digest(manifest_bytes(manifest))
