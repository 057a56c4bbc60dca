from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from federated.decision_record import features_digest
from federated.errors import ConsiliumError, ContractError
from federated.log import journal
from site_agent.decisions.book import DETAILS, FOLDER, Book, book_of, has_book
from site_agent.decisions.details import Detail
from site_agent.home import SiteHome
from tests.decision_making import a_flag, a_record, an_answer, rows

if TYPE_CHECKING:
    from federated.decision_record import Record

REPOSITORY = Path(__file__).parents[3]


def _made(patient: str = "p" * 64) -> Callable[[int], tuple[Record, Detail]]:
    def make(number: int) -> tuple[Record, Detail]:
        answer = an_answer()
        detail = Detail(number, patient, f"w{number}", b"sealed", answer.json_line().strip().encode(), rows(number))
        return a_record(number, answer), detail

    return make


def _append(home: SiteHome, count: int = 1) -> range:
    with book_of(home) as book:
        return book.append([_made()] * count)


def test_records_are_numbered_and_read_again(home: SiteHome) -> None:
    assert not has_book(home)
    assert (_append(home, 2), _append(home)) == (range(2), range(2, 3))
    assert has_book(home)
    with book_of(home) as book:
        assert [record.number for record in book.records()] == [0, 1, 2]
        record, answer, features, detail = book.opened(1)
        assert detail is not None
        assert (record.number, answer, detail.word) == (1, an_answer(), "w1")
        assert features is not None
        assert features_digest(features) == record.features
        assert book.numbers_of("w2") == [2]
        assert book.patients() == {"p" * 64}


def test_what_is_not_there_is_one_line(home: SiteHome) -> None:
    with (
        book_of(home) as book,
        pytest.raises(ConsiliumError, match="record 0: there is no such record: the log is empty"),
    ):
        book.record(0)
    _append(home)
    with book_of(home) as book:
        for number in (1, -1):
            with pytest.raises(ConsiliumError, match="the log has 1 records, from 0"):
                book.record(number)
        with pytest.raises(ContractError, match="has 1 records, not 2"):
            book.root(2)


def test_what_lies_beside_is_held_against_the_log(home: SiteHome) -> None:
    _append(home)
    with closing(sqlite3.connect(home.path / DETAILS)) as connection, connection:
        connection.execute("UPDATE details SET features = ?", (np.zeros(3).tobytes(),))
    with book_of(home) as book, pytest.raises(ContractError, match="the features are not those that were logged"):
        book.opened(0)


def test_a_patient_goes_and_the_leaf_stays(home: SiteHome) -> None:
    _append(home)
    with book_of(home) as book:
        before = book.root(1)
        assert book.forget("p" * 64) == 1
        assert book.forget("p" * 64) == 0
        assert book.root(1) == before
        with pytest.raises(ConsiliumError, match="its patient was forgotten"):
            book.opened(0)
    assert b"sealed" not in (home.path / DETAILS).read_bytes()


def test_a_clip_without_its_images_is_not_opened(home: SiteHome) -> None:
    def clip(number: int) -> tuple[Record, Detail]:
        answer = an_answer(None)
        detail = Detail(number, "q" * 64, "clip", b"", answer.json_line().strip().encode(), frames=(0, 1))
        return a_record(number, answer, np.concatenate([rows(0), rows(1)])), detail

    _append(home, 2)
    with book_of(home) as book:
        book.append([clip])
        assert book.opened(2)[2] is not None
        book.forget("p" * 64)
        with pytest.raises(ContractError, match="images of this clip are not here any more"):
            book.opened(2)


def test_a_flag_has_no_answer(home: SiteHome) -> None:
    _append(home)
    with book_of(home) as book:
        book.append([lambda number: (a_flag(number, 0), Detail(number, "p" * 64, "", b"", who=b"x"))])
        assert book.opened(1)[1:3] == (None, None)


class KilledError(BaseException):
    """The process ends here."""


def _killed(*_: object, **__: object) -> None:
    raise KilledError


@pytest.mark.parametrize("step", ["append", "write"])
def test_a_kill_between_both_leaves_them_in_step(home: SiteHome, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """What was not acknowledged is gone from both; the number is given out again."""
    _append(home)
    monkeypatch.setattr(
        *{"append": (journal.Journal, "append", _killed), "write": (journal, "write_whole", _killed)}[step]
    )
    with pytest.raises(KilledError):
        _append(home)
    monkeypatch.undo()
    with book_of(home) as book:
        assert book.size == 1
        with pytest.raises(ConsiliumError, match="there is no such record"):
            book.opened(1)
    assert _append(home) == range(1, 2)
    with book_of(home) as book:
        assert book.opened(1)[0].number == 1


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, {repository!r})
from site_agent.home import SiteHome
from tests.site_agent.decisions.test_book import _append
home = SiteHome(Path({home!r}))
while True:
    print(_append(home, 2).stop, flush=True)
"""


def test_a_real_kill_loses_nothing_that_was_acknowledged(home: SiteHome) -> None:
    code = WRITER.format(repository=str(REPOSITORY), home=str(home.path))
    for kills in range(3):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=REPOSITORY) as process:
            assert process.stdout is not None
            told = [int(process.stdout.readline()) for _ in range(4 + 3 * kills)]
            process.send_signal(signal.SIGKILL)
            told += [int(line) for line in process.stdout.read().split()]
        with book_of(home) as book:
            assert book.size >= told[-1]
            for number in range(book.size):
                assert book.opened(number)[0].number == number


def test_another_process_waits(home: SiteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("site_agent.decisions.book.LOCK_SECONDS", 0.1)
    with book_of(home), pytest.raises(ConsiliumError, match="another prediction is at work here"), book_of(home):
        pass


def test_a_log_of_another_site_is_not_taken_over(home: SiteHome) -> None:
    _append(home)
    home.config = home.config.model_copy(update={"federation": "other"})
    with pytest.raises(ContractError, match="expected 'consilium/other/ada/decisions'"):
        Book(home, home.path / FOLDER)
