"""Tables and JSON that the auditor's commands print."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from federated.audit.outcome import Audit

MARKS = {True: "ok   ", False: "WRONG", None: "-    "}
WORDS = (
    "site",
    "sites inside",
    "sites outside",
    "label",
    "labels",
    "architecture",
    "images of",
    "hospital",
    "displayed",
    "against",
    "before",
    "after",
    "share",
    "unit",
    "nearest",
    "name",
    "key",
    "file",
    "encrypted",
    "note",
    "measure",
    "of",
    "verdict",
)
FOLDED = ("label", "labels", "calibration", "architecture", "before", "after", "nearest", "name")
WHOLE = 24
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
    """Those that have rows."""
    from rich.console import Console

    console = Console()
    for each in tables:
        if each.row_count:
            console.print(each)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Names of sites up to 24 characters stay in one piece; longer ones and labels are folded, never cut."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for index, name in enumerate(columns):
        lines = [line for row in rows for line in row[index].splitlines()]
        whole = name not in FOLDED and max(map(len, lines), default=0) <= WHOLE
        made.add_column(name, justify="left" if name in WORDS else "right", overflow="fold", no_wrap=whole)
    for row in rows:
        made.add_row(*map(Text, row))  # a label of somebody's file may look like markup
    return made


def number(value: float | None) -> str:
    """Three decimals, or a dash where there is no number."""
    return "-" if value is None else f"{value:z.3f}"
