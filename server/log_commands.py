"""``consilium coordinator log``: the record of everything that happened, for auditors and for whoever asks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from federated.tables import minute, print_json, print_tables, table
from server.options import HERE, Home, Json

if TYPE_CHECKING:
    from federated.log.entries import Entry

SHOWN = 20
SHORT = 12  # digits of a digest


def log(
    out: Annotated[Path | None, typer.Option(help="A new folder for a copy, which auditors verify.")] = None,
    last: Annotated[int, typer.Option(min=1, help="How many entries are shown.")] = SHOWN,
    home: Home = HERE,
    as_json: Json = False,
) -> None:
    """Show the last entries of the log and who has witnessed it, or copy it for an auditor."""
    from server.home import CoordinatorHome
    from server.log import copy_log, log_facts

    opened = CoordinatorHome(home)
    if out is not None:
        copied = copy_log(opened, out)
        typer.echo(f"{out}: {copied} entries; to verify: consilium audit verify {out} --trust keys.toml")
        return
    facts = log_facts(opened, last)
    if as_json:
        print_json(facts.model_dump(mode="json", exclude={"last": {"__all__": {"envelope", "approvals"}}}))
        return
    typer.echo(f"{facts.entries} entries, the first {facts.witnessed} witnessed by {', '.join(facts.by) or 'nobody'}")
    first = facts.entries - len(facts.last)
    rows = [(str(number), *_shown(entry)) for number, entry in enumerate(facts.last, first)]
    print_tables(table("the last entries", ("entry", "at (UTC)", "event", "site", "kind", "no.", "about"), rows))


def _shown(entry: Entry) -> tuple[str, ...]:
    number = "" if entry.number is None else str(entry.number)
    about = (entry.subject or "").removeprefix("sha256:")[:SHORT]
    return minute(entry.at), entry.event, entry.site or "", entry.kind or "", number, about
