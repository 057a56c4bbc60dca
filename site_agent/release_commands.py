"""Commands about releases: measured on the site's own patients, adopted, pinned or refused, and applied to images."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from federated.errors import ConsiliumError
from site_agent import tables
from site_agent.learning_commands import VIEWS, Task, evaluate_experts, predict_by_experts, refuse_experts
from site_agent.options import HERE, By, Floor, Home, Json, open_home, print_model

if TYPE_CHECKING:
    from site_agent.adopt import Held
    from site_agent.home import SiteHome

Reason = Annotated[str, typer.Option(help="Why, for the coordinator.")]
Release = Annotated[str | None, typer.Argument(help="Its number, or the beginning of its digest; the newest one.")]
PREDICTIONS = Path("predictions.jsonl")


def evaluate(
    release: Release = None, task: Task = VIEWS, by: By = None, home: Home = HERE, as_json: Json = False
) -> None:
    """Measure a release, or the experts of a task, on your own held-back patients."""
    from site_agent import adopt as shelf

    opened = open_home(home)
    if task != VIEWS:
        evaluate_experts(opened, task, by=by or (), release=release, as_json=as_json)
        return
    refuse_experts(by)
    with opened.lock():
        held = _release(opened, release)
        evaluation = shelf.evaluate(opened, held.digest)
    if as_json:
        print_model(evaluation)
    else:
        tables.print_evaluation(held.number, evaluation)


def adopt(
    release: Release = None,
    pin: Annotated[bool, typer.Option("--pin", help="Keep it until you say otherwise, whatever comes.")] = False,
    reason: Reason = "",
    always: Annotated[
        bool | None, typer.Option("--always/--ask", help="From now on adopt newer ones without asking, or ask.")
    ] = None,
    floor: Floor = None,
    home: Home = HERE,
) -> None:
    """Use a release from now on, once it was evaluated here."""
    from site_agent import adopt as shelf

    opened = open_home(home)
    with opened.lock():
        if always is not None:
            _set_standing(opened, always=always, floor=floor)
        if always is None or release is not None:
            held = shelf.choose(opened, _release(opened, release).digest, "pinned" if pin else "adopted", reason)
            _tell(opened, f"release {held.number} is {held.state} and answers here")


def pin(release: Release = None, reason: Reason = "", home: Home = HERE) -> None:
    """Use a release, once it was evaluated here, and keep it until you say otherwise, whatever comes."""
    adopt(release, pin=True, reason=reason, always=None, floor=None, home=home)


def refuse(release: Release = None, reason: Reason = "", home: Home = HERE) -> None:
    """Do not use a release; the one adopted before answers on."""
    from site_agent import adopt as shelf

    opened = open_home(home)
    with opened.lock():
        held = shelf.choose(opened, _release(opened, release).digest, "refused", reason)
        current = shelf.read_shelf(opened).current
        answers = f"release {current.number} answers" if current else "none answers"
        _tell(opened, f"release {held.number} is refused; {answers} here")


def predict(
    images: Annotated[list[Path], typer.Argument(help="Images, cine files, folders of them, or indexes.")],
    out: Annotated[
        Path | None,
        typer.Option(help=f"The file for one line an image and one a clip, {PREDICTIONS}; of a task, the folder."),
    ] = None,
    columns: Annotated[str, typer.Option(help="Other names of the indexes' columns, as in clip=clip_id.")] = "",
    release: Annotated[str | None, typer.Option(help="Another release than the one in use.")] = None,
    task: Task = VIEWS,
    form: Annotated[str, typer.Option("--format", help="How findings are written: png or nifti, stl or ply.")] = "",
    by: By = None,
    home: Home = HERE,
    as_json: Json = False,
) -> None:
    """Apply the release in use, or the experts of a task, to images, with every site's part in every answer.

    Answers of the release are written into the site's decision log first: consilium site decisions list.
    """
    from site_agent import adopt as shelf
    from site_agent.asking import Reader
    from site_agent.decisions.book import now
    from site_agent.decisions.noting import note
    from site_agent.lease import answering
    from site_agent.predict import predict as predict_images
    from site_agent.sources.index import parse_columns

    opened = open_home(home)
    if task != VIEWS:
        read = parse_columns(columns)
        predict_by_experts(opened, task, images, out, form, read, by=by or (), release=release, as_json=as_json)
        return
    refuse_experts(by)
    out = out or PREDICTIONS
    held = answering(opened, release)
    model = shelf.model_of(opened, held.digest)
    opened.key()  # signs the log: a passphrase is asked for now, not after every image was looked at
    logged = partial(note, opened, now())
    done = predict_images(model, Reader(opened, model.manifest), images, out, parse_columns(columns), logged)
    if as_json:
        print_model(done)
    else:
        typer.echo(f"wrote {out}: {done.images} images, {done.clips} clips, {done.abstained} of them unanswered")
    for name, reason in done.unreadable:
        typer.echo(f"left out {name}: {reason}", err=True)
    if done.unreadable:
        raise typer.Exit(1)


def _release(home: SiteHome, name: str | None) -> Held:
    """The release that is meant: by name, or the newest that waits, or the newest."""
    from site_agent.adopt import read_shelf

    shelf = read_shelf(home)
    if name is not None:
        return shelf.named(name)
    newest = shelf.newest("waiting") or shelf.newest("adopted", "pinned", "refused")
    if newest is None:
        cure = "consilium site import and then work; or consilium site run"
        raise ConsiliumError("no release has come yet", where=str(home.path), cure=cure)
    return newest


def _set_standing(home: SiteHome, *, always: bool, floor: float | None) -> None:
    from site_agent.adopt import Standing, set_standing

    set_standing(home, Standing(floor=floor) if always else None)
    typer.echo("newer releases are adopted without asking" if always else "a person decides about newer releases")


def _tell(home: SiteHome, line: str) -> None:
    from site_agent.agent import tell

    typer.echo(line)
    for step in tell(home):
        typer.echo(f"the coordinator will be told: {step.line}", err=step.state == "refused")
