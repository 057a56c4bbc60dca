"""What a person sees while the demonstration runs, kept for ``tables.txt`` too."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType

WIDTH = 120


class Show:
    """Prints to the terminal and keeps a plain copy."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._copy = io.StringIO()
        self._keeper = Console(file=self._copy, width=WIDTH, color_system=None)

    def say(self, *things: RenderableType) -> None:
        """Text and tables."""
        for thing in things:
            self._console.print(thing, highlight=False, markup=False)
            self._keeper.print(thing, highlight=False, markup=False)

    def list(self, lines: Iterable[str]) -> None:
        """Lines that a person may want to copy: never broken."""
        for line in lines:
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)
            self._keeper.print(line, highlight=False, markup=False, soft_wrap=True)

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Shows, on a terminal, that something takes its time."""
        with self._console.status(what):
            yield

    @property
    def text(self) -> str:
        """Everything said so far."""
        return self._copy.getvalue()
