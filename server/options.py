"""Options that the coordinator's commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from server.coordinator import Coordinator
    from server.home import CoordinatorHome

HERE = Path("coordinator")
Home = Annotated[Path, typer.Option("--home", help="The coordinator's folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]


def open_coordinator(home: Path) -> Coordinator:
    """The coordinator of a folder.

    Raises:
        ConsiliumError: there is none, or it cannot be used.
    """
    from server.coordinator import Coordinator
    from server.home import CoordinatorHome

    return Coordinator(CoordinatorHome(home))


def wake(home: CoordinatorHome) -> None:
    """Asks a running coordinator for an event."""
    from server.watch import request_event

    request_event(home)
