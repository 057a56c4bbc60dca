"""Curves over time as a picture, drawn with Pillow, which every site has: axes, a grid, names, and a mark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageFont import FreeTypeFont
    from PIL.ImageFont import ImageFont as BitmapFont

FINE = 2  # drawn so many times as large, then shrunk, so that lines are smooth
Colour = tuple[int, int, int]
Floats = NDArray[np.float64]


class Curve(NamedTuple):
    """One curve; of one without a name the key tells nothing."""

    name: str
    values: Floats
    colour: Colour
    width: float = 1.5


@dataclass(frozen=True)
class Look:
    """How a chart looks, lengths in pixels.

    Attributes:
        size: width and height.
        text: height of letters.
        ink, faint, paper: colours of words, of the grid and of the ground.
        ticks: lines of the grid, at most about so many upwards.
        key: whether curves are named at the right.
    """

    size: tuple[int, int] = (960, 540)
    text: int = 15
    ink: Colour = (40, 40, 40)
    faint: Colour = (222, 222, 222)
    paper: Colour = (255, 255, 255)
    ticks: int = 7
    key: bool = True


@dataclass(frozen=True)
class Chart:
    """Curves over one axis.

    Attributes:
        at: (T,) where values lie along it.
        curves: the last is drawn on top.
        title: above, "" for none.
        across, upwards: names of the axes.
        marks: places along the axis that are named.
        look: how it looks.
    """

    at: Floats
    curves: Sequence[Curve]
    title: str
    across: str
    upwards: str
    marks: Sequence[tuple[float, str]] = ()
    look: Look = Look()

    def drawn(self, cursor: float | None = None) -> Picture:
        """The picture, with a line at a place along the axis if one is given."""
        from PIL import Image

        look = self.look
        wide, high = (FINE * side for side in look.size)
        picture = Image.new("RGB", (wide, high), look.paper)
        pen = _Pen(self, picture)
        pen.grid()
        for place, name in self.marks:
            pen.mark(place, name)
        if cursor is not None:
            pen.line([(cursor, pen.low), (cursor, pen.high)], look.ink, 1.5)
        for curve in self.curves:
            pen.line(list(zip(self.at.tolist(), curve.values.tolist(), strict=True)), curve.colour, curve.width)
        pen.names()
        return picture.resize(look.size, Image.Resampling.LANCZOS)


class _Pen:
    """Draws in the units of a chart."""

    def __init__(self, chart: Chart, picture: Picture) -> None:
        from PIL import ImageDraw, ImageFont

        self.chart, self.look, self._picture, self._draw = chart, chart.look, picture, ImageDraw.Draw(picture)
        self._font: FreeTypeFont | BitmapFont = ImageFont.load_default(FINE * self.look.text)
        values = np.concatenate([[0.0], *(curve.values for curve in chart.curves)])
        self.step = nice(float(np.ptp(values)) or 1.0, self.look.ticks)
        self.low = math.floor(values.min() / self.step) * self.step
        self.high = math.ceil(values.max() / self.step) * self.step
        self.low, self.high = (self.low, self.high) if self.high > self.low else (-self.step, self.step)
        self.first, self.last = float(chart.at[0]), float(chart.at[-1])
        letter = FINE * self.look.text
        wide, high = (FINE * side for side in self.look.size)
        self._left, self._top = round(4.6 * letter), round((2.4 if chart.title else 1.2) * letter)
        self._right = wide - (round(7.5 * letter) if self.look.key else letter)
        self._bottom = high - round(3.2 * letter if chart.across else 1.2 * letter)
        self._letter = letter

    def at(self, x: float, y: float) -> tuple[float, float]:
        along = (x - self.first) / ((self.last - self.first) or 1.0)
        up = (y - self.low) / (self.high - self.low)
        return self._left + along * (self._right - self._left), self._bottom - up * (self._bottom - self._top)

    def line(self, points: Sequence[tuple[float, float]], colour: Colour, width: float) -> None:
        self._draw.line([self.at(*point) for point in points], fill=colour, width=round(FINE * width), joint="curve")

    def grid(self) -> None:
        for number in range(round((self.high - self.low) / self.step) + 1):
            y = self.low + number * self.step
            self.line([(self.first, y), (self.last, y)], self.look.ink if y == 0 else self.look.faint, 1)
            self._say((self._left - self._letter // 2, self.at(0, y)[1]), f"{y:g}", "rm")
        if not self.chart.across:
            return
        step = nice((self.last - self.first) or 1.0, self.look.ticks + 2)
        for number in range(math.ceil(self.first / step), math.floor(self.last / step) + 1):
            x = self.at(number * step, self.low)[0]
            self._draw.line([(x, self._bottom), (x, self._bottom + self._letter // 3)], self.look.ink, FINE)
            self._say((x, self._bottom + self._letter // 2), f"{number * step:g}", "mt")

    def mark(self, place: float, name: str) -> None:
        self.line([(place, self.low), (place, self.high)], self.look.faint, 2)
        self._say((self.at(place, 0)[0] + self._letter // 4, self._top), name, "lt")

    def names(self) -> None:
        chart, letter = self.chart, self._letter
        middle = (self._left + self._right) / 2
        if chart.title:
            self._say((middle, letter * 0.6), chart.title, "mt")
        self._say((middle, self._bottom + 1.8 * letter), chart.across, "mt")
        self._upwards()
        if not self.look.key:
            return
        for place, curve in enumerate(reversed(chart.curves)):
            y = self._top + (place + 0.5) * 1.5 * letter
            ends = [(self._right + 0.6 * letter, y), (self._right + 1.8 * letter, y)]
            self._draw.line(ends, curve.colour, round(FINE * curve.width) + 1)
            self._say((self._right + 2.2 * letter, y), curve.name, "lm")

    def _upwards(self) -> None:
        """The name of the axis upwards, read from below."""
        from PIL import Image, ImageDraw

        height = 1.4 * self._letter
        strip = Image.new("RGB", (self._bottom - self._top, round(height)), self.look.paper)
        place = (strip.width / 2, height / 2)
        ImageDraw.Draw(strip).text(place, self.chart.upwards, self.look.ink, self._font, "mm")
        turned = strip.rotate(90, expand=True)
        self._picture.paste(turned, (round(0.3 * self._letter), self._top))

    def _say(self, place: tuple[float, float], words: str, anchor: str) -> None:
        self._draw.text(place, words, self.look.ink, self._font, anchor)


def nice(span: float, most: int) -> float:
    """The least step of 1, 2 or 5 times a power of ten of which at most so many fill a span."""
    rough = span / most
    power = 10.0 ** math.floor(math.log10(rough))
    return next(each * power for each in (1, 2, 5, 10) if each * power >= rough * (1 - 1e-9))
