"""``consilium coordinator vocabulary``: what a change of the labels would touch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from federated.errors import ConsiliumError
from server.options import HERE, Home, Json

if TYPE_CHECKING:
    from server.coordinator import Coordinator
    from server.vocabulary_changes import Effects, Kind

app = typer.Typer(no_args_is_help=True, help="See what a change of the labels would touch.")
DryRun = Annotated[bool, typer.Option("--dry-run", help="Change nothing; list what would be touched.")]


@app.command()
def rename(
    code: Annotated[str, typer.Argument(help="The label.")],
    new: Annotated[str, typer.Argument(help="Its new code.")],
    dry_run: DryRun = False,
    home: Home = HERE,
    as_json: Json = False,
) -> None:
    """List what a new code for a label would touch."""
    _told(_effects(_open(home), "rename", [code], [new]), as_json=as_json)
    _only_listed(dry_run=dry_run)


@app.command()
def merge(
    codes: Annotated[list[str], typer.Argument(help="The labels.")],
    into: Annotated[str, typer.Option(help="The label that they become.")],
    dry_run: DryRun = False,
    home: Home = HERE,
    as_json: Json = False,
) -> None:
    """List what one label in place of several would touch."""
    _told(_effects(_open(home), "merge", codes, [into]), as_json=as_json)
    _only_listed(dry_run=dry_run)


@app.command()
def split(
    code: Annotated[str, typer.Argument(help="The label.")],
    into: Annotated[list[str], typer.Option(help="A label below it, CODE=MEANING; give two or more.")],
    scheme: Annotated[str, typer.Option(help="The scheme of the new codes.")] = "local",
    dry_run: DryRun = False,
    home: Home = HERE,
    as_json: Json = False,
) -> None:
    """Append labels below one; what was contributed under it stays."""
    coordinator, meanings = _open(home), dict(_meaning(text) for text in into)
    _told(_effects(coordinator, "split", [code], list(meanings)), as_json=as_json)
    if not dry_run:
        coordinator.split_label(code, meanings, scheme)
        typer.echo(f"appended {', '.join(meanings)}; the next candidate and new kits bring them", err=True)


def _open(home: Path) -> Coordinator:
    from server.coordinator import Coordinator
    from server.home import CoordinatorHome

    return Coordinator(CoordinatorHome(home))


def _effects(coordinator: Coordinator, kind: Kind, before: list[str], after: list[str]) -> Effects:
    from server.home import validated
    from server.vocabulary_changes import Change

    values = {"kind": kind, "before": tuple(before), "after": tuple(after)}
    return coordinator.effects_of(validated(Change, values, where=f"vocabulary {kind}"))


def _meaning(text: str) -> tuple[str, str]:
    code, equals, meaning = text.partition("=")
    if not (equals and code.strip() and meaning.strip()):
        raise ConsiliumError("is not CODE=MEANING", where=f"--into {text}")
    return code.strip(), meaning.strip()


def _only_listed(*, dry_run: bool) -> None:
    if not dry_run:
        raise ConsiliumError(
            "nothing was changed: contributions would have to be made anew, which only their sites can do",
            where="vocabulary",
            cure="follow the steps above, or list them with --dry-run",
        )


def _told(found: Effects, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found.model_dump(mode="json"), indent=1))
        return
    patients, images = (sum(getattr(share, name) for share in found.sites) for name in ("patients", "images"))
    typer.echo(f"{found.change.kind} {', '.join(found.change.before)} -> {', '.join(found.change.after)}")
    typer.echo(f"concepts of the vocabulary: {_listed(found.concepts)}")
    typer.echo(f"contributed under them: {patients} patients, {images} images of {len(found.sites)} sites")
    for share in found.sites:
        digests = ", ".join(digest.removeprefix("sha256:")[:12] for digest in share.contributions)
        typer.echo(
            f"  {share.site}: {_listed(share.labels)}: {share.patients} patients, {share.images} images; {digests}"
        )
    typer.echo(f"newest candidate: {'has them' if found.candidate else 'untouched'}")
    typer.echo(f"releases: {_listed(found.releases)}; reports of: {_listed(found.reports)}")
    adopted = [f"{site} ({_listed(numbers)})" for site, numbers in found.adopted.items()]
    typer.echo(f"adopted by: {_listed(adopted)}")
    typer.echo("label maps: not known here; each site sees its own with consilium site labels")
    for number, step in enumerate(found.steps, start=1):
        typer.echo(f"{number}. {step}")


def _listed(values: tuple[object, ...] | list[str]) -> str:
    return ", ".join(map(str, values)) or "none"
