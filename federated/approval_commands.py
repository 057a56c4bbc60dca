"""``consilium audit approve``: an approver looks at a candidate's figures, far from the coordinator, and signs them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from federated.errors import ConsiliumError
from federated.tables import print_tables, table

if TYPE_CHECKING:
    from federated.assessment import Assessment, Finding


def approve(
    figures: Annotated[Path, typer.Argument(help="What the coordinator wrote: coordinator approve --figures FILE.")],
    plan: Annotated[Path, typer.Option(help="The change plan, as you know it.")],
    key: Annotated[Path | None, typer.Option(help="Your private key; without it, the figures are shown.")] = None,
    out: Annotated[Path | None, typer.Option(help="The file to send back; FIGURES.approval by default.")] = None,
    substantial: Annotated[
        bool, typer.Option("--substantial", help="Approve something that the plan does not allow.")
    ] = False,
) -> None:
    """Look at a candidate held against its change plan, and approve it with your key, which stays with you."""
    from federated.approval import sign_approval
    from federated.assessment import read_assessment, require_planned
    from federated.change_plan import parse_plan, read_plan_bytes
    from federated.files import write_new
    from federated.passphrases import unlocked_key

    assessment = read_assessment(figures)
    planned = parse_plan(read_plan_bytes(plan), federation=assessment.federation, where=str(plan))
    require_planned(assessment, planned)
    print_assessment(assessment)
    if key is None:
        return
    if assessment.outside and not substantial:
        what = f"{', '.join(assessment.outside)} changed, which the plan does not allow"
        raise ConsiliumError(what, where=str(figures), cure="approve it as a substantial change, with --substantial")
    path = out or figures.with_suffix(".approval")
    write_new(path, sign_approval(assessment, unlocked_key(key)))
    typer.echo(f"wrote {path}; the coordinator takes it: consilium coordinator approve --approval {path.name}")


def print_assessment(assessment: Assessment) -> None:
    """A table of the criteria, and what has changed."""
    rows = [_cells(finding) for finding in assessment.findings]
    print_tables(table("criteria of the change plan", ("measure", "of", "found", "limit", "verdict"), rows))
    changed = ", ".join(assessment.changes) or "nothing"
    outside = f"; not in the plan: {', '.join(assessment.outside)}" if assessment.outside else ""
    typer.echo(f"changed since the release before: {changed}{outside}")


def _cells(finding: Finding) -> tuple[str, ...]:
    figure = "" if finding.found is None else f"{finding.found:.4g}"
    found = " ".join(part for part in (figure, f"({finding.note})" if finding.note else "") if part)
    criterion = finding.criterion
    return criterion.measure, criterion.subject, found, criterion.limit, "met" if finding.ok else "FAILS"
