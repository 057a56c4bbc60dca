"""What became known of an answer: the truth, whether somebody decided otherwise, who says so and why."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from federated.decision_record import Record, Why
from federated.errors import ConsiliumError
from site_agent.decisions.book import Book, book_of, now
from site_agent.decisions.details import Detail
from site_agent.decisions.noting import word_of

if TYPE_CHECKING:
    from site_agent.home import SiteHome


def flag(
    home: SiteHome, name: str, truth: str, *, why: Why, by: str, words: str = "", overruled: bool = False
) -> Record:
    """Logs the truth about a decision; what was logged before stays as it was.

    Args:
        home: the site's.
        name: the record's number, or the image's or clip's name; of several the last decision on it, a clip's first.
        truth: a label of the vocabulary, or a word of the site's own that stands for one.
        why: from where it is known.
        by: who says so; kept here, sealed, and keyed in the log.
        words: of theirs; kept here, sealed.
        overruled: whether they decided otherwise than was answered.

    Raises:
        ConsiliumError: there is no such decision, or no such label.
    """
    label, seal = label_of(home, truth), home.archive.seal
    keyed = hmac.digest(home.secret(), f"flagged by\0{by}".encode(errors="surrogateescape"), "sha256").hex()
    with book_of(home) as book:
        record = _decision(book, number_of(home, book, name))
        before = book.detail(record.number)

        def made(number: int) -> tuple[Record, Detail]:
            logged = Record(
                number=number,
                at=now(),
                event="flag",
                release=record.release,
                patient=record.patient,
                of=record.number,
                truth=label,
                overruled=overruled,
                why=why,
                by=keyed,
            )
            patient, sealed = (before.patient, before.name) if before else ("", seal.close(""))
            return logged, Detail(number, patient, "", sealed, who=seal.close(by), note=seal.close(words))

        numbers = book.append([made])
        return book.record(numbers.start)


def number_of(home: SiteHome, book: Book, name: str) -> int:
    """The record that a person means.

    Raises:
        ConsiliumError: nothing was decided on it.
    """
    found = book.numbers_of(word_of(home.archive.seal, name))
    if found:
        return found[-1]
    if name.isascii() and name.isdigit() and len(name) < 10:
        return int(name)
    cure = "give a record's number, or a name as in predictions.jsonl: consilium site decisions list"
    raise ConsiliumError("nothing was decided on it", where=name, cure=cure)


def label_of(home: SiteHome, word: str) -> str:
    """A label of the federation, by itself or by the site's own word for it.

    Raises:
        ConsiliumError: it is neither.
    """
    return home.label_map.code_for(word, home.vocabulary)


def _decision(book: Book, number: int) -> Record:
    record = book.record(number)
    if record.event != "decision":
        raise ConsiliumError("is a flag, not a decision", where=f"record {number}", cure=f"flag record {record.of}")
    return record
