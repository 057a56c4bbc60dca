"""Tracings of shapes whose measures are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from deploy.phantom.tracings import CHORDS, Segment, area, chords, long_axis, outline, thinned, walls

ROWS, COLUMNS = np.mgrid[:120, :100].astype(float)
ELLIPSE = ((ROWS - 60) / 40) ** 2 + ((COLUMNS - 50) / 22) ** 2 <= 1
UPRIGHT = Segment(50.0, 20.0, 50.0, 100.0)


def test_the_area_of_polygons() -> None:
    assert area(np.array([[0, 0], [4, 0], [4, 3], [0, 3.0]])) == 12
    assert area(np.array([[0, 0], [4, 0], [0, 3.0]])) == 6


def test_the_outline_encloses_the_mask_and_only_its_largest_part() -> None:
    mask = ELLIPSE.copy()
    mask[2:5, 2:5] = True
    border = outline(mask)
    assert area(border) == pytest.approx(ELLIPSE.sum(), rel=0.005)
    assert border[:, 0].min() == pytest.approx(27.5)
    assert border[:, 1].max() == pytest.approx(100.5)


def test_an_outline_at_the_edge_of_the_image_is_closed() -> None:
    mask = np.zeros((10, 10), bool)
    mask[:4, :5] = True
    assert area(outline(mask)) == pytest.approx(20, rel=0.05)


def test_thinning_keeps_the_area() -> None:
    border = thinned(outline(ELLIPSE), 32)
    assert border.shape == (32, 2)
    assert area(border) == pytest.approx(ELLIPSE.sum(), rel=0.02)


@pytest.mark.parametrize("turn", [0.0, 0.4, -0.7])
def test_chords_stand_for_the_ellipse_however_it_lies(turn: float) -> None:
    x, y = COLUMNS - 50, ROWS - 60
    along, across = x * np.sin(turn) + y * np.cos(turn), x * np.cos(turn) - y * np.sin(turn)
    mask = (along / 40) ** 2 + (across / 22) ** 2 <= 1
    down = 40 * np.array([np.sin(turn), np.cos(turn)])
    axis = Segment(50 - down[0], 60 - down[1], 50 + down[0], 60 + down[1])
    lines = chords(mask, axis)
    assert len(lines) == CHORDS
    ends = np.array(lines)
    outlined = np.vstack([ends[:, :2], ends[::-1, 2:]])  # down one end of them and up the other, as readers do
    assert area(outlined) == pytest.approx(mask.sum(), rel=0.03)
    assert max(line.length for line in lines) == pytest.approx(44, abs=1)
    for line in lines:
        assert (line.x2 - line.x1) * down[0] + (line.y2 - line.y1) * down[1] == pytest.approx(0, abs=1e-6)
    assert all(line.x1 <= line.x2 for line in lines), "from left to right"
    places = [(line.x1 + line.x2) / 2 * down[0] + (line.y1 + line.y2) / 2 * down[1] for line in lines]
    assert places == sorted(places), "from the apex to the base"


def test_the_long_axis_runs_from_the_apex_to_the_middle_of_the_base() -> None:
    contour = np.array([[10, 50], [9, 40], [10, 30], [20, 10], [30, 30], [31, 40], [30, 54]], float)
    assert long_axis(contour) == Segment(20, 10, 20, 52)
    assert long_axis(contour).length == 42


def _layers() -> np.ndarray:
    """Rows of: background, upper wall (rows 30-39), cavity (40-69), lower wall (70-81), background."""
    labels = np.ones((120, 100), np.uint8)
    for value, begin, end in ((3, 30, 40), (2, 40, 70), (3, 70, 82)):
        labels[begin:end] = value
    return labels


def test_walls_are_measured_from_edge_to_edge() -> None:
    found = walls(_layers(), Segment(10.0, 55.0, 90.0, 55.0), 0.35)
    assert {name: round(segment.length, 1) for name, segment in found.items()} == {
        "upper": 10.0,
        "cavity": 30.0,
        "lower": 12.0,
    }
    assert found["cavity"] == pytest.approx((62.0, 39.5, 62.0, 69.5), abs=0.11)
    assert found["upper"].y1 < found["upper"].y2 == pytest.approx(found["cavity"].y1, abs=0.11)


def test_what_the_sector_cuts_off_is_not_measured() -> None:
    labels = _layers()
    labels[76:] = 0
    assert set(walls(labels, Segment(10.0, 55.0, 90.0, 55.0), 0.35)) == {"upper", "cavity"}
    assert set(walls(np.ones((120, 100), np.uint8), UPRIGHT, 0.5)) == set()
