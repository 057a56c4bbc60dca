"""What the commands of a site share: its folder, JSON for programs, and how either is read or printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel

    from site_agent.home import SiteHome

Home = Annotated[Path, typer.Option("--home", envvar="CONSILIUM_HOME", help="The site's folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]
By = Annotated[
    list[str] | None,
    typer.Option(help="Which expert is asked, by its site's name, or 'average' for the network of rounds; all sites'."),
]
Floor = Annotated[
    float | None,
    typer.Option(
        min=0.0, max=1.0, help="Least balanced accuracy on your own held-back patients; that of guessing by default."
    ),
]
HERE = Path("site")
NO_IMAGES = "no images yet: consilium site ingest FOLDER"


def open_home(path: Path) -> SiteHome:
    """The home in a folder.

    Raises:
        ConsiliumError: it is none.
    """
    from site_agent.home import SiteHome

    return SiteHome(path)


def has_images(home: SiteHome) -> bool:
    """Whether anything was taken in yet."""
    from site_agent.catalogue import Catalogue

    return bool(Catalogue(home.catalogue_path).batches())


def words(text: str) -> list[str]:
    """What stands between commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def print_model(model: BaseModel) -> None:
    """A model as JSON."""
    print_json(model.model_dump(mode="json"))


def print_json(value: Any) -> None:
    """Plain values as JSON."""
    typer.echo(json.dumps(value, indent=1))
