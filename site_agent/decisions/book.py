"""The decision log in a site's home: leaves that only grow, and what lies beside them, kept in step.

What the log has is on the disk before anybody is told of it. It has a lock of its own, so that predictions need not
wait for a round of work; whoever holds the home's lock as well takes that one first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from federated.decision import Decision, parse_decision
from federated.decision_record import Record, check_opened, decisions_origin, parse_record
from federated.errors import ConsiliumError, ContractError
from federated.homes import LOCK_SECONDS, held
from federated.log.checkpoints import origin_of
from federated.log.journal import Journal
from federated.log.merkle import inclusion_proof, root
from federated.statistics import Array
from site_agent.decisions.details import (
    Detail,
    Told,
    all_told,
    count,
    details,
    drop_beyond,
    find,
    forget,
    numbers_of,
    patients,
    put,
    put_told,
    some,
)

if TYPE_CHECKING:
    from pathlib import Path

    from site_agent.home import SiteHome

FOLDER, DETAILS = "decisions", "decisions.sqlite"
GONE = "its answer is not here any more: its patient was forgotten"
Made = Callable[[int], tuple[Record, Detail]]
"""A record and what lies beside it, once its number is known."""


class Book:
    """A site's decision log, by whoever holds its lock (`book_of`)."""

    def __init__(self, home: SiteHome, path: Path) -> None:
        self._home, self._details = home, home.path / DETAILS
        self.journal = Journal(path, decisions_origin(origin_of(home.config.federation), home.config.site))

    @property
    def size(self) -> int:
        """How many records."""
        return self.journal.size

    def append(self, made: Sequence[Made]) -> range:
        """More records, all or none; their numbers. Once this returns they are on the disk.

        Raises:
            ConsiliumError: the disk is full, or the key cannot be read.
        """
        pairs = [each(self.size + place) for place, each in enumerate(made)]
        key = self._home.key()
        with details(self._details) as connection:
            drop_beyond(connection, self.size)
            put(connection, [detail for _, detail in pairs])
        return self.journal.append([record.to_bytes() for record, _ in pairs], key)

    def records(self, begin: int = 0, end: int | None = None) -> Iterator[Record]:
        """Some records, in their order."""
        return (parse_record(leaf) for leaf in self.journal.entries(begin, end))

    def record(self, number: int) -> Record:
        """One of them.

        Raises:
            ConsiliumError: there is none of this number.
        """
        if not 0 <= number < self.size:
            held = f"the log has {self.size} records, from 0" if self.size else "the log is empty"
            raise ConsiliumError(f"there is no such record: {held}", where=f"record {number}")
        return next(self.records(number, number + 1))

    def details(self, begin: int = 0, end: int | None = None) -> dict[int, Detail]:
        """What lies beside some records, without features; of forgotten patients nothing."""
        with details(self._details) as connection:
            return {each.number: each for each in some(connection, begin, self.size if end is None else end)}

    def detail(self, number: int) -> Detail | None:
        """What lies beside a record, with its features.

        Raises:
            ContractError: images of a clip are not here any more.
        """
        with details(self._details) as connection:
            return find(connection, number)

    def opened(self, number: int) -> tuple[Record, Decision | None, Array | None, Detail | None]:
        """A record whole, held against what lies beside it; beside a flag nothing is needed.

        Raises:
            ConsiliumError: there is no such record, or its patient was forgotten.
            ContractError: what lies beside it was changed.
        """
        record, detail = self.record(number), self.detail(number)
        if detail is None and record.event == "decision":
            raise ConsiliumError(GONE, where=f"record {number}")
        decision, features = (answer_of(detail), detail.features) if detail else (None, None)
        check_opened(record, decision, features)
        return record, decision, features, detail

    def numbers_of(self, word: str) -> list[int]:
        """Records of decisions on an image or clip, by its keyed name."""
        with details(self._details) as connection:
            return numbers_of(connection, word, self.size)

    def inclusion(self, number: int, size: int) -> tuple[str, ...]:
        """What proves that a record is among the first `size`."""
        return tuple(each.hex() for each in inclusion_proof(number, size, self.journal.tiles.subtree))

    def consistency(self, old: int) -> tuple[str, ...]:
        """What proves that the log goes on from its first `old` records."""
        return tuple(each.hex() for each in self.journal.consistency(old))

    def root(self, size: int) -> str:
        """Of the tree of the first `size` records.

        Raises:
            ContractError: there are not so many.
        """
        if size > self.size:
            raise ContractError(f"has {self.size} records, not {size}", where="decision log")
        return root(size, self.journal.tiles.subtree).hex()

    def told(self) -> list[Told]:
        """Summaries that were drafted, oldest first."""
        with details(self._details) as connection:
            return all_told(connection)

    def note_told(self, told: Told) -> None:
        """Writes down that a summary was drafted."""
        with details(self._details) as connection:
            put_told(connection, told)

    def patients(self) -> set[str]:
        """Pseudonyms of everybody of whom an answer is here."""
        with details(self._details) as connection:
            return patients(connection)

    def forget(self, patient: str) -> int:
        """Removes answers, features and names of a patient; how many records these were of."""
        with details(self._details) as connection:
            return forget(connection, patient)

    def count(self, patient: str) -> int:
        """How many records have something of a patient beside them."""
        with details(self._details) as connection:
            return count(connection, patient)


@contextmanager
def book_of(home: SiteHome) -> Iterator[Book]:
    """The decision log of a site, held.

    Raises:
        ConsiliumError: another process held it for too long, or it is damaged.
    """
    path = home.path / FOLDER
    path.mkdir(mode=0o700, exist_ok=True)
    with held(path, by="another prediction", seconds=LOCK_SECONDS):
        yield Book(home, path)


@contextmanager
def at_rest(home: SiteHome) -> Iterator[None]:
    """Nobody writes into the decision log meanwhile, where there is one.

    Raises:
        ConsiliumError: another process held it for too long.
    """
    if not has_book(home):
        yield
        return
    with held(home.path / FOLDER, by="another prediction", seconds=LOCK_SECONDS):
        yield


def has_book(home: SiteHome) -> bool:
    """Whether a decision was ever logged here."""
    return (home.path / DETAILS).exists()


def decided_on(home: SiteHome) -> set[str]:
    """Pseudonyms of everybody of whom an answer is here."""
    if not has_book(home):
        return set()
    with book_of(home) as book:
        return book.patients()


def decisions_on(home: SiteHome, patient: str) -> int:
    """How many records have something of a patient beside them."""
    if not has_book(home):
        return 0
    with book_of(home) as book:
        return book.count(patient)


def forget_decisions(home: SiteHome, patient: str) -> None:
    """Removes what lies beside the records of a patient; the log stays as it is."""
    if has_book(home):
        with book_of(home) as book:
            book.forget(patient)


def answer_of(detail: Detail) -> Decision | None:
    """The answer that lies beside a record; None of a flag."""
    return None if detail.answer is None else parse_decision(detail.answer.decode(), where=f"record {detail.number}")


def now() -> str:
    """UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
