"""What the pages of a site have in common: their look, and parts that need nothing from anywhere else.

Words are taken as words: whatever a hospital calls something, it is escaped here.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from string import Template

Cell = tuple[str, str]  # its class and its content, escaped


def page(*, title: str, heading: str, about: Iterable[str], content: str, command: str) -> str:
    """A whole page; `content` is HTML, `about` the lines beside the heading, `command` what makes the page."""
    folder = files("site_agent").joinpath("pages")
    return Template(folder.joinpath("page.html").read_text(encoding="utf-8")).substitute(
        title=escape(title),
        style=folder.joinpath("page.css").read_text(encoding="utf-8"),
        heading=escape(heading),
        about="<br>".join(map(escape, about)),
        content=content,
        command=escape(command),
    )


def moment(when: datetime) -> str:
    """A time as pages tell it."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def tiles(facts: Iterable[tuple[str, str]]) -> str:
    """Numbers, as they are written, with what they count."""
    shown = (f'<div class="tile"><b>{escape(value)}</b><span>{escape(what)}</span></div>' for value, what in facts)
    return f'<div class="tiles">{"".join(shown)}</div>'


def section(title: str, content: str) -> str:
    """A card with a title; `content` is HTML."""
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def paragraphs(said: Iterable[str]) -> str:
    """One for each line."""
    return "".join(f"<p>{escape(line)}</p>" for line in said)


def table(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Cell]]) -> str:
    """A table with columns of a class and a name."""
    head = _row("th", [(kind, escape(name)) for kind, name in columns])
    body = "".join(_row("td", row) for row in rows)
    return f'<div class="wide"><table><thead>{head}</thead><tbody>{body}</tbody></table></div>'


def _row(element: str, cells: Iterable[Cell]) -> str:
    content = "".join(f'<{element} class="{kind}">{content}</{element}>' for kind, content in cells)
    return f"<tr>{content}</tr>"


def text(words: str, note: str = "") -> Cell:
    """Words, with a small note below."""
    small = f"<small>{escape(note)}</small>" if note else ""
    return "", escape(words) + small


def number(value: int) -> Cell:
    """A whole number."""
    return "number", f"{value:,}"


def picture(png: bytes, alt: str = "") -> str:
    """A PNG file, inside the page."""
    return f'<img alt="{escape(alt)}" src="data:image/png;base64,{b64encode(png).decode()}">'
