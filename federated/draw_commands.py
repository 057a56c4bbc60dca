"""``consilium audit draw`` and ``opened``: which records of a decision log are to be opened, and whether they were."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from federated.errors import ConsiliumError
from federated.tables import Json, print_json

if TYPE_CHECKING:
    from federated.keys import TrustFile

Summary = Annotated[Path, typer.Argument(help="A summary of the site's decisions, as it was sent (.parcel).")]
Trust = Annotated[Path | None, typer.Option(help="keys.toml: whose signatures count, as the hospitals gave it.")]
MARKS = {True: "ok   ", False: "WRONG", None: "-    "}
SEED_BYTES = 32


def draw(
    summary: Summary,
    out: Annotated[Path, typer.Option(help="The file for the site.")],
    count: Annotated[int, typer.Option(min=1, help="How many records.")] = 10,
    trust: Trust = None,
    seed: Annotated[str, typer.Option(help="64 hexadecimal digits that others know as well; random by default.")] = "",
    as_json: Json = False,
) -> None:
    """Draw records of a site's decision log at random, from the tree that a summary of the site has named.

    The site could not know the draw when it signed the summary. It opens exactly these records, one parcel each.
    """
    from secrets import token_bytes

    from federated.audit.opening import open_summary
    from federated.draw import draw_from, indices
    from federated.files import write_new

    opened = open_summary(summary, _keys(trust))
    drawn = draw_from(opened, seed=_seed(seed) if seed else token_bytes(SEED_BYTES), count=count)
    write_new(out, drawn.to_bytes(), mode=0o644)
    numbers = indices(drawn)
    if as_json:
        print_json({"draw": drawn.digest, "site": drawn.site, "records": list(numbers)})
        return
    _say_unchecked(trust)
    typer.echo(f"wrote {out}: {len(numbers)} of {drawn.size} records of {drawn.site}: {', '.join(map(str, numbers))}")
    typer.echo(f"the site answers with: consilium site decisions open {out.name}")


def opened(
    draw: Annotated[Path, typer.Argument(help="The draw.")],
    summary: Summary,
    parcels: Annotated[list[Path] | None, typer.Argument(help="What the site opened (.parcel).")] = None,
    trust: Trust = None,
    as_json: Json = False,
) -> None:
    """Verify that a site opened what was drawn, as it was logged: nothing missing, swapped, edited, from elsewhere."""
    from federated.audit.opening import open_decision, open_summary
    from federated.draw import read_draw, verify_opened

    keys = _keys(trust)
    drawn, told = read_draw(draw), open_summary(summary, keys)
    checks = verify_opened(drawn, told, [open_decision(path, keys) for path in parcels or ()])
    if as_json:
        print_json([check.model_dump(mode="json") for check in checks])
    else:
        _say_unchecked(trust)
        typer.echo("\n".join(f"{MARKS[check.ok]} {check.name}: {check.found}" for check in checks))
    if any(check.ok is False for check in checks):
        raise typer.Exit(1)


def _keys(trust: Path | None) -> TrustFile | None:
    from federated.keys import read_trust

    return read_trust(trust) if trust is not None else None


def _seed(digits: str) -> bytes:
    try:
        seed = bytes.fromhex(digits)
    except ValueError as error:
        raise ConsiliumError("is not hexadecimal", where="--seed") from error
    if len(seed) != SEED_BYTES:
        raise ConsiliumError(f"has {2 * len(seed)} digits, {2 * SEED_BYTES} are needed", where="--seed")
    return seed


def _say_unchecked(trust: Path | None) -> None:
    if trust is None:
        typer.echo("keys unverified: signatures were not checked; give --trust keys.toml", err=True)
