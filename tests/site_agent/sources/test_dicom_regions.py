"""Calibrated regions: which boxes are believed, and what they say of the size of a pixel."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from site_agent.sources.dicom_regions import regions_of, spacing_of
from site_agent.sources.source import Region

WIDTH, HEIGHT = 640, 480


def _item(
    box: tuple[int, ...] = (10, 20, 600, 450),
    *,
    space: int = 1,
    kind: int = 1,
    deltas: tuple[float, float] = (0.03, 0.05),
) -> Dataset:
    item = Dataset()
    item.RegionSpatialFormat, item.RegionDataType = space, kind
    item.RegionLocationMinX0, item.RegionLocationMinY0 = box[:2]
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = box[2:]
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = 3
    item.PhysicalDeltaX, item.PhysicalDeltaY = deltas
    return item


def _header(*items: Dataset, **elements: Any) -> Dataset:
    made = Dataset()
    if items:
        made.SequenceOfUltrasoundRegions = Sequence(items)
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def _regions(*items: Dataset) -> tuple[tuple[Region, ...], tuple[str, ...]]:
    return regions_of(_header(*items), WIDTH, HEIGHT)


def test_a_region_is_as_the_header_has_it() -> None:
    regions, doubts = _regions(_item())
    assert regions == (Region((10, 20, 600, 450), "tissue", (0.5, 0.3)),)
    assert doubts == ()


def test_directions_have_no_sign() -> None:
    ((region,), _) = _regions(_item(deltas=(-0.03, -0.05)))
    assert region.spacing_mm == (0.5, 0.3)


@pytest.mark.parametrize(
    ("space", "kind", "expected"),
    [
        (1, 1, "tissue"),
        (1, 2, "colour"),
        (2, 1, "m"),
        (3, 3, "spectral"),
        (3, 4, "spectral"),
        (4, 10, "other"),
        (1, 99, "other"),
    ],
)
def test_what_regions_show(space: int, kind: int, expected: str) -> None:
    ((region,), _) = _regions(_item(space=space, kind=kind))
    assert region.data_type == expected


def test_a_box_that_hangs_over_by_a_pixel_is_cut() -> None:
    ((region,), doubts) = _regions(_item((0, 0, 640, 481)))
    assert (region.box, doubts) == ((0, 0, 639, 479), ())


@pytest.mark.parametrize(
    "box",
    [(84, 31, 642, 414), (0, 0, 100, 482), (640, 0, 641, 9), (700, 500, 800, 600), (9, 9, 8, 20), (9, 9, 20, 8)],
    ids=str,
)
def test_a_box_outside_of_the_image_is_not_believed(box: tuple[int, ...]) -> None:
    header = _header(_item(box), PixelSpacing=[0.2, 0.2])
    regions, doubts = regions_of(header, WIDTH, HEIGHT)
    assert regions == ()
    assert doubts == ("region 1 reaches outside of the image, and its spacing is not believed",)
    assert spacing_of(header, regions) is None


def test_a_region_without_a_box() -> None:
    item = _item()
    del item.RegionLocationMaxX1
    assert _regions(item, _item()) == (_regions(_item())[0], ("region 1 has no box",))


def test_lengths_alone_are_a_spacing() -> None:
    seconds = _item(space=2)
    seconds.PhysicalUnitsXDirection = 4
    missing = _item()
    del missing.PhysicalDeltaX
    for item in (
        seconds,
        missing,
        _item(deltas=(0.0, 0.0)),
        _item(deltas=(9.0, 0.1)),
        _item(deltas=(float("nan"), 1.0)),
    ):
        ((region,), _) = _regions(item)
        assert region.spacing_mm is None
        assert spacing_of(_header(item), (region,)) is None


def test_the_largest_region_of_tissue_has_the_spacing() -> None:
    small, large = _item((0, 0, 99, 99), deltas=(0.01, 0.01)), _item((100, 0, 400, 400), deltas=(0.02, 0.02))
    colour = _item((0, 0, 639, 479), kind=2, deltas=(0.04, 0.04))
    header = _header(small, large, colour, PixelSpacing=[9, 9])
    assert spacing_of(header, regions_of(header, WIDTH, HEIGHT)[0]) == pytest.approx((0.2, 0.2))


def test_pixel_spacing_is_rows_first() -> None:
    assert spacing_of(_header(PixelSpacing=[0.4, 0.3]), ()) == (0.4, 0.3)
    assert spacing_of(_header(PixelSpacing=[0, 0.3]), ()) is None
    assert spacing_of(_header(), ()) is None
