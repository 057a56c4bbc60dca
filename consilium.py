"""The command line: one group per person, loaded when it is called for, and one line for a person's mistake."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from typer.core import TyperGroup

from federated.errors import ConsiliumError

if TYPE_CHECKING:
    import click

INTERRUPTED = 130
PREDICTIONS = Path("predictions.jsonl")
INSTALL = "install what this command needs, in a copy of the repository: pip install '.[site]', [coordinator] or [demo]"


def _site() -> typer.Typer:
    from site_agent.commands import app

    return app


def _coordinator() -> typer.Typer:
    from server.commands import app

    return app


def _audit() -> typer.Typer:
    from federated.commands import app

    return app


def _phantom() -> typer.Typer:
    from deploy.phantom.commands import app

    return app


class Group(NamedTuple):
    """One person's commands: what `consilium --help` says of them, and how to load them."""

    help: str
    load: Callable[[], typer.Typer]


GROUPS = {
    "site": Group("What a hospital runs: take images in, see and allow what leaves, use a release.", _site),
    "coordinator": Group("What the coordinator runs: enrol sites, take in what they send, release.", _coordinator),
    "audit": Group("What an auditor runs: verify a record, see and recompute who contributed what.", _audit),
    "phantom": Group("Images of a computed heart whose truth is known; no patient.", _phantom),
}


class LazyGroup(TyperGroup):
    """Lists every group, but imports one only when it is invoked."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The three people's groups, then what belongs to none of them."""
        return [*GROUPS, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or a group that knows its help and nothing else."""
        if cmd_name in GROUPS:
            return TyperGroup(name=cmd_name, help=GROUPS[cmd_name].help)
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is about to run, loaded."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in GROUPS:
            command = typer.main.get_group(GROUPS[name].load())
        return name, command, rest


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"consilium {version('consilium')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Hospitals consult each other's experts; the images stay home. Research use only, not for patient data."""


@app.command()
def demo(
    data: Annotated[
        Path | None, typer.Option(help="A folder with index.csv; the hospitals of the phantom where none is given.")
    ] = None,
    columns: Annotated[
        str, typer.Option(help="Other names of the index's columns, as in site=hospital,patient=case.")
    ] = "",
    order: Annotated[
        str, typer.Option(help="Sites in the order they arrive, with commas; fewest labels first by default.")
    ] = "",
    patients: Annotated[
        int | None, typer.Option(help="Patients of each hospital of the phantom that arrives; fewer are quicker.")
    ] = None,
    out: Annotated[Path, typer.Option(help="A folder for everything the demo writes.")] = Path("demo-out"),
    offline: Annotated[bool, typer.Option("--offline", help="Pass files instead of running Flower.")] = False,
    coarse: Annotated[
        str, typer.Option(help="Hospitals of the phantom that name no level of the short axis, with commas.")
    ] = "",
) -> None:
    """Watch sites that never share an image build one classifier together."""
    from deploy.demo.command import demo as run_demo

    run_demo(data=data, columns=columns, order=order, patients=patients, out=out, offline=offline, coarse=coarse)


@app.command()
def inspect(
    files: Annotated[list[Path], typer.Argument(help="Images, clips, DICOM, MetaImage or NIfTI files.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program.")] = False,
) -> None:
    """See what is in a file, and what taking it in would do; nothing is written and nobody named."""
    from site_agent.intake.inspect_command import inspect as inspect_files

    inspect_files(files, as_json=as_json)


@app.command()
def predict(
    release: Annotated[Path, typer.Argument(help="A release's file, or a folder with one.")],
    images: Annotated[list[Path], typer.Argument(help="Images, cine files, folders of them, or indexes.")],
    out: Annotated[Path, typer.Option(help="The file for one line an image and one a clip.")] = PREDICTIONS,
    trust: Annotated[
        Path | None, typer.Option(help="keys.toml, against which the release's signature is checked.")
    ] = None,
    columns: Annotated[str, typer.Option(help="Other names of the indexes' columns, as in clip=clip_id.")] = "",
    weights: Annotated[Path | None, typer.Option(help="A local file with the weights of a timm front end.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program.")] = False,
) -> None:
    """Apply a release to images, with every site's part in every answer."""
    from federated.fused_model import FusedModel
    from federated.keys import read_trust
    from site_agent.features import require_front_end
    from site_agent.predict import predict as predict_images
    from site_agent.predict import read_release
    from site_agent.sources.index import parse_columns

    opened = read_release(release, read_trust(trust) if trust else None)
    model = FusedModel.from_release(opened.manifest, opened.tensors)
    front_end = require_front_end(opened.manifest.front_end, weights)
    done = predict_images(model, front_end, images, out, parse_columns(columns))
    if trust is None:
        typer.echo("the release's signature was not checked: name the auditor's file with --trust keys.toml", err=True)
    line = f"wrote {done.out}: {done.images} images, {done.clips} clips, {done.abstained} of them unanswered"
    typer.echo(done.model_dump_json(indent=1) if as_json else line)
    for name, reason in done.unreadable:
        typer.echo(f"left out {name}: {reason}", err=True)
    if done.unreadable:
        raise typer.Exit(1)


def main() -> None:
    """Run the command line; a person's mistake is one line on standard error and exit code 1."""
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # else it tells of every process that is started beside it
    try:
        app()
    except ConsiliumError as error:
        _stop(str(error))
    except ModuleNotFoundError as error:
        _stop(f"the package '{error.name}' is not installed; {INSTALL}")
    except OSError as error:
        _stop(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _stop(message: str) -> None:
    typer.echo(f"consilium: {' '.join(message.split())}", err=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
