"""Options that the coordinator's commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

HERE = Path("coordinator")
Home = Annotated[Path, typer.Option("--home", help="The coordinator's folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]
