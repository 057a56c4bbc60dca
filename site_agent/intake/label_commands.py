"""``consilium site labels``: what the site's own words stand for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from site_agent.options import HERE, Home, Json, open_home, print_json, print_model
from site_agent.tables import print_table

if TYPE_CHECKING:
    from site_agent.intake.own_words import Taking, Word

SAID = {"same": "same", "narrower": "narrower", "broader": "broader", "code": "is a code", "format": "by the format"}


def labels(
    file: Annotated[
        Path | None, typer.Argument(help="A label map to take over; without it, show the one here.")
    ] = None,
    home: Home = HERE,
    as_json: Json = False,
) -> None:
    """Show what your own words stand for, or check a new label map and take it over."""
    from site_agent.intake.own_words import take_over, words_of

    opened = open_home(home)
    if file is not None:
        with opened.lock():
            taking = take_over(opened, file)
        if as_json:
            print_model(taking)
        else:
            _print_taking(taking)
    elif as_json:
        print_json([word.model_dump(mode="json") for word in words_of(opened)])
    else:
        _print_words(opened.label_map.version, words_of(opened))


def _print_words(version: int, words: Sequence[Word]) -> None:
    typer.echo(f"label map, version {version}" if version else "no label map of your own")
    rows = ((word.word, _said(word), word.label, word.meaning, word.images, word.note) for word in words)
    print_table("", ("word", "relation", "labelled as", "meaning", "images", "note"), rows)
    if not words:
        typer.echo("words that are no codes of the vocabulary need a line: consilium site labels FILE")


def _said(word: Word) -> str:
    """With the concept that it is compared with, where images are labelled with another."""
    said = SAID[word.relation]
    return said if word.code == word.label else f"{said} than {word.code}"


def _print_taking(taking: Taking) -> None:
    typer.echo(f"label map: version {taking.before} -> {taking.version}")
    for what, words in (("new", taking.added), ("changed", taking.changed), ("dropped", taking.dropped)):
        if words:
            typer.echo(f"{what}: {', '.join(words)}")
    if not (taking.added or taking.changed or taking.dropped):
        typer.echo("no word means anything else than before")
