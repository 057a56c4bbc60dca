"""``consilium audit``: verify a record, and see who contributed what, from files and public keys alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from federated.errors import ConsiliumError

if TYPE_CHECKING:
    from rich.table import Table

    from federated.audit import Audit
    from federated.manifest import System
    from federated.parts import AnswerPart, SitePart

app = typer.Typer(no_args_is_help=True, help="What an auditor runs: verify a record, see who contributed what.")
MARKS = {True: "ok   ", False: "WRONG", None: "-    "}
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]


@app.command()
def verify(
    files: Annotated[list[Path], typer.Argument(help="Parcels, releases, or predictions (.jsonl).")],
    trust: Annotated[
        Path | None, typer.Option(help="keys.toml: whose signatures count, as the hospitals themselves gave it.")
    ] = None,
    release: Annotated[Path | None, typer.Option(help="The release that predictions should come from.")] = None,
    as_json: Json = False,
) -> None:
    """Check signatures, digests, shapes, numbers and what a release names, and recompute what the files allow.

    Recomputed are a release's class sums, weights and released Gram matrices, for each site whose contributions are
    among the files; its solutions, where it carries every Gram matrix; and whether predictions add up. What is not
    recomputed is marked with a dash.
    """
    from federated.audit import require_readable
    from federated.audit import verify as verify_files
    from federated.keys import read_trust

    require_readable(files)
    if trust is None:
        raise ConsiliumError("whose signatures count is not said", where="audit verify", cure="give --trust keys.toml")
    audits = verify_files(files, read_trust(trust), release)
    if as_json:
        _print_json([{**audit.model_dump(mode="json"), "ok": audit.ok} for audit in audits])
    else:
        _print_audits(audits)
    if not all(audit.ok for audit in audits):
        raise typer.Exit(1)


@app.command()
def weights(
    file: Annotated[Path, typer.Argument(help="A release, or predictions (.jsonl).")], as_json: Json = False
) -> None:
    """Show every site's part in a release or in its answers. Signatures are what `verify` looks at."""
    from federated.audit import is_predictions

    if is_predictions(file):
        _show_answers(file, as_json)
    else:
        _show_release(file, as_json)


def _show_release(file: Path, as_json: bool) -> None:
    from federated.audit import open_release
    from federated.parts import release_facts, site_parts

    manifest = open_release(file, None).manifest
    facts, parts = release_facts(manifest), site_parts(manifest)
    if as_json:
        systems = [system.model_dump(mode="json") for system in manifest.systems]
        _print_json({**facts, "sites": [part.model_dump(mode="json") for part in parts], "systems": systems})
        return
    for name, value in facts.items():
        typer.echo(f"{name}: {', '.join(value) if isinstance(value, list) else value}")
    _print_tables(_site_table(parts), _system_table(manifest.systems))


def _show_answers(file: Path, as_json: bool) -> None:
    from federated.audit import read_predictions
    from federated.decision import parse_decision
    from federated.parts import answer_parts

    decisions = [parse_decision(line, where=f"{file} line {number}") for number, line in read_predictions(file)]
    parts = answer_parts(decisions)
    if as_json:
        _print_json([part.model_dump(mode="json") for part in parts])
    else:
        _print_tables(_answer_table(parts))


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2))


def _print_audits(audits: list[Audit]) -> None:
    for audit in audits:
        typer.echo(f"{audit.file}: {audit.kind} {audit.digest or ''}".rstrip())
        for check in audit.checks:
            typer.echo(f"  {MARKS[check.ok]} {check.name}: {check.found}")
    wrong = sum(not audit.ok for audit in audits)
    typer.echo(f"{wrong} of {len(audits)} files are wrong" if wrong else f"{len(audits)} files verified")


def _print_tables(*tables: Table) -> None:
    from rich.console import Console

    console = Console()
    for table in tables:
        console.print(table)


def _table(title: str, *columns: str) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="left" if column in ("site", "label", "labels", "unit") else "right")
    return table


def _site_table(parts: list[SitePart]) -> Table:
    table = _table("sites", "site", "labels", "patients", "contributions", "gram", "calibration", "expert")
    for part in parts:
        calibration = f"{part.calibration} ({part.calibration_patients})"
        counts = (str(part.patients), str(part.contributions))
        table.add_row(part.site, ", ".join(part.labels), *counts, part.gram, calibration, part.expert or "-")
    return table


def _system_table(systems: tuple[System, ...]) -> Table:
    table = _table("systems", "sites inside", "sites outside", "inverse carried")
    for system in systems:
        inverse = "yes" if system.inverse else "no"
        table.add_row(", ".join(system.inside), ", ".join(system.outside) or "-", inverse)
    return table


def _answer_table(parts: list[AnswerPart]) -> Table:
    table = _table("mean part in the answers", "unit", "label", "answers", "site", "weight", "contribution", "evidence")
    for part in parts:
        figures = (_figure(value) for value in (part.weight, part.contribution, part.evidence))
        table.add_row(part.unit, part.label, str(part.answers), part.site, *figures)
    return table


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
