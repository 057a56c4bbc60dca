"""Calibrated regions of an ultrasound image (PS3.3, C.8.5.5): where they lie, what they show, the size of a pixel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from site_agent.sources.source import Region

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

CENTIMETRES, MM_PER_CM = 3, 10.0
TWO_DIMENSIONAL, M_MODE, SPECTRAL = 1, 2, 3  # Region Spatial Format
DataType = Literal["tissue", "colour", "spectral", "m", "other"]
DATA_TYPES: dict[int, DataType] = {1: "tissue", 2: "colour", 3: "spectral", 4: "spectral"}
OVERHANG = 2  # pixels: makers count the last column from 0, from 1, or as the first one outside
MIN_MM, MAX_MM = 1e-3, 50.0  # of a pixel

Spacing = tuple[float, float]


def regions_of(header: Dataset, width: int, height: int) -> tuple[tuple[Region, ...], tuple[str, ...]]:
    """The regions of an image of that size, and lines on those that were not believed.

    A box that hangs over by a pixel or two is cut. One that lies farther outside tells that the image was made smaller
    after it was calibrated: neither its place nor its spacing holds any more.
    """
    regions, doubts = [], []
    for number, item in enumerate(header.get("SequenceOfUltrasoundRegions") or (), 1):
        box = _box(item)
        if box is None:
            doubts.append(f"region {number} has no box")
        elif not _inside(box, width, height):
            doubts.append(f"region {number} reaches outside of the image, and its spacing is not believed")
        else:
            x0, y0, x1, y1 = box
            cut = x0, y0, min(x1, width - 1), min(y1, height - 1)
            regions.append(Region(cut, _data_type(item), _spacing(item)))
    return tuple(regions), tuple(doubts)


def spacing_of(header: Dataset, regions: Sequence[Region]) -> Spacing | None:
    """Height and width of a pixel in millimetres: of the largest region of tissue that has it, else Pixel Spacing.

    Pixel Spacing is not believed either where there are regions of which none was.
    """
    known = [region for region in regions if region.data_type == "tissue" and region.spacing_mm]
    if known:
        return max(known, key=_area).spacing_mm
    if header.get("SequenceOfUltrasoundRegions") and not regions:
        return None
    spacing = header.get("PixelSpacing")
    if spacing is None or isinstance(spacing, str) or len(spacing) != 2:
        return None
    return _believable(float(spacing[0]), float(spacing[1]))


def _area(region: Region) -> int:
    x0, y0, x1, y1 = region.box
    return (x1 - x0 + 1) * (y1 - y0 + 1)


def _box(item: Dataset) -> tuple[int, int, int, int] | None:
    names = ("MinX0", "MinY0", "MaxX1", "MaxY1")
    corners = [item.get(f"RegionLocation{name}") for name in names]
    if not all(isinstance(corner, int) for corner in corners):
        return None
    x0, y0, x1, y1 = (int(corner) for corner in corners if corner is not None)
    return x0, y0, x1, y1


def _inside(box: tuple[int, int, int, int], width: int, height: int) -> bool:
    x0, y0, x1, y1 = box
    across = 0 <= x0 <= min(x1, width - 1) and x1 < width + OVERHANG
    return across and 0 <= y0 <= min(y1, height - 1) and y1 < height + OVERHANG


def _data_type(item: Dataset) -> DataType:
    space = item.get("RegionSpatialFormat")
    if space == M_MODE:
        return "m"
    if space == SPECTRAL:
        return "spectral"
    return DATA_TYPES.get(item.get("RegionDataType"), "other") if space == TWO_DIMENSIONAL else "other"


def _spacing(item: Dataset) -> Spacing | None:
    if item.get("PhysicalUnitsXDirection") != CENTIMETRES or item.get("PhysicalUnitsYDirection") != CENTIMETRES:
        return None
    deltas = item.get("PhysicalDeltaY"), item.get("PhysicalDeltaX")
    if not all(isinstance(delta, int | float) for delta in deltas):
        return None
    down, across = (abs(float(delta)) * MM_PER_CM for delta in deltas if delta is not None)
    return _believable(down, across)


def _believable(down: float, across: float) -> Spacing | None:
    fine = all(math.isfinite(side) and MIN_MM <= side <= MAX_MM for side in (down, across))
    return (down, across) if fine else None
