"""``consilium coordinator bundle``: the whole record for an auditor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from federated.tables import print_json
from server.options import HERE, Home, Json


def bundle(
    out: Annotated[Path, typer.Argument(help="A new file NAME.bundle, or a new folder.")],
    with_features: Annotated[
        bool, typer.Option("--with-features", help="Images' features as well, which sites sent to you alone.")
    ] = False,
    with_averages: Annotated[
        bool, typer.Option("--with-averages", help="The states of models that were averaged in rounds as well.")
    ] = False,
    predictions: Annotated[
        list[Path] | None,
        typer.Option(help="Predictions (.jsonl) for an auditor to see; may be given again."),
    ] = None,
    home: Home = HERE,
    as_json: Json = False,
) -> None:
    """Write the whole record for an auditor: log, releases, reports, contributions, plans, decisions that were opened.

    Each site's own words decide what of its contributions an auditor gets: no Gram matrix that it keeps from other
    sites, no features unless you say so, nothing that was taken back. Of those the bundle has what was signed, and why
    there is no more.
    """
    from federated.audit.contents import WHY
    from server.bundles import write_bundle
    from server.home import CoordinatorHome

    done = write_bundle(
        CoordinatorHome(home), out, features=with_features, averages=with_averages, predictions=predictions or ()
    )
    if as_json:
        print_json({"bundle": str(out), **done.model_dump(mode="json")})
        return
    kinds = ", ".join(f"{count} {kind}" for kind, count in done.parcels.items()) or "no parcel"
    typer.echo(f"{out}: {done.members} members, {done.bytes} bytes: {kinds}")
    for why, count in done.kept.items():
        typer.echo(f"  of {count} parcels the head alone: {WHY[why]}")
    typer.echo(f"to verify: consilium audit verify {out} --trust keys.toml, with the hospitals' own keys.toml")
