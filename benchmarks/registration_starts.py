"""Pairs with the affine alignment that every method starts from, found once and kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.registration_classical import Affine, affine, identity
from benchmarks.registration_scores import Floats, moved
from federated.files import write_whole
from shared_models.registration.pairs import Pair
from site_agent.progress import track


@dataclass(frozen=True)
class Started:
    """A pair as methods see it.

    Attributes:
        pair: as it was.
        start: from the fixed image's voxels to the moving one's.
        moving: (*N) the moving image after it.
        patients: whose images they are: one name, or two.
    """

    pair: Pair
    start: Affine
    moving: Floats
    patients: tuple[str, ...]

    @property
    def fixed(self) -> Floats:
        """(*N)."""
        return self.pair.fixed

    def whole(self, field: Floats) -> Floats:
        """The field that leads into the moving image as it was, of one that leads into the aligned one."""
        return self.start.after(field)


def started(pairs: Iterable[Pair], file: Path | None) -> list[Started]:
    """Pairs with their alignments, which are read from a file where it holds them already; None aligns nothing."""
    held = list(pairs)
    starts = [identity(pair.fixed.ndim) for pair in held] if file is None else _starts(held, file)
    return [_one(pair, start) for pair, start in zip(held, starts, strict=True)]


def _one(pair: Pair, start: Affine) -> Started:
    still = np.array_equal(start.matrix, np.eye(pair.fixed.ndim)) and not start.offset.any()
    moving = pair.moving if still else moved(pair.moving, start.field(pair.fixed.shape))
    return Started(pair, start, moving, patients_of(pair))


def patients_of(pair: Pair) -> tuple[str, ...]:
    """Two of "one to other", else the first word of the pair's name."""
    one, between, other = pair.name.partition(" to ")
    return (one, other) if between else (pair.name.split(" ", maxsplit=1)[0],)


def _starts(pairs: Sequence[Pair], file: Path) -> list[Affine]:
    names = np.array([pair.name for pair in pairs])
    if not file.is_file():
        found = [
            affine(pair.moving, pair.fixed) for pair in track(pairs, total=len(pairs), what=f"alignments, {file.stem}")
        ]
        _write(file, names, found)
    with np.load(file) as kept:
        if not np.array_equal(kept["names"], names):
            raise ValueError(f"{file}: holds alignments of other pairs; remove it")
        return [Affine(matrix, offset) for matrix, offset in zip(kept["matrices"], kept["offsets"], strict=True)]


def _write(file: Path, names: NDArray[np.str_], found: Sequence[Affine]) -> None:
    matrices, offsets = np.stack([one.matrix for one in found]), np.stack([one.offset for one in found])
    draft = BytesIO()
    np.savez(draft, names=names, matrices=matrices, offsets=offsets)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, draft.getvalue())
