"""``consilium audit verify`` of a bundle, and ``export``, which makes one of loose files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from federated.errors import ConsiliumError
from federated.tables import print_audit, print_json

if TYPE_CHECKING:
    from federated.audit.outcome import Audit

RESTS = "keys unverified: whose signatures these are, the bundle alone says; give --trust keys.toml from the hospitals"


def verify_alone(paths: list[Path], trust: Path | None, release: Path | None, witnesses: int, *, as_json: bool) -> None:
    """Verifies one bundle, and ends with 1 at the first lie.

    Raises:
        ConsiliumError: something else is given beside it, or it is none.
        typer.Exit: it is not what it says.
    """
    from federated.audit.bundle import open_bundle
    from federated.audit.whole import verify_bundle
    from federated.keys import read_trust

    if len(paths) > 1:
        raise ConsiliumError("is a bundle, and verified by itself", where=str(paths[0]), cure="name nothing beside it")
    if release is not None:
        raise ConsiliumError("a bundle brings its own releases", where="--release", cure="leave it out")
    keys = read_trust(trust) if trust is not None else None
    bundle = open_bundle(paths[0])
    audits = verify_bundle(bundle, keys, witnesses=witnesses)
    last = _print_all(audits, outside=keys is not None) if as_json else _print_each(audits, outside=keys is not None)
    if not last.ok:
        raise typer.Exit(1)


def _print_all(audits: Iterable[Audit], *, outside: bool) -> Audit:
    found = list(audits)
    parts = [{**audit.model_dump(mode="json"), "ok": audit.ok} for audit in found]
    print_json({"ok": found[-1].ok, "keys": "given" if outside else "unverified", "parts": parts})
    return found[-1]


def _print_each(audits: Iterable[Audit], *, outside: bool) -> Audit:
    """A line for each check as it is made, then what it all comes to."""
    from federated.audit.whole import gathered

    open_points, last = 0, None
    for last in gathered(audits):
        print_audit(last)
        open_points += sum(check.ok is None for check in last.checks)
    assert last is not None
    if not last.ok:
        wrong = last.checks[-1]
        whose = f", the word of '{last.by}'" if last.by else ""
        typer.echo(f"refused at the first lie: {last.file}{whose}: {wrong.name}: {wrong.found}")
        return last
    rest = f"; {open_points} points are open, marked with a dash" if open_points else ""
    typer.echo(f"verified{rest}" if outside else f"nothing contradicts itself{rest}; {RESTS}")
    return last


def export(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Bundles, parcels, the log's folder, predictions (.jsonl), plans and keys (.toml), draws (.json)."
        ),
    ],
    out: Annotated[Path, typer.Option(help="A new file NAME.bundle, or a new folder.")],
    with_features: Annotated[
        bool, typer.Option("--with-features", help="Contributions of features whole, where you may hand them on.")
    ] = False,
) -> None:
    """Put what you were given into one bundle, as the coordinator's own is; or add to that one, as a draw of yours.

    Of a contribution with a Gram matrix that its site keeps from other sites, of features and of networks the bundle
    has what was signed, and not the tensors.
    """
    from federated.audit.exporting import export_bundle

    contents = export_bundle(files, out, with_features=with_features)
    kept = sum(member.why is not None for member in contents.members.values())
    heads = f", of {kept} parcels the head alone" if kept else ""
    typer.echo(f"{out}: {len(contents.members)} members{heads}")
    typer.echo(f"to verify: consilium audit verify {out} --trust keys.toml")
