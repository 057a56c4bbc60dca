"""``consilium site forget``: a patient out of everything here, and what is to be said of the rest."""

from __future__ import annotations

from typing import Annotated

import typer

from site_agent.options import HERE, Home, Json, open_home, print_model


def forget(
    patient: Annotated[
        str,
        typer.Argument(
            help="The hospital's own number; the file, where no patient is named; or 12 digits of a pseudonym."
        ),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go and what would stay.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: Home = HERE,
    as_json: Json = False,
) -> None:
    """Remove a patient from catalogue, images and features at once, and from shared sums as soon as the rules allow."""
    from site_agent.forget.forgetting import find_patient
    from site_agent.forget.forgetting import forget as remove

    opened = open_home(home)
    with opened.lock():
        meant = find_patient(opened, patient)
        found = remove(opened, meant, dry_run=True)
        if not dry_run:
            if not yes:
                typer.echo("\n".join(found.lines()), err=as_json)
                typer.confirm("forget this patient? it cannot be undone", abort=True, err=as_json)
            found = remove(opened, meant)
    if as_json:
        print_model(found)
    else:
        typer.echo("\n".join(found.lines()))
