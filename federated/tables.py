"""Tables and JSON that commands print."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from federated.audit.outcome import Audit
    from federated.vocabulary import Vocabulary

MARKS = {True: "ok   ", False: "WRONG", None: "-    "}
FOLDED = (
    "label",
    "labels",
    "true label",
    "calibration",
    "architecture",
    "before",
    "after",
    "nearest",
    "name",
    "meaning",
    "contributed",
    "sites",
    "choices",
    "detail",
    "reason",
)
"""Columns that give way where a screen is too narrow, however short their cells."""
NUMBER = re.compile(r"-|[-+]?[\d.,]+%?")
WHOLE = 24
FOLD, GAP = 6, 2  # columns on the screen: of what is folded at the least, and between columns
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]


def print_json(value: Any) -> None:
    """A value as indented JSON."""
    typer.echo(json.dumps(value, indent=2))


def print_audit(audit: Audit) -> None:
    """What was looked at, and what was found."""
    typer.echo(f"{audit.file}: {audit.kind} {audit.digest or ''}".rstrip())
    for check in audit.checks:
        typer.echo(f"  {MARKS[check.ok]} {check.name}: {check.found}")


def print_tables(*tables: Table) -> None:
    """Those that have rows, each under its title."""
    from rich.console import Console

    screen = Console().width
    for each in tables:
        if each.row_count:
            title, each.title = each.title, None  # rich would fold it to the width of its table
            if title:
                typer.echo(title)
            fold(each, screen)
            Console(width=max(screen, least_width(each))).print(each)  # rather too wide than without a name


def fold(made: Table, screen: int) -> None:
    """Gives columns that fold what is left on the screen, the narrowest first; their words stay whole if they can."""
    folded = sorted((each for each in made.columns if not each.no_wrap), key=lambda each: each.max_width or 0)
    if least_width(made) > screen:
        for column in folded:
            column.min_width = min(column.min_width or 0, FOLD)
    spare = max(screen - least_width(made), 0)
    for place, column in enumerate(folded):
        least = column.min_width or 0
        more = min((column.max_width or 0) - least, spare // (len(folded) - place))
        column.width, spare = least + more, spare - more


def least_width(made: Table) -> int:
    """Width under which some column would lose what stays in one piece."""
    return sum(GAP + (column.min_width or 0) for column in made.columns)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Cells up to 24 characters stay in one piece, longer ones and labels are folded; nothing is ever cut."""
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    made = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for index, name in enumerate(columns):
        lines = [line for row in rows for line in row[index].splitlines()]
        longest = max(map(cell_len, [name, *lines]))
        whole = name not in FOLDED and max(map(cell_len, lines), default=0) <= WHOLE
        words = [word for line in (name, *lines) for word in line.split()]
        least = longest if whole else min(max(map(cell_len, words), default=0), WHOLE)
        numbers = name not in FOLDED and all(NUMBER.fullmatch(line) for line in lines)
        made.add_column(
            name,
            justify="right" if numbers else "left",
            overflow="fold",
            min_width=least,
            max_width=longest,
            no_wrap=whole,
        )
    for row in rows:
        made.add_row(*map(Text, row))  # a label of somebody's file may look like markup
    return made


def minute(when: str) -> str:
    """A time as it is logged, without its seconds: ``2026-11-21 12:26`` of ``2026-11-21T12:26:42Z``."""
    return when[:16].replace("T", " ")


def named(
    columns: Sequence[str], rows: Iterable[Sequence[str]], vocabulary: Vocabulary
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Columns and rows with each label's name beside its code; as they are where codes are names themselves."""
    names = {concept.code: concept.meaning for concept in vocabulary.concepts}
    place, told = columns.index("label") + 1, [tuple(row) for row in rows]
    if all(names.get(row[place - 1], row[place - 1]) == row[place - 1] for row in told):
        return tuple(columns), told
    beside = [(*row[:place], names.get(row[place - 1], ""), *row[place:]) for row in told]
    return (*columns[:place], "name", *columns[place:]), beside


def number(value: float | None) -> str:
    """Three decimals, or a dash where there is no number."""
    return "-" if value is None else f"{value:z.3f}"
