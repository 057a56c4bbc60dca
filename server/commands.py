"""``consilium coordinator``: enrol sites, take in what they send, release, and take back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from federated.errors import ConsiliumError
from federated.key_commands import Encrypted, new_passphrases
from federated.tables import minute, print_tables, table
from federated.tasks import task_card
from server import (
    averaging_commands,
    bundle_commands,
    fusion_commands,
    gate_commands,
    key_commands,
    log_commands,
    vocabulary_commands,
    web_commands,
)
from server.options import HERE, Home, Json, open_coordinator, wake
from server.release_commands import approve, approver, export, plan, recall, release, rollback, withdraw

if TYPE_CHECKING:
    from federated.manifest import FrontEndCard, Scalar
    from federated.vocabulary import Vocabulary
    from server.coordinator import Coordinator
    from server.intake import Acceptance

app = typer.Typer(no_args_is_help=True, help="What the coordinator runs: enrol sites, take in what they send, release.")


@app.command()
def init(
    federation: Annotated[str, typer.Option(help="Name of the federation.")],
    name: Annotated[str, typer.Option(help="Name of the coordinator.")],
    front_end: Annotated[str, typer.Option(help="The frozen front end: texture, pixels, timm or lifted.")] = "texture",
    front_end_config: Annotated[
        list[str] | None, typer.Option(help="A setting of the front end, as in size=64.")
    ] = None,
    front_end_weights: Annotated[Path | None, typer.Option(help="A local file with the weights of timm.")] = None,
    vocabulary: Annotated[
        str,
        typer.Option(help="heart, chambers, muscle, lung, breast or digits, or a TOML file of concepts."),
    ] = "",
    labels: Annotated[str, typer.Option(help="The labels, with commas, where their names say it all.")] = "",
    task: Annotated[
        str,
        typer.Option(
            help="What is learnt: classification, segmentation, contour, retrieval, registration or reconstruction."
        ),
    ] = "classification",
    superlink: Annotated[str, typer.Option(help="Where sites reach the SuperLink, host:port.")] = "127.0.0.1:18000",
    mode: Annotated[
        str, typer.Option(help="shared, or isolated: an arrival leaves the labels it does not bring as they are.")
    ] = "shared",
    weighting: Annotated[
        str, typer.Option(help="How foreign sites are silenced: refit, graded, scaled or none.")
    ] = "none",
    alpha: Annotated[float, typer.Option(help="How often a site may wrongly refuse its own images.")] = 0.05,
    fusion: Annotated[str, typer.Option(help="What makes the scores; the fusion command lists all.")] = "closed-form",
    encrypt: Encrypted = False,
    home: Home = HERE,
) -> None:
    """Make the coordinator's folder: key, configuration, vocabulary, trust file."""
    from federated.keys import Party, public_hex, spoken_fingerprint
    from server.coordinator import Coordinator
    from server.home import CoordinatorConfig, CoordinatorHome, validated

    task_card(task)
    names = {"federation": federation, "name": name, "task": task, "superlink": superlink}
    settings = names | {"mode": mode, "weighting": weighting, "alpha": alpha, "fusion": fusion}
    card = _front_end_card(front_end, front_end_config or [], front_end_weights)
    config = validated(CoordinatorConfig, settings | {"front_end": card}, where="init")
    words = _vocabulary(federation, vocabulary, labels)
    made = CoordinatorHome.create(home, config, words, *(new_passphrases("the coordinator's key") if encrypt else ()))
    Coordinator(made)
    own = Party(name=name, role="coordinator", public=public_hex(made.key()))
    typer.echo(f"made {home}; fingerprint to tell sites by telephone: {spoken_fingerprint(own.key_id)}")


@app.command()
def invite(
    site: Annotated[str, typer.Argument(help="A short name for the hospital.")],
    out: Annotated[Path | None, typer.Option(help="The kit's file; SITE.kit.json by default.")] = None,
    home: Home = HERE,
) -> None:
    """Write the kit from which a hospital joins."""
    from federated.enrolment import write_kit
    from federated.keys import fingerprint, spoken_fingerprint

    coordinator = open_coordinator(home)
    kit = coordinator.invite(site)
    path = out or Path(f"{site}.kit.json")
    write_kit(kit, coordinator.home.key(), path)
    told = spoken_fingerprint(fingerprint(bytes.fromhex(kit.coordinator_public)))
    typer.echo(f"send {path} to {site}, and tell them by telephone: {told}")


@app.command()
def enrol(
    request: Annotated[Path, typer.Argument(help="The request that the hospital sent back.")],
    fingerprint: Annotated[str, typer.Option(help="The fingerprint that the hospital told by telephone.")],
    home: Home = HERE,
) -> None:
    """Let a hospital in."""
    typer.echo(f"{open_coordinator(home).enrol(request, fingerprint)} is enrolled; auditors get {home / 'keys.toml'}")


@app.command()
def rotate(
    rotation: Annotated[Path, typer.Argument(help="The rotation, signed by the old key and the new one.")],
    home: Home = HERE,
) -> None:
    """Replace a hospital's key."""
    typer.echo(f"{open_coordinator(home).rotate(rotation)} has a new key; auditors get {home / 'keys.toml'} again")


@app.command()
def revoke(site: Annotated[str, typer.Argument(help="The site.")], home: Home = HERE) -> None:
    """Let a hospital's keys count no more; what it contributed stays until it is withdrawn."""
    open_coordinator(home).revoke(site)
    typer.echo(f"{site} is revoked; its contributions stay until: consilium coordinator withdraw {site} --all")


@app.command()
def run(
    once: Annotated[bool, typer.Option("--once", help="One event with the sites that are online, then stop.")] = False,
    listen: Annotated[
        str | None, typer.Option(help="host:port of the SuperLink, where a gate stands before it.")
    ] = None,
    every: Annotated[float | None, typer.Option(help="Seconds after which an event is run in any case.")] = None,
    home: Home = HERE,
) -> None:
    """Start the SuperLink and run an event whenever there is reason to."""
    from server.superlink import serve

    serve(open_coordinator(home).home, listen=listen, once=once, every=every)


@app.command()
def accept(
    files: Annotated[
        list[Path], typer.Argument(help="Parcels that came as files, and checkpoints that sites signed, in any order.")
    ],
    home: Home = HERE,
    as_json: Json = False,
) -> None:
    """Take in parcels that came as files, and sites' signatures under the log."""
    from federated.log.request_file import SIGNED_SUFFIX

    coordinator = open_coordinator(home)
    contents = {path: _read(path) for path in files}
    signed = [path for path in files if path.suffix == SIGNED_SUFFIX]
    wrong = [path for path in signed if not _take_signed(coordinator, path, contents.pop(path))]
    found = coordinator.accept_all(list(contents.values()))
    wake(coordinator.home)
    if as_json:
        _print_json([_told(each) for each in found])
    elif found:
        print_tables(table("", ("site", "kind", "digest", "outcome", "reason"), [_cells(each) for each in found]))
    if wrong or not all(each.harmless for each in found):
        raise typer.Exit(1)


@app.command()
def status(home: Home = HERE, as_json: Json = False) -> None:
    """Show sites, candidate, releases, quarantine and the last events."""
    found = open_coordinator(home).status()
    if as_json:
        _print_json(found)
        return
    for title, columns in TABLES.items():
        rows = [[_shown(row[column]) for column in columns] for row in found[title]]
        print_tables(table(title, [HEADINGS.get(column, column) for column in columns], rows))
    candidate = found["candidate"]
    if candidate is not None:
        missing = ", ".join(sorted(set(candidate["sites"]) - set(candidate["reported"]))) or "nobody"
        typer.echo(f"newest candidate {_short(candidate['digest'])} ({candidate['state']}); no report from: {missing}")


for command in (release, approve, plan, export, withdraw, recall, rollback):
    app.command()(command)
app.add_typer(approver, name="approver")
app.command()(averaging_commands.average)
app.add_typer(vocabulary_commands.app, name="vocabulary")
app.add_typer(key_commands.app, name="keys")
app.callback()(key_commands.group)
app.command()(fusion_commands.fusion)
app.command()(log_commands.log)
app.command()(bundle_commands.bundle)
app.add_typer(web_commands.app, name="web")
app.command()(gate_commands.certificate)
TABLES = {
    "sites": ("name", "state", "contributions", "versions", "labels", "waiting", "last_heard"),
    "releases": ("number", "digest", "state", "brings_back", "labels", "sites", "choices"),
    "quarantine": ("digest", "site", "reason", "received"),
    "events": ("at", "event", "site", "detail"),
}
HEADINGS = {
    "contributions": "contributed",
    "last_heard": "heard (UTC)",
    "brings_back": "brings back",
    "received": "received (UTC)",
    "at": "at (UTC)",
}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def _front_end_card(name: str, settings: list[str], weights: Path | None) -> FrontEndCard:
    from federated.manifest import FrontEndCard
    from server.home import validated
    from shared_models.front_ends import create_front_end

    config = dict(_setting(each) for each in settings)
    try:
        made = create_front_end(name, weights_file=weights, **config)
    except (TypeError, ValueError) as error:
        raise ConsiliumError(str(error), where="--front-end") from error
    card = {"name": made.name, "config": dict(made.config), "digest": made.digest, "features": made.features}
    return validated(FrontEndCard, card, where=f"front end {name}")


def _setting(text: str) -> tuple[str, Scalar]:
    """``key=value``; a value that is a JSON number or boolean is taken as such."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ConsiliumError("is not key=value", where=f"--front-end-config {text}")
    try:
        parsed = json.loads(value)
    except ValueError:
        return key, value
    return key, parsed if isinstance(parsed, bool | int | float | str) else value


def _vocabulary(federation: str, named: str, labels: str) -> Vocabulary:
    from federated.vocabulary import BUILTIN, Vocabulary, builtin_vocabulary, read_vocabulary
    from server.home import validated

    if bool(named) == bool(labels):
        known = ", ".join(BUILTIN)
        raise ConsiliumError(f"give --vocabulary FILE or one of {known}, or --labels a,b,c", where="init")
    if named:
        return builtin_vocabulary(named) if named in BUILTIN else read_vocabulary(Path(named))
    codes = [label.strip() for label in labels.split(",")]
    concepts = tuple({"code": code, "scheme": "local", "meaning": code} for code in codes)
    return validated(Vocabulary, {"name": federation, "concepts": concepts}, where="--labels")


def _take_signed(coordinator: Coordinator, path: Path, data: bytes) -> bool:
    """Whether it is a checkpoint of this log that a site signed; what became of it is told on the side."""
    try:
        signed = coordinator.take_signed_file(data)
    except ConsiliumError as error:
        typer.echo(f"{path}: {error}", err=True)
        return False
    since = "" if signed.kept else "; others have witnessed more since, so that it is asked again"
    typer.echo(f"{signed.site} has witnessed the first {signed.size} entries of the log{since}", err=True)
    return True


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConsiliumError(f"cannot be read ({error.strerror})", where=str(path)) from error


def _told(found: Acceptance) -> dict[str, Any]:
    """What a site is told of one parcel: its outcome is the answer, by which the site settles or keeps it."""
    answer = {"outcome": found.answer, "numbered": found.numbered}
    return found.model_dump(mode="json", exclude={"answer"}) | answer


def _cells(found: Any) -> tuple[str, ...]:
    return found.site, found.kind, _short(found.digest), found.outcome, found.reason


def _short(digest: str | None) -> str:
    return digest.removeprefix("sha256:")[:12] if digest else ""


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(f"{each['batch']} {each['kind']}" if isinstance(each, dict) else str(each) for each in value)
    text = "" if value is None else str(value)
    if MOMENT.fullmatch(text):
        return minute(text)
    return _short(text) if text.startswith("sha256:") else text


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=1))
