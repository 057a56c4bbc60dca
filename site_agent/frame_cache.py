"""Working images of the site, one lossless file for a still or clip: what every task reads, and no hospital's file.

A safetensors file by a key without meaning: ``frames`` (T, H, W) uint8, ``numbers`` (T,) int64 of the frames in their
source, and what experts drew, as ``mask.NAME`` (n, H, W) uint8 with ``mask.NAME.at`` (n,) int64, or
``KIND.NAME.NUMBER`` float64 in pixels of the working image; of hearts, ``volume.filled`` and what goes with it
(`site_agent.sources.hearts`).
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as save_safetensors

from federated.errors import ConsiliumError
from federated.files import cannot_write
from federated.manifest import Tensors

Gray = NDArray[np.uint8]
STAGED, SUFFIX = ".staged", ".safetensors"


@dataclass(frozen=True)
class FrameCache:
    """A folder of working images."""

    folder: Path

    def path(self, key: str) -> Path:
        """Where the file of a key lies."""
        return self.folder / key[:2] / f"{key}{SUFFIX}"

    def stage(self, key: str, tensors: Tensors) -> None:
        """The file, beside the one of its key, which stays until it is settled; what is cut short is swept away.

        Not flushed to the disk one by one: what is lost is made again.

        Raises:
            ConsiliumError: it cannot be written.
        """
        path = self.path(f"{key}{STAGED}")
        data = save_safetensors({name: np.ascontiguousarray(array) for name, array in sorted(tensors.items())})
        try:
            if not path.parent.is_dir():
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_bytes(data)
        except OSError as error:
            with suppress(OSError):
                path.unlink(missing_ok=True)
            raise cannot_write(path, error) from error

    def settle(self, key: str) -> None:
        """What was staged takes its place.

        Raises:
            ConsiliumError: it cannot be written.
        """
        path = self.path(key)
        try:
            self.path(f"{key}{STAGED}").replace(path)
        except OSError as error:
            raise cannot_write(path, error) from error

    def discard(self, key: str) -> None:
        """Deletes what was staged, if anything was."""
        self.remove(f"{key}{STAGED}")

    def sweep(self, keys: Container[str]) -> None:
        """Deletes what is of none of the keys: what was staged or half written when a taking in was stopped.

        Raises:
            ConsiliumError: something cannot be deleted.
        """
        try:
            for path in self.folder.glob("*/*"):
                if path.name.removesuffix(SUFFIX) not in keys:
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(self.folder, error) from error

    def has(self, key: str) -> bool:
        """Whether the file is there."""
        return self.path(key).is_file()

    def frames(self, key: str, places: Sequence[int] | None = None) -> Gray:
        """(n, H, W), the frames at some places of the file, or all.

        Raises:
            ConsiliumError: the file is missing or damaged.
        """
        frames = self.read(key, "frames")
        return frames if places is None else frames[list(places)]

    def read(self, key: str, name: str) -> NDArray[np.uint8]:
        """One array.

        Raises:
            ConsiliumError: the file is missing or damaged, or has no such array.
        """
        path = self.path(key)
        try:
            with safe_open(path, framework="numpy") as file:
                return np.asarray(file.get_tensor(name))
        except (OSError, SafetensorError, ValueError) as error:
            raise _unreadable(path) from error

    def names(self, key: str) -> list[str]:
        """What arrays there are, in the order of the alphabet.

        Raises:
            ConsiliumError: the file is missing or damaged.
        """
        path = self.path(key)
        try:
            with safe_open(path, framework="numpy") as file:
                return sorted(file.keys())
        except (OSError, SafetensorError, ValueError) as error:
            raise _unreadable(path) from error

    def remove(self, key: str) -> None:
        """Deletes the file, if it is there."""
        self.path(key).unlink(missing_ok=True)


def _unreadable(path: Path) -> ConsiliumError:
    return ConsiliumError(
        "a working image is missing or damaged", where=str(path), cure="take the images in again: consilium site ingest"
    )
