"""A chart shows its curves where they are."""

from __future__ import annotations

import numpy as np
import pytest

from site_agent.registration.curve_chart import Chart, Curve, Look, nice

RED, BLUE = (255, 0, 0), (0, 0, 255)


def chart(**changes: object) -> Chart:
    at = np.linspace(0, 1, 11)
    curves = [Curve("low", np.full(11, -20.0), RED, 4), Curve("high", np.full(11, -5.0), BLUE, 4)]
    told = {"at": at, "curves": curves, "title": "two", "across": "seconds", "upwards": "%"} | changes
    return Chart(**told)  # type: ignore[arg-type]


def rows_of(pixels: np.ndarray, colour: tuple[int, int, int], columns: slice) -> np.ndarray:
    return np.flatnonzero((pixels[:, columns] == colour).all(axis=2).any(axis=1))


def test_curves_lie_at_their_values() -> None:
    pixels = np.asarray(chart().drawn())
    assert pixels.shape == (540, 960, 3)
    low, high = (rows_of(pixels, colour, slice(200, 700)).mean() for colour in (RED, BLUE))
    nought = np.flatnonzero((pixels[:, 300] < 100).all(axis=1))
    assert low - nought[0] == pytest.approx(4 * (high - nought[0]), abs=5)
    assert (pixels == RED).all(axis=2).sum() > 1500


def test_a_cursor_and_marks_are_lines_across_all_values() -> None:
    plain, with_cursor = chart().drawn(), chart(marks=((0.2, "ES"),)).drawn(cursor=0.5)
    apart = np.abs(np.asarray(plain, int) - np.asarray(with_cursor, int)).max(axis=2)
    changed = np.flatnonzero((apart > 20).sum(axis=0) > 200)
    places = np.split(changed, np.flatnonzero(np.diff(changed) > 1) + 1)
    middles = [part.mean() for part in places]
    assert len(middles) == 2
    left, right = 4.6 * 15, 960 - 7.5 * 15
    assert middles == pytest.approx([left + 0.2 * (right - left), left + 0.5 * (right - left)], abs=2)


def test_nothing_but_nought_can_be_drawn() -> None:
    flat = chart(curves=[Curve("", np.zeros(11), RED)], look=Look(size=(200, 90), key=False))
    assert flat.drawn().size == (200, 90)


@pytest.mark.parametrize(("span", "most", "step"), [(10, 5, 2), (11, 5, 5), (0.3, 3, 0.1), (1, 1, 1), (70, 7, 10)])
def test_steps_are_round(span: float, most: int, step: float) -> None:
    assert nice(span, most) == pytest.approx(step)
