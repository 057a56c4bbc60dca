"""A gallery of clips or images by what an encoder says of them, searched by cosine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Hit:
    """One of a gallery, and how near it is: a cosine, 1 at most."""

    row: int
    cosine: float


@dataclass(frozen=True)
class Gallery:
    """What is searched.

    Attributes:
        codes: (n, d) of any length but nought.
        groups: of each, as the sweep that it is of.
    """

    codes: Floats
    groups: tuple[str, ...]

    def nearest(self, query: Floats, count: int) -> list[Hit]:
        """The nearest to a (d,) query, at most so many, nearest first; of equals the first.

        Raises:
            ValueError: the query is of another length, or a code is nought.
        """
        cosines = self._cosines(query)
        order = np.argsort(-cosines, kind="stable")[:count]
        return [Hit(int(row), float(cosines[row])) for row in order]

    def best_of_each(self, query: Floats) -> dict[str, Hit]:
        """The nearest of every group, groups in order of first appearance.

        Raises:
            ValueError: see `nearest`.
        """
        cosines = self._cosines(query)
        found: dict[str, Hit] = {}
        for group in dict.fromkeys(self.groups):
            rows = [row for row, name in enumerate(self.groups) if name == group]
            best = rows[int(cosines[rows].argmax())]
            found[group] = Hit(best, float(cosines[best]))
        return found

    def _cosines(self, query: Floats) -> Floats:
        if query.shape != self.codes.shape[1:] or len(self.groups) != len(self.codes):
            raise ValueError(
                f"a query {query.shape}, codes {self.codes.shape} and {len(self.groups)} groups do not fit"
            )
        lengths = np.linalg.norm(self.codes, axis=1) * np.linalg.norm(query)
        if (lengths == 0).any():
            raise ValueError("a code is nought, which points nowhere")
        return np.asarray(self.codes @ query / lengths)


def joined(galleries: Sequence[Gallery]) -> Gallery:
    """Several as one."""
    groups = tuple(group for gallery in galleries for group in gallery.groups)
    return Gallery(np.concatenate([gallery.codes for gallery in galleries]), groups)
