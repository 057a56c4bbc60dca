"""A dossier as Markdown, in which nothing that somebody wrote is markup."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from federated.audit.dossier.document import Dossier, Grid, Line, Section
from federated.errors import one_line

MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~!])")
LEADING = re.compile(r"^(\s*\d*)([-+.)])(?=\s)", re.MULTILINE)


def markdown(dossier: Dossier) -> str:
    """The whole text."""
    return "\n".join(_lines(dossier)) + "\n"


def _lines(dossier: Dossier) -> Iterator[str]:
    yield f"# {plain(dossier.federation)}: dossier of release {dossier.release}"
    yield ""
    yield f"`{dossier.digest}`. {plain(dossier.signatures)}."
    yield ""
    for each in dossier.left_out:
        yield from (f"**Left out: {plain(each)}.**", "")
    yield f"{len(dossier.missing)} topics are not stated: {plain(', '.join(dossier.missing) or 'none')}."
    for section in dossier.sections:
        yield from _section(section)


def _section(section: Section) -> Iterator[str]:
    yield from ("", f"## {plain(section.title)}", "", plain(section.about), "")
    if section.lines:
        yield from _table(("topic", "what is known", "from", "guideline items"), [_row(line) for line in section.lines])
    for grid in section.grids:
        yield from _grid(grid)
    for note in section.notes:
        yield from ("", plain(note))


def _row(line: Line) -> tuple[str, ...]:
    said = line.said if line.text is not None else f"**{line.said}**"
    return plain(line.topic), said if line.text is None else plain(said), plain(line.source), ", ".join(line.items)


def _grid(grid: Grid) -> Iterator[str]:
    yield from ("", f"### {plain(grid.headline)}", "")
    if not grid.rows:
        yield plain(grid.empty)
        return
    yield from _table(grid.columns, [tuple(map(plain, row)) for row in grid.rows], grid.numbers)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> Iterator[str]:
    yield f"| {' | '.join(map(plain, columns))} |"
    yield f"|{'|'.join('---:' if place in numbers else '---' for place in range(len(columns)))}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def plain(text: str) -> str:
    """A text as Markdown that shows it as it is, in one line; of several lines, with breaks between."""
    lines = (MARKUP.sub(r"\\\1", one_line(line)) for line in text.splitlines())
    return "<br>".join(LEADING.sub(r"\1\\\2", line) for line in lines)
