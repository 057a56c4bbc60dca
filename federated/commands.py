"""``consilium audit``: verify a record, and see who contributed what, from files and public keys alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from federated import approval_commands, draw_commands, influence_commands
from federated.audit import bundle_commands, explain_commands, release_commands
from federated.audit.dossier import commands as dossier_commands
from federated.audit_pages import commands as page_commands
from federated.errors import ConsiliumError
from federated.tables import Json, named, number, print_audit, print_json, print_tables, table

if TYPE_CHECKING:
    from rich.table import Table

    from federated.audit.outcome import Audit
    from federated.manifest import ExpertCard, System
    from federated.parts import AnswerPart, SitePart

app = typer.Typer(no_args_is_help=True, help="What an auditor runs: verify a record, see who contributed what.")
DEFAULT_WITNESSES = 2


for command in (influence_commands.influence, influence_commands.compare, influence_commands.conflicts):
    app.command()(command)
app.command()(approval_commands.approve)
app.command()(draw_commands.draw)
app.command()(draw_commands.opened)
app.command()(bundle_commands.export)
app.command()(release_commands.diff)
app.command()(explain_commands.explain)
app.command()(explain_commands.replay)
app.command()(dossier_commands.dossier)
app.command()(page_commands.serve)
app.add_typer(page_commands.token, name="token")


@app.command()
def verify(
    files: Annotated[
        list[Path],
        typer.Argument(help="A bundle; or parcels, releases, predictions (.jsonl), the folder of the log."),
    ],
    trust: Annotated[
        Path | None, typer.Option(help="keys.toml: whose signatures count, as the hospitals themselves gave it.")
    ] = None,
    release: Annotated[Path | None, typer.Option(help="The release that predictions should come from.")] = None,
    witnesses: Annotated[
        int, typer.Option(min=0, help="How many hospitals must have signed the log, at least.")
    ] = DEFAULT_WITNESSES,
    as_json: Json = False,
) -> None:
    """Check signatures, digests, shapes, numbers and what a release names, and recompute what the files allow.

    A bundle is verified whole, up to the first lie, which is named. Without --trust it is held against itself: then
    whatever rests on keys is marked "keys unverified", and nothing is called verified.

    Of a log every entry is read: that nothing was altered, dropped or moved since witnesses signed it, and that each
    hospital itself signed what is said to have come from it. Parcels beside a log have to be told of in it.

    Recomputed are a release's class sums, weights and released Gram matrices, for each site whose contributions are
    among the files; its solutions, where it carries every Gram matrix; and whether predictions add up. What is not
    recomputed is marked with a dash.
    """
    from federated.audit.bundle import is_bundle
    from federated.audit.opening import require_readable
    from federated.audit.verification import verify as verify_files
    from federated.keys import read_trust
    from federated.log.verification import audit_log, index_of, witnessed_size

    if any(is_bundle(path) for path in files):
        bundle_commands.verify_alone(files, trust, release, witnesses, as_json=as_json)
        return
    logs = [path for path in files if path.is_dir()]
    others = [path for path in files if path not in logs]
    require_readable(others)
    if trust is None:
        raise ConsiliumError("whose signatures count is not said", where="audit verify", cure="give --trust keys.toml")
    keys = read_trust(trust)
    audits = [audit_log(path, keys, witnesses=witnesses) for path in logs]
    if len(logs) > 1:
        raise ConsiliumError(
            "two folders cannot both be the log", where=str(logs[1]), cure="verify one after the other"
        )
    sound = [path for path, audit in zip(logs, audits, strict=True) if audit.ok and others]
    logged = index_of(sound[0], keys.federation) if sound else None
    witnessed = witnessed_size(sound[0], keys.federation) if sound else 0
    audits += verify_files(others, keys, release, logged, witnessed)
    if as_json:
        print_json([{**audit.model_dump(mode="json"), "ok": audit.ok} for audit in audits])
    else:
        _print_audits(audits)
    if not all(audit.ok for audit in audits):
        raise typer.Exit(1)


@app.command()
def weights(
    file: Annotated[Path, typer.Argument(help="A bundle, a release, or predictions (.jsonl).")],
    trust: Annotated[Path | None, typer.Option(help="keys.toml: check the release's signature first.")] = None,
    release: Annotated[str | None, typer.Option(help="Of a bundle: one release, by number or digest.")] = None,
    site: Annotated[str | None, typer.Option(help="Of a bundle: one site's expert.")] = None,
    label: Annotated[str | None, typer.Option(help="Of a bundle: one label.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Of a bundle: a file for all rows, as CSV.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Of a bundle: a file for a heat map, as SVG.")] = None,
    as_json: Json = False,
) -> None:
    """Show every site's part in a release or in its answers.

    Of a bundle: expert by expert, label by label and release by release, what releases are made of, and what hospitals
    told of their answers. The plot shows the newest release, or one label over releases.
    """
    from federated.audit.bundle import is_bundle
    from federated.audit.opening import is_predictions

    if is_bundle(file):
        release_commands.show_weights(file, trust, (release, site, label), (csv, plot), as_json=as_json)
    elif any(option is not None for option in (release, site, label, csv, plot)):
        what = "--release, --site, --label, --csv and --plot are of a bundle"
        raise ConsiliumError(what, where=str(file), cure="leave them out, or give a bundle")
    elif not is_predictions(file):
        _show_release(file, trust, as_json)
    elif trust is None:
        _show_answers(file, as_json)
    else:
        cure = "leave --trust out; audit verify checks them against their release"
        raise ConsiliumError("predictions bear no signature", where=str(file), cure=cure)


def _show_release(file: Path, trust: Path | None, as_json: bool) -> None:
    from federated.audit.opening import open_release
    from federated.keys import read_trust
    from federated.parts import release_facts, site_parts

    opened = open_release(file, read_trust(trust) if trust else None)
    manifest = opened.manifest
    by = f"by '{opened.passage.sender}' with {', '.join(sorted(key[:16] for key in opened.signers))}"
    signature = by if trust else "not checked"
    facts, parts = release_facts(manifest), site_parts(manifest)
    if as_json:
        systems = [system.model_dump(mode="json") for system in manifest.systems]
        print_json(
            {
                "signature": signature,
                **facts,
                "sites": [part.model_dump(mode="json") for part in parts],
                "systems": systems,
            }
        )
        return
    typer.echo(f"signature {signature}")
    for name, value in facts.items():
        typer.echo(f"{name}: {', '.join(value) if isinstance(value, list) else value}")
    columns, rows = named(("label",), [(label,) for label in manifest.labels], manifest.vocabulary)
    if "name" in columns:
        print_tables(table("labels", columns, rows))
    print_tables(_site_table(parts), _expert_table(manifest.experts), _system_table(manifest.systems))


def _show_answers(file: Path, as_json: bool) -> None:
    from federated.audit.opening import read_predictions
    from federated.decision import parse_decision
    from federated.parts import answer_parts

    decisions = [parse_decision(line, where=f"{file} line {number}") for number, line in read_predictions(file)]
    parts = answer_parts(decisions)
    if as_json:
        print_json([part.model_dump(mode="json") for part in parts])
    else:
        print_tables(*_answer_tables(parts))


def _print_audits(audits: list[Audit]) -> None:
    for audit in audits:
        print_audit(audit)
    wrong = sum(not audit.ok for audit in audits)
    typer.echo(f"{wrong} of {len(audits)} files are wrong" if wrong else f"{len(audits)} files verified")


def _site_table(parts: list[SitePart]) -> Table:
    rows = [
        (
            part.site,
            ", ".join(part.labels),
            str(part.patients),
            str(part.contributions),
            part.gram,
            f"{part.calibration} ({part.calibration_patients})",
        )
        for part in parts
    ]
    return table("sites", ("site", "labels", "patients", "parcels", "gram", "calibration"), rows)


def _expert_table(experts: tuple[ExpertCard, ...]) -> Table:
    rows = [(expert.site, expert.architecture, ", ".join(expert.labels)) for expert in experts]
    return table("experts", ("site", "architecture", "labels"), rows)


def _system_table(systems: tuple[System, ...]) -> Table:
    rows = [
        (
            "\n".join(system.inside),
            "\n".join(system.outside) or "-",
            ", ".join(system.labels),
            "yes" if system.inverse else "no",
        )
        for system in systems
    ]
    return table("systems", ("sites inside", "sites outside", "labels", "inverse"), rows)


def _answer_tables(parts: list[AnswerPart]) -> list[Table]:
    """One table for images, one for clips."""
    columns = ("label", "answers", "site", "weight", "contribution", "evidence")
    rows: dict[str, list[Sequence[str]]] = {}
    for part in parts:
        rows.setdefault(part.unit, []).append((part.label, str(part.answers), part.site, *_figures(part)))
    return [table(f"mean part in the answers, by {unit}", columns, rows[unit]) for unit in rows]


def _figures(part: AnswerPart) -> list[str]:
    values = (part.weight, part.contribution, part.evidence)
    return [number(value) for value in values]
