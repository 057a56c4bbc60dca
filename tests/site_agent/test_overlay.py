"""What is drawn over an image lies where it is, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from site_agent.overlay import COLOURS, CURVE, POINT, colour_of, overlay

IMAGE = np.random.default_rng(3).integers(0, 200, (40, 60), dtype=np.uint8)
POINTS = np.array([[10.0, 35], [12, 25], [15, 15], [20, 8], [25, 15], [28, 25], [30, 35]])


def _same(shown: np.ndarray) -> np.ndarray:
    """Where the image is as it was."""
    return np.asarray((shown == IMAGE[..., None]).all(axis=2))


def _is(shown: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.asarray(np.equal(shown, colour).all(axis=2))


def test_nothing_drawn_is_the_image_in_grey() -> None:
    for labels in (None, np.zeros_like(IMAGE)):
        shown = overlay(IMAGE, labels, None)
        assert shown.shape == (40, 60, 3)
        assert shown.dtype == np.uint8
        assert _same(shown).all()


def test_each_structure_has_an_outline_in_its_colour() -> None:
    labels = np.zeros_like(IMAGE)
    labels[5:20, 5:20] = 1
    labels[8:12, 8:12] = 3
    shown = overlay(IMAGE, labels, None)
    square = np.zeros(IMAGE.shape, bool)
    square[5:20, 5:20] = True
    square[6:19, 6:19] = False
    hole = np.zeros(IMAGE.shape, bool)
    hole[[7, 12], 8:12] = hole[8:12, [7]] = hole[8:12, [12]] = True  # the larger one ends at the smaller one
    inner = np.zeros(IMAGE.shape, bool)
    inner[8:12, 8:12] = True
    inner[9:11, 9:11] = False
    assert np.array_equal(_is(shown, colour_of(1)), square | hole)
    assert np.array_equal(_is(shown, colour_of(3)), inner)
    assert np.array_equal(_same(shown), ~(square | hole | inner))


def test_the_edge_of_the_image_is_no_outline() -> None:
    assert _same(overlay(IMAGE, np.full_like(IMAGE, 2), None)).all()


def test_points_lie_on_the_curve_and_the_apex_is_marked() -> None:
    shown = overlay(IMAGE, None, POINTS)
    points, curve = _is(shown, POINT), _is(shown, CURVE)
    assert points.sum() == 7 * 5, "a disc of one pixel around each"
    assert all(points[int(y), int(x)] for x, y in POINTS)
    assert 40 < curve.sum() < 120
    assert np.array_equal(_same(shown), ~(points | curve))
    rows, columns = np.nonzero(points | curve)
    assert (rows.min(), columns.min()) == (7, 9)


def test_what_lies_outside_or_nowhere_is_not_drawn() -> None:
    assert _same(overlay(IMAGE, None, POINTS + 200)).all()
    assert _same(overlay(IMAGE, None, np.where(POINTS > 30, np.nan, POINTS))).all()
    twice = POINTS.copy()
    twice[1] = twice[0]
    assert _is(overlay(IMAGE, None, twice), POINT).any()
    assert not _is(overlay(IMAGE, None, twice), CURVE).any()


def test_colours_come_again_after_the_last() -> None:
    assert len(set(COLOURS)) == len(COLOURS)
    assert colour_of(len(COLOURS) + 2) == colour_of(2)


def test_a_label_map_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(3, 3\), its image \(40, 60\)"):
        overlay(IMAGE, np.zeros((3, 3), np.uint8), None)
