"""Commands about what a site learns by itself: experts trained on its own images, measured and applied."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from federated.errors import ConsiliumError
from site_agent.options import HERE, Home, Json, open_home, print_json, print_model
from site_agent.tables import counted, print_table

if TYPE_CHECKING:
    from site_agent.home import SiteHome
    from site_agent.sources.index import Columns

VIEWS = "views"
REPORT = Path("training.html")
Task = Annotated[str, typer.Option(help="views, for the federation's releases, or a task of images and clips.")]


def train(
    task: Annotated[str, typer.Option(help="views, segmentation, contour, retrieval, registration or reconstruction.")],
    augment: Annotated[
        str | None,
        typer.Option(help="Of views: what becomes of backgrounds, as in backmix; remembered in config.toml."),
    ] = None,
    batch: Annotated[str, typer.Option(help="Of whose images; the newest batch by default.")] = "",
    report: Annotated[Path, typer.Option(help="The page on the training, which stays in the hospital.")] = REPORT,
    home: Home = HERE,
    as_json: Json = False,
) -> None:
    """Train the site's own expert of a task; it goes on where it was stopped, and is there at once the next time."""
    from site_agent.learning import batch_named, training
    from site_agent.training_report.page import write_report

    opened, kind = open_home(home), training(task)
    with opened.lock():
        if augment is not None:
            opened.choose_augment(_of_views(task, augment))
        done = kind.train(opened, batch_named(opened, batch))
        page = kind.report(opened, done)
        write_report(report, page)
    if as_json:
        told = {"expert": str(done.path), "epochs": len(done.history), "report": str(report)}
        print_json(told | {"notes": list(page.notes)})
    else:
        for note in page.notes:
            typer.echo(f"note: {note}")
        typer.echo(f"trained in {counted(len(done.history), 'epoch')}: {done.path}")
        typer.echo(f"wrote {report}; it shows images of patients, though without their names")


def _of_views(task: str, augment: str) -> str:
    if task != VIEWS:
        raise ConsiliumError(f"'{augment}' is learnt with by views, not by {task}", where="--augment")
    return augment


def evaluate_experts(home: SiteHome, task: str, *, by: Sequence[str], release: str | None, as_json: bool) -> None:
    """All experts of a task that are here, or those named, measured on the site's own held-back patients."""
    from site_agent.learning import learning

    kind = learning(task)
    _refuse_release(release)
    with home.lock():
        found = kind.evaluate(home, by)
    if as_json:
        print_model(found)
        return
    for table in kind.tables(home, found):
        print_table(table.title, table.columns, table.rows)


def predict_by_experts(
    home: SiteHome,
    task: str,
    images: Sequence[Path],
    out: Path | None,
    form: str,
    columns: Columns,
    *,
    by: Sequence[str],
    release: str | None,
    as_json: bool,
) -> None:
    """All experts of a task that are here, or those named, applied to images; what they find goes into a folder."""
    from site_agent.learning import learning

    kind = learning(task)
    _refuse_release(release)
    chosen = form or kind.forms[0]
    if chosen not in kind.forms:
        raise ConsiliumError(f"'{chosen}' is none of {', '.join(kind.forms)}", where="--format")
    done = kind.predict(home, images, out or Path(task), chosen, columns, by)
    if as_json:
        print_model(done)
    else:
        typer.echo(f"wrote {counted(done.images, 'image')} into {done.out}")
    for name, reason in done.unreadable:
        typer.echo(f"left out {name}: {reason}", err=True)
    if done.unreadable:
        raise typer.Exit(1)


def _refuse_release(release: str | None) -> None:
    if release is not None:
        raise ConsiliumError("experts of a task are fused where the image is, and not in a release", where=release)


def refuse_experts(by: Sequence[str] | None) -> None:
    """What answers for views is a release, in which all experts are.

    Raises:
        ConsiliumError: an expert is named.
    """
    if by:
        raise ConsiliumError("a release answers for views, and no expert alone", where="--by", cure="name a --task")
