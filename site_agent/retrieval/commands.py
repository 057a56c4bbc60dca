"""The command that looks for what is alike among a site's own images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from site_agent.options import HERE, By, Home, Json, open_home, print_json
from site_agent.tables import print_table

IMAGE = typer.Argument(help="A still or a cine file.")
COLUMNS = ("similarity", "image", "frame", "shows", "patient", "batch", "fold")
SHORT = 8  # digits of a pseudonym that are shown


def similar(
    image: Annotated[Path, IMAGE],
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many clips and stills.")] = 8,
    sheet: Annotated[Path | None, typer.Option(help="A picture of them beside each other, as PNG.")] = None,
    by: By = None,
    home: Home = HERE,
    as_json: Json = False,
) -> None:
    """Which of the site's own images are most like one: by encoders of retrieval, else by the front end.

    Nothing of it leaves the hospital.
    """
    from site_agent.retrieval.prediction import find, write_sheet
    from site_agent.retrieval.similar import has_encoder

    opened = open_home(home)
    asked, hits, found = find(opened, image, count, by or ())
    if sheet is not None:
        write_sheet(opened, sheet, asked, hits)
    if as_json:
        print_json([each.model_dump() for each in found])
        return
    encoders = ", ".join(by) if by else "encoders of retrieval"
    how = encoders if has_encoder(opened) else "the front end, there being no encoder"
    rows = [
        (f"{each.similarity:.3f}", each.name, each.frame, each.label, each.patient[:SHORT], each.batch, each.fold)
        for each in found
    ]
    print_table(f"most like {image.name}, by {how}", COLUMNS, rows)
    if sheet is not None:
        typer.echo(f"wrote {sheet}; it shows images of patients")
