"""Curves whose heights are the figures."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from site_agent.training_report.curves import FOOT, HEIGHT, LEFT, LINES, RIGHT, TOP, WIDTH, curve, nice_ticks

NAN = float("nan")


def _of(svg: str, name: str) -> list[ET.Element]:
    return list(ET.fromstring(svg).iter(name))


def _path(line: ET.Element) -> list[list[float]]:
    return [[float(value) for value in point.split(",")] for point in line.attrib["points"].split()]


def test_a_curve_runs_from_corner_to_corner() -> None:
    svg = curve([(1, 0.0), (2, 0.5), (3, 1.0)])
    (line,) = _of(svg, "polyline")
    bottom, top = HEIGHT - FOOT, TOP
    assert _path(line) == [[LEFT, bottom], [(LEFT + WIDTH - RIGHT) / 2, (bottom + top) / 2], [WIDTH - RIGHT, top]]
    assert [text.text for text in _of(svg, "text")] == ["0", "0.25", "0.5", "0.75", "1", "1", "2", "3"]
    assert 'aria-label="from 0 in epoch 1 to 1 in epoch 3"' in svg


def test_what_is_no_number_breaks_the_line() -> None:
    svg = curve([(1, 3.0), (2, 2.0), (3, NAN), (4, 1.0), (5, float("inf"))])
    (line,) = _of(svg, "polyline")
    assert len(_path(line)) == 2
    assert len(_of(svg, "circle")) == 1, "a point between two that are none"


def test_the_epoch_that_was_kept_is_marked() -> None:
    (dot,) = _of(curve([(1, 4.0), (2, 1.0), (3, 2.0)], best=2), "circle")
    assert dot.attrib["cy"] == f"{HEIGHT - FOOT:.2f}"
    assert "".join(dot.itertext()) == "epoch 2: 1"
    assert _of(curve([(1, 4.0), (2, 1.0)], best=7), "circle") == []


def test_one_epoch_and_one_value_are_enough() -> None:
    (dot,) = _of(curve([(1, 0.7)]), "circle")
    assert float(dot.attrib["cx"]) == (LEFT + WIDTH - RIGHT) / 2
    flat = _path(_of(curve([(1, 0.7), (2, 0.7)]), "polyline")[0])
    assert flat[0][1] == flat[1][1]


def test_few_epochs_are_named_and_the_last_always() -> None:
    names = [text.text for text in _of(curve([(epoch, 0.0 + epoch) for epoch in range(1, 62)]), "text")]
    assert names[-6:] == ["1", "13", "25", "37", "49", "61"]
    names = [text.text for text in _of(curve([(epoch, 0.0 + epoch) for epoch in range(1, 65)]), "text")]
    assert names[-6:] == ["1", "14", "27", "40", "53", "64"]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8))
def test_ticks_hold_all_values_at_equal_steps(values: list[float]) -> None:
    ticks = nice_ticks(values)
    step = ticks[1] - ticks[0]
    slack = 1e-5 * step + 1e-6
    assert 2 <= len(ticks) <= LINES + 2
    assert np.allclose(np.diff(ticks), step)
    assert ticks[0] <= min(values) + slack
    assert ticks[-1] >= max(values) - slack


def test_without_a_figure_there_is_no_curve() -> None:
    with pytest.raises(ValueError, match="no epoch"):
        curve([(1, NAN)])
