"""Tables for people: what the commands of a site show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from federated.tables import minute, print_tables, table

if TYPE_CHECKING:
    from site_agent.doctor import Finding
    from site_agent.evaluation import Evaluation
    from site_agent.intake.reports import Aside, Doubt, IngestReport
    from site_agent.logged import Logged
    from site_agent.receipts import Receipt
    from site_agent.steps import WorkSummary

KEY_SHOWN = 12  # digits, enough to name an item
SHOWN = 20  # lines of what an ingest did not take in


def short(digest: str) -> str:
    """The beginning of a digest, enough to name it."""
    return digest.removeprefix("sha256:")[:12]


def counted(number: int, noun: str) -> str:
    """``1 patient``, ``2 patients``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """One table under its title, if it has rows."""
    print_tables(table(title, columns, [[str(cell) for cell in row] for row in rows]))


def print_findings(findings: Sequence[Finding]) -> None:
    """The doctor's lines."""
    for finding in findings:
        cure = f"; {finding.cure}" if finding.cure else ""
        typer.echo(f"{finding.name}: {'ok' if finding.ok else 'NOT OK'}: {finding.found}{cure}")


def print_ingest(report: IngestReport, meanings: Mapping[str, str]) -> None:
    """What an ingest did; `meanings` of the labels' codes."""
    typer.echo(f"read as {report.format}" + (" (recognised; --format says otherwise)" if report.recognised else ""))
    what = f"{'batch' if len(report.batches) == 1 else 'batches'} {', '.join(report.batches)}"
    images, clips = counted(report.images, "image"), counted(report.clips, "file")
    patients = counted(report.patients, "patient")
    typer.echo(f"{what if report.batches else 'nothing new'}: {images} in {clips} of {patients}")
    typer.echo(f"{report.skipped} known already; outside the sector something was removed in {report.blanked}")
    rows = ((code, meanings.get(code, "not said what it shows"), images) for code, images in report.labels.items())
    print_table("", ("label", "meaning", "new images"), rows)
    print_aside(report.aside)
    print_doubts(report.doubts)
    for note in report.notes:
        typer.echo(f"note: {note}")


def print_doubts(doubts: Sequence[Doubt]) -> None:
    """What was not believed of items that were taken in: how many of each kind, then the first of them one by one."""
    kinds = Counter(doubt.line for doubt in doubts)
    if len(doubts) > SHOWN:
        print_table("not believed", ("what", "files"), kinds.most_common(SHOWN))
    each = ((doubt.name, doubt.line) for doubt in doubts[:SHOWN])
    print_table("not believed, one by one", ("file", "what"), each)
    if len(doubts) > SHOWN:
        typer.echo(f"and {len(doubts) - SHOWN} more")


def print_aside(aside: Sequence[Aside]) -> None:
    """What was not taken in: how many by reason, then the first of them one by one."""
    reasons = Counter((one.state, one.reason) for one in aside)
    if len(aside) > SHOWN:
        counts = ((state, reason, number) for (state, reason), number in reasons.most_common())
        print_table("not taken in", ("state", "reason", "items"), counts)
    each = ((one.key[:KEY_SHOWN], one.state, one.name, one.reason) for one in aside[:SHOWN])
    print_table("not taken in, one by one", ("key", "state", "file", "reason"), each)
    if len(aside) > SHOWN:
        typer.echo(f"and {len(aside) - SHOWN} more: consilium site quarantine --json lists all")


def print_work(summary: WorkSummary) -> None:
    """What a round of work did, refusals apart on stderr."""
    for step in summary.steps:
        typer.echo(step.line, err=step.state == "refused")
    if not summary.steps:
        typer.echo("nothing new")


def print_evaluation(number: int, evaluation: Evaluation) -> None:
    """A release on the site's own held-back patients."""
    typer.echo(
        f"release {number} on {counted(evaluation.clips, 'held-back clip')} "
        f"of {counted(evaluation.patients, 'patient')}, "
        f"{evaluation.known} with a label that it knows"
    )
    rows = [
        ("accuracy", evaluation.accuracy),
        ("balanced accuracy", evaluation.balanced_accuracy),
        ("withheld of known labels", f"{evaluation.withheld} of {evaluation.known}"),
        ("withheld of unknown labels", f"{evaluation.withheld_unknown} of {evaluation.clips - evaluation.known}"),
    ]
    if evaluation.coarser:
        rows.append(("answered above their label, right as far as that goes", f"{evaluation.coarser}"))
    print_table("95 % intervals by patient", ("figure", "value"), rows)
    answers = sorted({answer for row in evaluation.confusion.values() for answer in row})
    confusion = ((label, *(row.get(answer, 0) for answer in answers)) for label, row in evaluation.confusion.items())
    print_table("clips by true label and answer", ("true label", *answers), confusion)
    if evaluation.before:
        before = evaluation.before
        differences = [("accuracy", before.accuracy), ("balanced accuracy", before.balanced_accuracy)]
        title = f"difference to the release in use ({short(before.release)}), paired"
        print_table(title, ("figure", "difference"), differences)


def print_logged(found: Sequence[Logged]) -> None:
    """What left, and what the coordinator's log tells of it."""
    rows = ((each.sequence, each.kind, short(each.digest), each.state, each.found) for each in found)
    print_table("", ("no.", "kind", "digest", "log", "found"), rows)
    counts = {state: sum(each.state == state for each in found) for state in ("logged", "waiting", "wrong")}
    typer.echo(", ".join(f"{count} {state}" for state, count in counts.items()))


def print_receipts(receipts: Sequence[Receipt]) -> None:
    """What left, when, to whom, and why it was allowed to."""
    columns = ("no.", "when (UTC)", "kind", "level", "bytes", "to", "approval", "digest")
    rows = (
        (
            receipt.sequence,
            minute(receipt.when),
            receipt.kind,
            "" if receipt.level is None else receipt.level,
            receipt.bytes,
            receipt.recipient,
            receipt.approval,
            short(receipt.digest),
        )
        for receipt in receipts
    )
    print_table("", columns, rows)
    if not receipts:
        typer.echo("nothing has left")
