"""The site's own log of answers: what was answered when, by which release, and each answer taken apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from federated.decision import Decision
from federated.errors import ConsiliumError
from federated.pages.paging import pager
from federated.pages.plots import Value, bar, kinds, stacked_bar
from federated.web.exchange import Answer, Missing, Rendered, Seen
from site_agent.decisions.book import Book, answer_of, book_of, has_book
from site_agent.web import experts
from site_agent.web.wording import short_of

if TYPE_CHECKING:
    from federated.decision_record import Record
    from federated.pages.svg import Svg
    from site_agent.decisions.details import Detail
    from site_agent.home import SiteHome

PER_PAGE = 25


def decisions(home: SiteHome, seen: Seen) -> Answer:
    """The newest answers first."""
    heading = "Answers that were given here"
    if not has_book(home):
        return Rendered("decisions.html", {"heading": heading, "rows": [], "size": 0, "pager": None})
    with book_of(home) as book:
        part = pager(book.size, seen.query, rows=PER_PAGE)
        last = book.size - part.start
        begin = max(0, last - PER_PAGE)
        beside = book.details(begin, last)
        rows = [_row(home, record, beside.get(record.number)) for record in book.records(begin, last)][::-1]
        size = book.size
    return Rendered("decisions.html", {"heading": heading, "rows": rows, "size": size, "pager": part})


def decision(home: SiteHome, seen: Seen) -> Answer:
    """One answer: whose evidence it was, and how well each site is qualified for the image."""
    number = seen.path["number"]
    if not number.isascii() or not number.isdigit() or len(number) > 12 or not has_book(home):
        raise Missing("There is no such answer.")
    with book_of(home) as book:
        record, answer, name = _opened(home, book, int(number))
    meanings = {each.code: each.meaning for each in home.vocabulary.concepts}
    context = {"heading": f"Answer {record.number}", "record": record, "name": name, "answer": answer, "said": ""}
    if answer is None:
        return Rendered("decision.html", context | {"plots": []})
    colours = kinds(sorted(answer.weights))
    said = experts.answer_of(answer, meanings)
    qualified = [Value(site, value, f"{value:.3f}", colours[site]) for site, value in sorted(answer.qualified.items())]
    scores = [Value(short_of(meanings.get(label, label)), score) for label, score in answer.scores.items()]
    plots = [
        ("Whose part in the answer", stacked_bar(experts.parts_of(answer, colours), title="Whose part in the answer"),
         "What each site's expert adds to the score of the answer."),
        *_evidence(answer, colours),
        ("How well each site is qualified", bar(qualified, title="How well each site is qualified", most=1.0),
         "A small value says that the image is foreign to that site's own images."),
        ("Scores", bar(scores, title="Scores"), "Each score is a sum of every site's contribution."),
    ]  # fmt: skip
    return Rendered("decision.html", context | {"said": said, "plots": plots})


def _evidence(answer: Decision, colours: dict[str, str]) -> list[tuple[str, Svg, str]]:
    """Whose images stand behind it, where the release tells: sites may keep what that takes."""
    if not set(colours) & set(answer.evidence):
        return []
    heading, caption = "Whose images stand behind it", "Shares of the score; 'nobody' is what no image has changed."
    return [(heading, stacked_bar(experts.evidence(answer, colours), title=heading), caption)]


def _opened(home: SiteHome, book: Book, number: int) -> tuple[Record, Decision | None, str]:
    try:
        record = book.record(number)
    except ConsiliumError as error:
        raise Missing("There is no such answer.") from error
    detail = book.details(number, number + 1).get(number)
    return record, answer_of(detail) if detail else None, home.archive.name(detail.name) if detail else ""


def _row(home: SiteHome, record: Record, detail: Detail | None) -> tuple[object, ...]:
    answer = answer_of(detail) if detail else None
    if record.event == "flag":
        said = f"flagged: answer {record.of} shows {record.truth}"
    elif answer is None:
        said = "its patient was forgotten"
    else:
        said = answer.label or f"no answer: {answer.why}"
    name = home.archive.name(detail.name) if detail else ""
    return record.number, record.at, said, name, record.release.removeprefix("sha256:")
