"""``consilium site``: take images in, see and allow what leaves, use a release, take back."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from federated.key_commands import Encrypted, PassphraseFd, PassphraseFile, new_passphrases, take_passphrases
from site_agent import (
    drift_commands,
    egress_commands,
    fence_commands,
    key_commands,
    learning_commands,
    release_commands,
    rotation_commands,
    tables,
)
from site_agent.backup import commands as backup_commands
from site_agent.decisions import commands as decision_commands
from site_agent.forget import commands as forget_commands
from site_agent.intake import commands as intake_commands
from site_agent.intake import label_commands
from site_agent.options import HERE, NO_IMAGES, Floor, Home, Json, has_images, open_home, print_json, print_model
from site_agent.reconstruction import commands as reconstruction_commands
from site_agent.registration import commands as registration_commands
from site_agent.registration import motion_commands
from site_agent.retrieval import commands as retrieval_commands
from site_agent.web import commands as web_commands

app = typer.Typer(no_args_is_help=True)


@app.callback()
def owner_only(passphrase_file: PassphraseFile = None, passphrase_fd: PassphraseFd = None) -> None:
    """What a hospital runs: take images in, see and allow what leaves, use a release."""
    take_passphrases(passphrase_file, passphrase_fd)
    os.umask(0o077)  # a courier of another user may pass the folder to the socket, and must find no file open to it


@app.command()
def join(
    kit: Annotated[Path, typer.Argument(help="The kit that the coordinator sent.")],
    fingerprint: Annotated[str, typer.Option(help="The fingerprint that the coordinator told by telephone.")],
    approver_key: Annotated[
        Path | None, typer.Option(help="Public key of an approver who keeps the private one elsewhere.")
    ] = None,
    encrypt: Encrypted = False,
    home: Home = HERE,
) -> None:
    """Make the site's folder from a kit, and the request to enrol."""
    from federated.enrolment import read_kit
    from federated.keys import fingerprint as fingerprint_of
    from federated.keys import public_hex, spoken_fingerprint
    from site_agent.home import SiteHome

    read = read_kit(kit, fingerprint=fingerprint)
    whose = ("the site's key", *(["the approver's key"] if approver_key is None else []))
    passphrases = new_passphrases(*whose) if encrypt else ()
    made = SiteHome.create(home, read, approver_key, (passphrases[0], passphrases[-1]) if passphrases else None)
    told = spoken_fingerprint(fingerprint_of(bytes.fromhex(public_hex(made.key()))))
    typer.echo(f"made {home}, the home of {read.site} in {read.federation}")
    typer.echo(f"send {made.request_path} to the coordinator, and tell them by telephone: {told}")
    typer.echo("nothing can leave until an approver has signed a policy: consilium site policy")


@app.command()
def doctor(home: Home = HERE, as_json: Json = False) -> None:
    """Check keys, clock, the way to the coordinator, disk, decoders, front end and policy."""
    from site_agent.doctor import examine

    findings = examine(open_home(home))
    if as_json:
        print_json([finding.model_dump(mode="json") for finding in findings])
    else:
        tables.print_findings(findings)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


@app.command()
def status(
    html: Annotated[
        Path | None, typer.Option(help="Write it as a page with pictures, which stays in the hospital.")
    ] = None,
    home: Home = HERE,
    as_json: Json = False,
) -> None:
    """Show what was taken in and what was not, what left, what waits, and which release answers."""
    from site_agent.status.status import site_status
    from site_agent.status.tables import print_status

    opened = open_home(home)
    found = site_status(opened)
    if html is not None:
        from site_agent.status.page import write_page

        write_page(html, found, opened.archive)
        typer.echo(f"wrote {html}; it shows images of patients, though without their names", err=True)
    if as_json:
        print_model(found)
    elif html is None:
        print_status(found)


@app.command()
def work(
    adopt: Annotated[bool, typer.Option("--adopt", help="Adopt the newest release if it is good enough.")] = False,
    floor: Floor = None,
    home: Home = HERE,
    as_json: Json = False,
) -> None:
    """Read the inbox, contribute what is new, fill the outbox."""
    from site_agent.agent import work as do_work

    opened = open_home(home)
    summary = do_work(opened, adopting=adopt, floor=floor)
    if as_json:
        print_model(summary)
    elif not summary.steps and not has_images(opened):
        typer.echo(NO_IMAGES)
    else:
        tables.print_work(summary)
    if summary.refusals:
        raise typer.Exit(1)


@app.command()
def run(home: Home = HERE) -> None:
    """Work whenever the coordinator asks, through Flower, until stopped (Ctrl-C)."""
    from site_agent.supernode import run as keep_running

    opened = open_home(home)
    opened.key()  # asks for a passphrase while somebody is there to type it
    keep_running(opened)


@app.command("export")
def export_parcels(
    folder: Annotated[Path, typer.Argument(help="Where the outbox is copied to: a stick.")], home: Home = HERE
) -> None:
    """Copy the outbox to a folder, for the coordinator, with the checkpoint of its log that this site signed last."""
    from site_agent.parcel_files import export_outbox

    written = export_outbox(open_home(home), folder)
    for path in written:
        typer.echo(str(path))
    if not any(path.suffix == ".parcel" for path in written):
        typer.echo("the outbox is empty: consilium site work")


@app.command("import")
def import_parcels(
    files: Annotated[
        list[Path], typer.Argument(help="The coordinator's parcels, folders of them, its answers (JSON).")
    ],
    home: Home = HERE,
) -> None:
    """Take in candidates, releases, recalls and answers that came as files, and witness the coordinator's log."""
    from site_agent.parcel_files import import_files

    done = import_files(open_home(home), files)
    listed = ", and the list of releases that stand" if done.lists else ""
    typer.echo(f"took in {done.parcels} parcels and {done.answers} answers{listed}; next: consilium site work")
    if done.witnessed is not None:
        typer.echo(f"witnessed {done.witnessed} entries of the coordinator's log; next: consilium site export FOLDER")
    for error in done.errors:
        typer.echo(f"not taken in: {error}", err=True)
    if done.errors:
        raise typer.Exit(1)


COMMANDS: tuple[Callable[..., None], ...] = (
    intake_commands.ingest,
    intake_commands.quarantine,
    label_commands.labels,
    forget_commands.forget,
    learning_commands.train,
    egress_commands.policy,
    egress_commands.preview,
    egress_commands.approve,
    egress_commands.receipts,
    release_commands.evaluate,
    release_commands.adopt,
    release_commands.pin,
    release_commands.refuse,
    release_commands.predict,
    decision_commands.flag,
    retrieval_commands.similar,
    registration_commands.register,
    motion_commands.motion,
    reconstruction_commands.reconstruct,
    drift_commands.drift,
    egress_commands.withdraw,
    rotation_commands.rotate,
    backup_commands.backup,
    backup_commands.restore,
    fence_commands.agent,
    fence_commands.node,
    fence_commands.certificate,
    fence_commands.fence,
)
for command in COMMANDS:
    app.command()(command)
app.add_typer(key_commands.app, name="keys")
app.add_typer(web_commands.app, name="web")
app.add_typer(decision_commands.app, name="decisions")
