"""Plots show what they are given: lengths add up, negative is the other side, what is not known is no nought."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.pages.plots import (
    FIGURES,
    KINDS,
    LEAST,
    NAMES,
    REST,
    WIDTH,
    Line,
    Mark,
    Part,
    Value,
    bar,
    figure,
    heat_map,
    kinds,
    lines,
    room_for,
    stacked_bar,
    stacked_bars,
    timeline,
)
from federated.pages.svg import Svg

SVG = "{http://www.w3.org/2000/svg}"
BAD = '<script>alert("x")</script>&'
ANY = st.floats(-1e6, 1e6, allow_nan=False)


def _shapes(plot: Svg, tag: str, kind: str) -> list[ET.Element]:
    found = ET.fromstring(plot).iter(f"{SVG}{tag}")
    return [one for one in found if kind in one.get("class", "").split()]


def _said(shape: ET.Element) -> str:
    return shape[0].text or ""


def _float(shape: ET.Element, name: str) -> float:
    return float(shape.get(name, "nan"))


def test_bars_are_as_long_as_their_values() -> None:
    plot = bar([Value("one", 1.0), Value("two", 2.0, "two of two")], title="lengths")
    one, two = _shapes(plot, "rect", "s0")
    assert _float(two, "width") == pytest.approx(2 * _float(one, "width"))
    assert (_said(one), _said(two)) == ("one: 1", "two: two of two")


def test_a_negative_bar_ends_where_a_positive_one_begins() -> None:
    below, above = _shapes(bar([Value("below", -1.0), Value("above", 3.0)], title="signs"), "rect", "s0")
    assert _float(below, "x") + _float(below, "width") == pytest.approx(_float(above, "x"))
    assert _float(below, "x") == room_for(["below"])


def test_parts_fill_the_bar_one_after_the_other() -> None:
    plot = stacked_bar([Part("ada", 0.25, "s0"), Part("ben", 0.75, "s1")], title="shares")
    ada, ben = (_shapes(plot, "rect", kind)[0] for kind in ("s0", "s1"))
    assert _float(ben, "x") == pytest.approx(_float(ada, "width"))
    assert _float(ada, "width") + _float(ben, "width") == pytest.approx(WIDTH, abs=0.02)
    assert "ada 0.25, ben 0.75" in plot


def test_bars_of_one_scale_may_leave_room() -> None:
    plot = stacked_bars([("a", [Part("x", 1.0, "s0")]), ("b", [Part("x", 4.0, "s0")])], title="two", most=4.0)
    short, long = (one for one in _shapes(plot, "rect", "part"))
    assert _float(long, "width") == pytest.approx(4 * _float(short, "width"))


def test_a_part_with_room_says_what_it_is() -> None:
    plot = stacked_bar([Part("a", 0.95, "s0", "95 %"), Part("b", 0.05, "s1", "five in a hundred")], title="t")
    inside = [one.text for one in _shapes(plot, "text", "on")]
    assert inside == ["95 %"]


def test_of_a_heat_map_what_is_not_known_is_a_dot_and_nought_is_empty() -> None:
    plot = heat_map(["r"], ["a", "b", "c", "d"], [[1.0, None, 0.0, -0.5]], title="heat")
    cells = [one for one in _shapes(plot, "rect", "heat") if len(one)]
    assert [_said(one) for one in cells] == ["r, a: 1"]
    assert [_said(one) for one in _shapes(plot, "rect", "cold")] == ["r, d: -0.5"]
    assert len(_shapes(plot, "circle", "rest")) == 1


def test_the_larger_the_value_the_stronger_its_colour() -> None:
    (row,) = [[0.1 * step for step in range(1, 11)]]
    plot = heat_map(["r"], list("abcdefghij"), [row], title="heat", most=1.0)
    fades = [float(one.get("fill-opacity", "1")) for one in _shapes(plot, "rect", "heat") if len(one)]
    assert fades == sorted(fades)
    assert fades[-1] == 1.0


def test_curves_go_through_their_points() -> None:
    plot = lines([Line("up", [(0, 0.0), (1, 1.0)])], title="t", x_axis="n", y_axis="v", low=0.0, high=2.0)
    (first, last) = _shapes(plot, "circle", "s0")
    top, bottom = 16.0, 240.0
    assert _float(first, "cy") == pytest.approx(bottom)
    assert _float(last, "cy") == pytest.approx((top + bottom) / 2, abs=0.1)
    assert "up from 0 to 1" in plot


def test_marks_lie_in_their_lanes_in_the_order_of_time() -> None:
    marks = [Mark("a", 10.0, "s0", "first"), Mark("b", 20.0, "s1", "second")]
    plot = timeline(["a", "b"], marks, title="t", ticks={10.0: "then", 20.0: "now"})
    (first,), (second,) = _shapes(plot, "circle", "s0"), _shapes(plot, "circle", "s1")
    assert _float(first, "cx") < _float(second, "cx")
    assert _float(first, "cy") < _float(second, "cy")
    assert "a: 1; b: 1" in plot
    with pytest.raises(ValueError, match="not in list"):
        timeline(["a"], marks, title="t", ticks={})


def test_a_timeline_tells_what_its_colours_stand_for() -> None:
    marks = [Mark("a", 1.0, "s0", "came"), Mark("a", 2.0, "s1", "went")]
    plot = timeline(["a"], marks, title="t", ticks={}, key={"s0": "arrival", "s1": "recall"})
    assert [plot.count(f">{name}</text>") for name in ("arrival", "recall")] == [1, 1]


NOTHING: tuple[Callable[[], Svg], ...] = (
    lambda: bar([], title="none"),
    lambda: stacked_bar([], title="none"),
    lambda: stacked_bars([], title="none"),
    lambda: heat_map([], [], [], title="none"),
    lambda: lines([], title="none", x_axis="x", y_axis="y"),
    lambda: timeline([], [], title="none", ticks={}),
)


@pytest.mark.parametrize("plot", NOTHING)
def test_nothing_is_a_plot_too(plot: Callable[[], Svg]) -> None:
    assert ET.fromstring(plot())[0].text == "none"


FOREIGN: tuple[Callable[[], Svg], ...] = (
    lambda: bar([Value(BAD, 1, BAD)], title=BAD),
    lambda: stacked_bars([(BAD, [Part(BAD, 1, "s0", BAD)])], title=BAD),
    lambda: heat_map([BAD], [BAD], [[1.0]], title=BAD),
    lambda: lines([Line(BAD, [(0, 1)]), Line("b", [])], title=BAD, x_axis=BAD, y_axis=BAD, ticks={0: BAD}),
    lambda: timeline([BAD], [Mark(BAD, 0, "s0", BAD)], title=BAD, ticks={0: BAD}),
)


@pytest.mark.parametrize("plot", FOREIGN)
def test_markup_in_a_name_is_a_name(plot: Callable[[], Svg]) -> None:
    made = plot()
    tags = {one.tag.removeprefix(SVG) for one in ET.fromstring(made).iter()}
    assert tags <= {"svg", "title", "desc", "text", "rect", "line", "circle", "polyline"}
    assert "<script" not in made


@given(st.lists(ANY, max_size=12))
def test_any_values_stay_inside_the_picture(values: list[float]) -> None:
    plot = bar([Value("v", value) for value in values], title="any")
    for one in _shapes(plot, "rect", "s0"):
        assert _float(one, "x") >= LEAST - 0.01
        assert _float(one, "x") + _float(one, "width") <= WIDTH - FIGURES + 0.02


def test_names_have_the_room_that_they_need_and_no_more() -> None:
    assert room_for([]) == room_for(["a"]) == LEAST
    assert LEAST < room_for(["a", "twelve words"]) < NAMES
    assert room_for(["x" * 90]) == NAMES


def test_the_first_names_have_colours_of_their_own() -> None:
    given_kinds = kinds([*map(str, range(10)), "0"])
    assert list(given_kinds.values()) == [*KINDS, REST, REST]


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0"), (1, "1"), (0.25, "0.25"), (1234.5, "1,234"), (0.00001, "1e-05"), (-2, "-2"), (12.345, "12.3")],
)
def test_figures_are_short(value: float, said: str) -> None:
    assert figure(value) == said
