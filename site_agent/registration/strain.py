"""Strain, areas, volumes and ejection fraction of an outline that was followed, frame by frame."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from shared_models.registration.cine import Followed

PERCENT = 100
SEGMENTS = ("basal 1", "mid 1", "apical 1", "apical 2", "mid 2", "basal 2")
DIGITS = 3
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Motion:
    """What an outline's motion says.

    Attributes:
        followed: the outline in every frame, of six segments of as many steps each.
        numbers: of the frames, in the file.
        seconds: (T,) of each frame from the first; None where the rate is unknown.
        scaled: whether millimetres are known; strain and ejection fraction need none.
    """

    followed: Followed
    numbers: tuple[int, ...]
    seconds: Floats | None
    scaled: bool

    @cached_property
    def strain(self) -> Floats:
        """(T,) global longitudinal strain in percent."""
        return self.followed.strain

    @cached_property
    def segments(self) -> Floats:
        """(6, T) longitudinal strain of each segment in percent; side 1 is the left one in the image."""
        steps = np.linalg.norm(np.diff(self.followed.contours, axis=1), axis=2)
        lengths = steps.reshape(len(steps), len(SEGMENTS), -1).sum(axis=2).T
        return np.asarray(PERCENT * (lengths / lengths[:, [self.followed.end_diastole]] - 1))

    @cached_property
    def volumes_ml(self) -> Floats:
        """(T,) by Simpson's method in one plane, as if the ventricle were round about its long axis."""
        from shared_models.long_axis import simpson_biplane

        return np.array([simpson_biplane(curve, curve) for curve in self.followed.curves_mm])

    @property
    def ejection_fraction(self) -> float:
        """In percent in one plane, from end-diastole to the frame of least area.

        Raises:
            ValueError: there is no volume at end-diastole.
        """
        from shared_models.ejection_fraction import percent_ejected

        volumes = self.volumes_ml
        return percent_ejected(float(volumes[self.followed.end_diastole]), float(volumes[self.followed.end_systole]))

    def table(self) -> str:
        """CSV, a row a frame; what is unknown is left empty."""
        text = io.StringIO()
        names = [f"strain_{name.replace(' ', '_')}_percent" for name in SEGMENTS]
        columns = ["frame", "seconds", "strain_percent", *names, "area_mm2", "volume_ml"]
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows(names))
        return text.getvalue()

    def _rows(self, names: Sequence[str]) -> Iterator[Mapping[str, object]]:
        areas = self.followed.areas_mm2
        for place, number in enumerate(self.numbers):
            row: dict[str, object] = {"frame": number, "strain_percent": _short(self.strain[place])}
            row |= {name: _short(value) for name, value in zip(names, self.segments[:, place], strict=True)}
            if self.seconds is not None:
                row["seconds"] = _short(self.seconds[place])
            if self.scaled:
                row |= {"area_mm2": _short(areas[place]), "volume_ml": _short(self.volumes_ml[place])}
            yield row


def _short(value: float) -> float:
    return round(float(value), DIGITS) + 0.0  # which turns -0.0 round
