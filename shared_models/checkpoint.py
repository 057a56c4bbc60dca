"""A checkpoint: named tensors and what is said of them, in one safetensors file that is written whole or not at all.

What is said lies as JSON under one key of the metadata, together with a SHA-256 of itself and the tensors, so that
nobody goes on from a file that was cut or in which a bit has turned. Errors are `ValueError`s in one line.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

KEY = "consilium"  # of the metadata: one key, for several are written in any order


class CheckpointError(ValueError):
    """A file that does not hold what was written into it."""


def write_checkpoint(path: Path, tensors: Mapping[str, torch.Tensor], said: Mapping[str, Any]) -> None:
    """Writes the tensors, from any device, with what is said of them.

    Raises:
        ValueError: it cannot be written; an older file stays as it was.
    """
    from safetensors.torch import save

    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    heading = json.dumps({"digest": _seal(plain, said), "said": said})
    replace_file(path, save(plain, metadata={KEY: heading}))


def read_checkpoint(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The tensors, on the CPU, and what was said of them.

    Raises:
        CheckpointError: it was cut, changed, or is none.
        ValueError: it cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            heading = json.loads((file.metadata() or {})[KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        digest, said = heading["digest"], heading["said"]
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise _damaged(path) from error
    if digest != _seal(tensors, said):
        raise _damaged(path)
    return tensors, said


def digest_of(tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of names, types, shapes and bytes, in the order of the names."""
    import torch

    found = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def replace_file(path: Path, data: bytes) -> None:
    """The file, replaced in one step and flushed to the disk; killed at any moment, the old one is still there.

    What a killed writer left half-written is written over, so only one process may write here at a time.

    Raises:
        ValueError: it cannot be written; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise ValueError(f"{path}: cannot be written ({error.strerror or error})") from error


def _seal(tensors: Mapping[str, torch.Tensor], said: Mapping[str, Any]) -> str:
    return hashlib.sha256((digest_of(tensors) + json.dumps(said, sort_keys=True)).encode()).hexdigest()


def _damaged(path: Path) -> CheckpointError:
    return CheckpointError(f"{path}: is damaged; remove it and begin anew")
