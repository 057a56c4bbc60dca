"""What several contestants need is computed by the first of them and found ready by the others, with what it cost."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray]
SECONDS = "seconds"


def kept(path: Path, make: Callable[[], Arrays]) -> tuple[Arrays, float]:
    """Arrays out of a file, or made and written to it.

    Returns:
        The arrays, and the seconds that making them took if they were found ready, else 0.
    """
    if path.is_file():
        with np.load(path, allow_pickle=False) as file:
            found = dict(file)
        return found, float(found.pop(SECONDS))
    started = time.perf_counter()
    arrays = make()
    write_arrays(path, {**arrays, SECONDS: np.array(time.perf_counter() - started)})
    return arrays, 0.0


def write_arrays(path: Path, arrays: Arrays) -> None:
    """An ``.npz`` file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.stem}.{os.getpid()}.npz")
    np.savez(draft, **arrays)  # type: ignore[arg-type]
    draft.replace(path)
