"""``consilium site ingest`` and what belongs to it: images in, and what a person must look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from federated.errors import DataError
from site_agent import tables
from site_agent.options import HERE, Home, Json, open_home, print_json, print_model


def ingest(
    root: Annotated[Path, typer.Argument(help="A folder, an index.csv, or a file.")],
    form: Annotated[
        str, typer.Option("--format", help="How the images are kept: auto, or a name from the list in the manual.")
    ] = "auto",
    columns: Annotated[
        str, typer.Option(help="Other names of an index's columns, as in patient=case,label=view.")
    ] = "",
    site: Annotated[str | None, typer.Option(help="Only rows with this word in the site column.")] = None,
    machine: Annotated[
        str, typer.Option(help="Maker and model, where the headers do not say or are wrong; a new one is a new expert.")
    ] = "",
    pixels: Annotated[
        str, typer.Option(help="'sector': what lies outside is removed; 'whole': you vouch for every pixel.")
    ] = "sector",
    home: Home = HERE,
    as_json: Json = False,
) -> None:
    """Take images in, de-identified; what is new is a batch, and patients are put into folds for ever."""
    from site_agent.intake.ingest import Order, cores
    from site_agent.intake.ingest import ingest as take_in
    from site_agent.sources.index import parse_columns

    if pixels not in {"sector", "whole"}:
        raise DataError(f"there is no rule '{pixels}'", where="--pixels", cure="say sector or whole")
    opened = open_home(home)
    processes = max(2, cores())  # with one, a decoder that crashes would end everything
    order = Order(form, parse_columns(columns), site, machine, "whole" if pixels == "whole" else "sector", processes)
    with opened.lock():
        report = take_in(opened.archive, opened.image_vocabulary, opened.label_map, root, order)
    if as_json:
        print_model(report)
    else:
        tables.print_ingest(report, {concept.code: concept.meaning for concept in opened.image_vocabulary.concepts})


def quarantine(
    keys: Annotated[list[str] | None, typer.Argument(help="Of items that you have looked at.")] = None,
    clear: Annotated[
        bool, typer.Option("--clear", help="Nothing in these items identifies anybody: the next ingest takes them in.")
    ] = False,
    home: Home = HERE,
    as_json: Json = False,
) -> None:
    """Show what was refused, set aside or kept apart, with the reasons; clear what a person has looked at."""
    from site_agent.intake.quarantine import clear_items, set_aside

    opened = open_home(home)
    if clear:
        with opened.lock():
            names = clear_items(opened.archive, keys or [])
        typer.echo("cleared, the next ingest takes in: " + ", ".join(names))
        return
    found = set_aside(opened.archive, keys or [])
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
    elif found:
        tables.print_aside(found)
    else:
        typer.echo("nothing was refused, set aside or kept apart")
