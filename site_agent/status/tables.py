"""``consilium site status`` on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import typer

from federated.tables import minute
from site_agent.tables import SHOWN, counted, print_table, short

if TYPE_CHECKING:
    from site_agent.status.holdings import Holdings, ViewCount
    from site_agent.status.status import SiteStatus

FOLDS = ("train", "validation", "calibration", "test")


def print_status(status: SiteStatus) -> None:
    """Everything at a glance: what is here, then what left and what waits."""
    typer.echo(f"site {status.site} of federation {status.federation}; coordinator {status.coordinator}")
    _print_holdings(status.holdings)
    _print_outside(status.holdings)
    typer.echo(f"policy: {status.policy}")
    sent = ((one.batch, one.kind, one.state, short(one.digest)) for one in status.contributions)
    print_table("contributions", ("batch", "kind", "state", "digest"), sent)
    for line in (one.forgotten for one in status.contributions if one.forgotten):
        typer.echo(f"a patient who was forgotten {line}")
    waiting = ((short(one.digest), one.kind, minute(one.when)) for one in status.pending)
    print_table("waiting for an approver", ("digest", "kind", "since (UTC)"), waiting)
    releases = ((held.number, held.state, short(held.digest), held.reason) for held in status.releases)
    print_table("releases", ("number", "state", "digest", "reason"), releases)
    typer.echo(f"{status.outbox} parcels in the outbox, {status.unread} unread in the inbox")
    typer.echo(f"release {status.answers} answers here" if status.answers else "no release answers here")
    if status.lease:
        typer.echo(status.lease)
    for step in status.last:
        typer.echo(f"last round of work: {step.line}")


def _print_holdings(held: Holdings) -> None:
    typer.echo(summary(held))
    rows = ((one.label, one.meaning, one.patients, one.clips, one.images) for one in held.views)
    print_table("views", ("label", "meaning", "patients", "files", "images"), rows)
    print_table("images by fold", ("label", *FOLDS), ((one.label or one.meaning, *in_folds(one)) for one in held.views))
    machines = ((one.machine or "not said", one.expert, one.patients, one.clips, one.images) for one in held.machines)
    print_table("machines", ("machine", "expert", "patients", "files", "images"), machines)
    for line in lines(held):
        typer.echo(line)
    batches: Iterable[Sequence[object]] = (
        (
            one.name,
            minute(one.closed),
            one.expert,
            ", ".join(one.forms),
            one.pixels,
            one.patients,
            one.clips,
            one.images,
        )
        for one in held.batches[-SHOWN:]
    )
    columns = ("batch", "closed (UTC)", "expert", "form", "pixels", "patients", "files", "images")
    print_table("batches", columns, batches)


def _print_outside(held: Holdings) -> None:
    rows = ((one.state, one.reason, one.items) for one in held.outside[:SHOWN])
    print_table("not taken in (by name: consilium site quarantine)", ("state", "reason", "items"), rows)
    if len(held.outside) > SHOWN:
        typer.echo(f"and {len(held.outside) - SHOWN} more reasons: --json lists all")


def in_folds(view: ViewCount) -> list[int]:
    """Images of a view in each fold."""
    return [view.folds.get(fold, 0) for fold in FOLDS]


def summary(held: Holdings) -> str:
    """How much there is, in one line."""
    of_folds = ", ".join(f"{one.fold} {one.patients}" for one in held.folds)
    what = f"{counted(held.images, 'image')} in {counted(held.clips, 'file')} of {counted(held.patients, 'patient')}"
    return f"{what} ({of_folds})" if of_folds else "no images yet: consilium site ingest FOLDER"


def lines(held: Holdings) -> list[str]:
    """What is to be said of the images as a whole, a line each."""
    if not held.clips:
        return []
    quality, spacing, removed = held.quality, held.spacing, held.removed
    said = [f"forms: {', '.join(f'{one.form} {one.clips}' for one in held.forms)}"]
    found = f"sector: found in {quality.with_sector} files, none in {quality.without_sector}"
    if quality.quantiles:
        least, low, median, high, most = quality.quantiles
        found += (
            f"; quality {median:.2f} in the median, 80 % of them {low:.2f} to {high:.2f}, all {least:.2f} to {most:.2f}"
        )
    said.append(found)
    known = f"spacing: known of {spacing.known} files, unknown of {spacing.unknown}"
    if spacing.range_mm:
        known += "; {:.3g} to {:.3g} mm a pixel".format(*spacing.range_mm)
    said.append(known)
    said.append(
        f"removed outside the sector: in {removed.clips} files, {removed.pixels:.0%} of the pixels and "
        f"{removed.bright:.0%} of the bright ones; text there in {removed.text}, marks inside in {removed.marks}"
    )
    if held.waiting:
        said.append(f"{held.waiting} files wait for their batch to be closed: run the same ingest again")
    return said
