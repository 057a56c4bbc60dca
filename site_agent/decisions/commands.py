"""``consilium site decisions`` and ``consilium site flag``: what was answered here, and what of it leaves."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from federated.decision_record import Why
from federated.decision_summary import FLAGS
from federated.errors import ConsiliumError
from federated.tables import minute
from site_agent.options import HERE, Home, Json, open_home, print_json
from site_agent.tables import print_table

if TYPE_CHECKING:
    from federated.decision import Decision
    from federated.decision_record import Record
    from site_agent.decisions.details import Detail
    from site_agent.drafts import Draft
    from site_agent.home import SiteHome
    from site_agent.steps import Step

app = typer.Typer(no_args_is_help=True, help="Show the log of what was answered here, and open of it what was drawn.")
Number = Annotated[str, typer.Argument(help="A record's number, or the image's or clip's name.", metavar="DECISION")]
WHY = get_args(Why)
MEANS = ("weights", "evidence")
COLUMNS = ("record", "at (UTC)", "what", "release", "answer", "of")


@app.command("list")
def list_decisions(
    last: Annotated[int, typer.Option(min=1, help="How many, the newest.")] = 20,
    home: Home = HERE,
    as_json: Json = False,
) -> None:
    """Show the newest records, with the names of images as the hospital has them; nothing leaves."""
    from site_agent.decisions.book import answer_of, book_of

    opened = open_home(home)
    with book_of(opened) as book:
        begin, size = max(0, book.size - last), book.size
        beside = book.details(begin)
        rows = [(record, beside.get(record.number)) for record in book.records(begin)]
    found = [_line(opened, record, detail, answer_of(detail) if detail else None) for record, detail in rows]
    if as_json:
        print_json(found)
        return
    print_table(
        f"the last {len(found)} of {size} records",
        COLUMNS,
        [tuple((line | {"at": minute(line["at"])}).values()) for line in found],
    )
    if not size:
        typer.echo("no decision yet: consilium site predict")


@app.command()
def show(decision: Number, home: Home = HERE, as_json: Json = False) -> None:
    """Show one record whole, with every site's part in the answer; nothing leaves."""
    from site_agent.decisions.book import book_of
    from site_agent.decisions.flags import number_of

    opened = open_home(home)
    with book_of(opened) as book:
        record, answer, _, detail = book.opened(number_of(opened, book, decision))
    beside = _sealed(detail) if detail else {}
    words = {name: opened.archive.name(sealed) for name, sealed in beside.items() if sealed is not None}
    said = {"record": record.model_dump(mode="json", exclude_none=True), "here": words}
    answered = {} if answer is None else {"decision": answer.model_dump(mode="json")}
    if as_json:
        print_json(said | answered)
        return
    for name, value in {**said["record"], **words}.items():
        typer.echo(f"{name}: {value}")
    if answer is not None:
        typer.echo(f"answer: {_answer(answer)}")
        rows = [(name, *(f"{parts[name]:.3f}" for parts in _parts(answer))) for name in answer.weights]
        print_table("every site's part", ("site", "p", "weight", "contribution", "evidence"), rows)


@app.command()
def summary(
    send: Annotated[bool, typer.Option("--send", help="Give it to the gate; without, only show it.")] = False,
    home: Home = HERE,
    as_json: Json = False,
) -> None:
    """Show the sums that would be told next, or give them to the gate."""
    from site_agent.decisions.summaries import draft_summary, submit_summary
    from site_agent.egress import Gate

    opened = open_home(home)
    with opened.lock():
        draft = draft_summary(opened)
        preview = None if send else Gate(opened).preview(draft)
        step = submit_summary(opened, draft) if send else None
    if step is not None:
        _tell([step], as_json)
    elif as_json:
        print_json(draft.manifest.model_dump(mode="json"))
    elif preview is not None:
        typer.echo("\n".join(preview.lines()))
        _print_sums(draft)


@app.command("open")
def open_drawn(
    draw: Annotated[Path, typer.Argument(help="The draw that the auditor sent.")],
    home: Home = HERE,
    as_json: Json = False,
) -> None:
    """Give exactly the records that an auditor drew to the gate, where an approver looks at each of them."""
    from federated.draw import indices, read_draw
    from site_agent.decisions.book import book_of
    from site_agent.decisions.opening import open_draw

    opened, drawn = open_home(home), read_draw(draw)
    with opened.lock():
        steps = open_draw(opened, drawn)
        with book_of(opened) as book:
            beside = {number: book.details(number, number + 1).get(number) for number in indices(drawn)}
    _tell(steps, as_json)
    if not as_json:
        for number, detail in beside.items():
            typer.echo(
                f"record {number} is about {opened.archive.name(detail.name) if detail else 'who was forgotten'}"
            )
    if any(step.state == "refused" for step in steps):
        raise typer.Exit(1)


@app.command()
def export(decision: Number, home: Home = HERE, as_json: Json = False) -> None:
    """Give one record to the gate that nobody drew, so that somebody elsewhere can compute the answer again."""
    from site_agent.decisions.book import book_of
    from site_agent.decisions.flags import number_of
    from site_agent.decisions.opening import export_one

    opened = open_home(home)
    with opened.lock():
        with book_of(opened) as book:
            number = number_of(opened, book, decision)
        step = export_one(opened, number)
    _tell([step], as_json)


def flag(
    decision: Number,
    truth: Annotated[str, typer.Option(help="What the images show: a label, or your own word for one.")],
    by: Annotated[str, typer.Option(help="Who says so; stays here.")],
    why: Annotated[str, typer.Option(help=f"From where it is known: {', '.join(WHY)}.")] = "reference-standard",
    overruled: Annotated[
        bool, typer.Option("--overruled", help="Somebody decided otherwise than was answered.")
    ] = False,
    words: Annotated[str, typer.Option("--note", help="In your own words; stays here.")] = "",
    home: Home = HERE,
) -> None:
    """Log the truth about an answer, or that it was overruled, by whom and why."""
    from site_agent.decisions.flags import flag as set_flag

    if why not in WHY:
        raise ConsiliumError("is none of the reasons", where=f"--why {why}", cure=f"one of {', '.join(WHY)}")
    opened = open_home(home)
    record = set_flag(opened, decision, truth, why=why, by=by, words=words, overruled=overruled)  # type: ignore[arg-type]
    typer.echo(f"record {record.number}: decision {record.of} shows {record.truth}, by {record.why}")


def _line(home: SiteHome, record: Record, detail: Detail | None, answer: Decision | None) -> dict[str, Any]:
    what = "flag" if record.event == "flag" else "clip" if answer is None or answer.image is None else "image"
    said = f"shows {record.truth}{', overruled' if record.overruled else ''}" if record.truth else "forgotten"
    return {
        "record": record.number,
        "at": record.at,
        "what": what,
        "release": record.release[:15],
        "answer": said if answer is None else _answer(answer),
        "of": home.archive.name(detail.name) if detail else "",
    }


def _answer(answer: Decision) -> str:
    return answer.label or f"nothing: {answer.why}"


def _parts(answer: Decision) -> tuple[dict[str, float], ...]:
    none = dict.fromkeys(answer.weights, 0.0)
    return answer.qualified, answer.weights, answer.contributions[answer.best], none | answer.evidence


def _sealed(detail: Detail) -> dict[str, bytes | None]:
    return {"name": detail.name, "said by": detail.who, "note": detail.note}


def _counts(manifest: Any) -> str:
    hidden = f"; too few patients to tell: {', '.join(manifest.suppressed)}" if manifest.suppressed else ""
    counted = f"{manifest.decisions} clips of {manifest.patients} patients"
    return f"records {manifest.first} to {manifest.last} of {manifest.size}: {counted} are counted{hidden}"


def told_unanswered(told: int, suppressed: Iterable[str]) -> str:
    """How many clips got no answer, as far as it is told: a cell that is left out is no zero."""
    left_out = any(cell.startswith("abstained.") for cell in suppressed)
    return f"{told}, and some too few patients' to tell" if left_out else str(told)


def _print_sums(draft: Draft) -> None:
    """The numbers that would leave, as means where they are sums."""
    from federated.manifest import unpack_tensors

    manifest: Any = draft.manifest
    sums = unpack_tensors(draft.tensors, manifest)
    typer.echo(_counts(manifest))
    parts = [f"{part} {site}" for site in manifest.sites for part in ("weight", "evidence")]
    rows = []
    for row, label in enumerate(manifest.labels):
        counts = [int(sums[name][row]) for name in ("answered", *FLAGS)]
        means = [sums[name][row, each] / max(counts[0], 1) for each in range(len(manifest.sites)) for name in MEANS]
        rows.append((label, *counts, *(f"{mean:.2f}" if counts[0] else "" for mean in means)))
    print_table(
        "what would be told of each label", ("label", "answered", "flagged", "wrong", "sure and wrong", *parts), rows
    )
    unanswered = told_unanswered(int(sums["abstained"].sum()), manifest.suppressed)
    typer.echo(f"unanswered: {unanswered}; your own p-values in tenths: {sums['drift'].tolist()}")


def _tell(steps: list[Step], as_json: bool) -> None:
    if as_json:
        print_json([step.model_dump(mode="json") for step in steps])
        return
    for step in steps:
        typer.echo(step.line, err=step.state == "refused")
    if any(step.state == "pending" for step in steps):
        typer.echo("an approver looks at each of them: consilium site approve")
