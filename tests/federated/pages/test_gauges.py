"""Bars that compare stay in their room, each measure by its own scale."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from federated.pages.gauges import Twin, gauge, twin_bars
from federated.pages.svg import Svg

SVG = "{http://www.w3.org/2000/svg}"
BAD = '<script>alert("x")</script>&'


def _shapes(plot: Svg, tag: str, kind: str) -> list[ET.Element]:
    return [one for one in ET.fromstring(plot).iter(f"{SVG}{tag}") if kind in one.get("class", "").split()]


def _float(shape: ET.Element, name: str) -> float:
    return float(shape.get(name, "nan"))


def test_two_measures_have_scales_of_their_own() -> None:
    rows = [Twin("ada", 0.5, 4.0, "half", "four"), Twin("ben", 0.25, 8.0, "quarter", "eight")]
    plot = twin_bars(rows, title="t", left="share", right="effect", most=1.0)
    (half, quarter), (four, eight) = (_shapes(plot, "rect", kind) for kind in ("s0", "s1"))
    assert _float(half, "width") == pytest.approx(2 * _float(quarter, "width"), abs=0.02)
    assert _float(eight, "width") == pytest.approx(2 * _float(half, "width"), abs=0.02)
    assert _float(four, "x") > _float(half, "x") + 2 * _float(half, "width")
    assert "ben: share quarter, effect eight" in plot


def test_a_gauge_stays_inside_its_ground() -> None:
    for share in (-1.0, 0.0, 0.5, 2.0):
        plot = gauge(share, title="g", limit=0.05)
        (ground,), (bar_,) = (_shapes(plot, "rect", kind) for kind in ("ground", "s0"))
        assert 0 <= _float(bar_, "width") <= _float(ground, "width")


def test_nothing_is_a_plot_too_and_markup_is_words() -> None:
    assert ET.fromstring(twin_bars([], title="none", left="l", right="r"))[0].text == "none"
    for plot in (twin_bars([Twin(BAD, 1, 1, BAD, BAD)], title=BAD, left=BAD, right=BAD), gauge(0.5, title=BAD)):
        assert "<script" not in plot
        assert ET.fromstring(plot)[0].text == BAD
