"""``consilium site drift``: do the images that come still look like those that the release was calibrated on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from site_agent.options import HERE, Home, Json, open_home, print_model
from site_agent.tables import counted, print_table

if TYPE_CHECKING:
    from site_agent.drift import Drift, Group

COLUMNS = ("", "patients", "refused", "share [95 %]", "too many", "too small", "corrected", "verdict")
TITLES = {"all": "all together", "machine": "by machine", "batch": "by batch", "day": "by day of ingest"}


def drift(home: Home = HERE, as_json: Json = False) -> None:
    """Show whether new images leave the distribution that the release in use was calibrated on."""
    from site_agent.drift import drift as find_drift

    opened = open_home(home)
    with opened.lock():
        found = find_drift(opened)
    if as_json:
        print_model(found)
    else:
        _print(found)


def _print(found: Drift) -> None:
    of = counted(found.calibration_patients, "patient")
    typer.echo(f"release {found.release}, {found.calibration} calibration of {of}; {found.alpha:.0%} may be refused")
    for kind, title in TITLES.items():
        print_table(title, COLUMNS, [_row(group) for group in found.groups if group.kind == kind])
    if found.calibration == "pooled":
        typer.echo("the calibration is pooled over sites: what is refused here may be as it always was here")
    if found.strangers:
        typer.echo(f"left out: {counted(found.strangers, 'patient')} with labels that it does not know from this site")
    if not found.groups:
        typer.echo("no patient here whom it has not learnt or been calibrated from")


def _row(group: Group) -> tuple[object, ...]:
    share = f"{group.share:.0%} [{group.low:.0%}, {group.high:.0%}]"
    tests = ("" if p is None else f"p = {p:.2g}" for p in (group.p_share, group.p_all, group.adjusted))
    return (group.name, group.patients, group.refused, share, *tests, group.verdict)
