"""A progress bar for work that turns out to take longer than a person likes to wait in silence."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

Item = TypeVar("Item")

PATIENCE = 2.0  # seconds


def track(items: Iterable[Item], *, total: int, what: str, console: Console | None = None) -> Iterator[Item]:
    """The items one by one; after `PATIENCE` seconds a bar on stderr, if that is a terminal, counts them."""
    console = console or Console(stderr=True)
    started = time.monotonic()
    bar = Progress(console=console, transient=True)
    task = bar.add_task(what, total=total)
    try:
        for done, item in enumerate(items):
            if console.is_terminal and not bar.live.is_started and time.monotonic() - started > PATIENCE:
                bar.start()
            bar.update(task, completed=done)
            yield item
    finally:
        if bar.live.is_started:
            bar.stop()
