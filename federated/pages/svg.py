"""SVG as text that templates take as it is: escaped where it is made, with a title and a description to be read out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from html import escape
from importlib.resources import files

from federated.errors import one_line

BROAD = 760  # pixels; what is broader shrinks to this on a narrow screen, and is moved beneath the finger


class Svg(str):
    """SVG in which every foreign word is escaped already; Jinja does not escape it once more."""

    __slots__ = ()

    def __html__(self) -> str:
        """The text itself."""
        return str(self)


def words(text: str) -> str:
    """Foreign words as text inside SVG; what does not print, and XML would not take, is written as Python writes it."""
    return escape(one_line(text))


def shortened(text: str, most: int) -> str:
    """Words that fit, escaped."""
    return words(text if len(text) <= most else text[: most - 1] + "…")


def drawing(width: float, height: float, content: Iterable[str], *, title: str, desc: str) -> Svg:
    """A picture of a size in pixels that shrinks with the page; `title` names it and `desc` says what it shows."""
    inside = "".join(content)
    name = "p" + hashlib.sha256(f"{title}\n{desc}\n{inside}".encode()).hexdigest()[:12]
    kind = "plot broad" if width > BROAD else "plot"
    return Svg(
        f'<svg class="{kind}" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img" aria-labelledby="{name}t {name}d"><title id="{name}t">{words(title)}</title>'
        f'<desc id="{name}d">{words(desc)}</desc>{inside}</svg>'
    )


def text(x: float, y: float, said: str, *, kind: str = "", anchor: str = "start", turn: float = 0) -> str:
    """A line of words, escaped already; `turn` in degrees about its beginning."""
    turned = f' transform="rotate({turn:g} {x:.1f} {y:.1f})"' if turn else ""
    styled = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{styled}{turned}>{said}</text>'


def rectangle(x: float, y: float, width: float, height: float, kind: str, *, said: str = "", fade: float = 1.0) -> str:
    """A filled rectangle; `said` (escaped) is shown to who points at it, `fade` is how strong the colour is, 0 to 1."""
    faded = f' fill-opacity="{fade:.3f}"' if fade < 1 else ""
    inside = f"<title>{said}</title>" if said else ""
    place = f'x="{x:.2f}" y="{y:.2f}" width="{max(width, 0):.2f}" height="{max(height, 0):.2f}"'
    return f'<rect class="{kind}" {place}{faded}>{inside}</rect>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str = "rule") -> str:
    """A straight line."""
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def plots_style() -> str:
    """The colours of the plots, in light and dark and on paper."""
    return files("federated").joinpath("pages", "plots.css").read_text(encoding="utf-8")


def standalone(plot: Svg) -> bytes:
    """A plot as a file of its own, with its colours in it."""
    begin, end = plot.split(">", 1)
    return f"{begin}><style>{plots_style()}</style>{end}\n".encode()
