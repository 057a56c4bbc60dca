"""Plots whose lengths are the numbers."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from site_agent.status.plots import COLUMN, FOOT, TALL, WIDTH, histogram, stacked_bar


def _rectangles(svg: str) -> list[ET.Element]:
    return list(ET.fromstring(svg).iter("rect"))


def _numbers(svg: str, name: str) -> list[float]:
    return [float(rectangle.attrib[name]) for rectangle in _rectangles(svg)]


def test_parts_of_a_bar_lie_one_after_another() -> None:
    svg = stacked_bar({"train": 6, "validation": 0, "test": 2}, 16)
    assert _numbers(svg, "width") == [WIDTH * 6 / 16, WIDTH * 2 / 16]
    assert _numbers(svg, "x") == [0, WIDTH * 6 / 16]
    assert [rectangle.attrib["class"] for rectangle in _rectangles(svg)] == ["part-train", "part-test"]
    assert 'aria-label="train 6, validation 0, test 2"' in svg


def test_the_largest_fills_the_width() -> None:
    assert sum(_numbers(stacked_bar({"a": 3, "b": 4}, 7), "width")) == pytest.approx(WIDTH, abs=0.01)
    assert _rectangles(stacked_bar({"a": 0}, 0)) == []


def test_columns_are_as_tall_as_their_numbers() -> None:
    svg = histogram([0, 2, 8, 4], 0.0, 1.0)
    heights = _numbers(svg, "height")
    assert heights == [(TALL - FOOT) * share for share in (0, 0.25, 1, 0.5)]
    bottoms = [y + height for y, height in zip(_numbers(svg, "y"), heights, strict=True)]
    assert bottoms == [TALL] * 4
    assert _numbers(svg, "x") == [place * COLUMN + 1 for place in range(4)]
    texts = [element.text for element in ET.fromstring(svg).iter("text")]
    assert texts == ["2", "8", "4", "0", "0.25", "0.5", "0.75", "1"]


def test_nothing_is_flat() -> None:
    assert _numbers(histogram([0, 0], 0.0, 1.0), "height") == [0, 0]


def test_names_are_escaped() -> None:
    assert "<b>" not in stacked_bar({"<b>": 1}, 1)
