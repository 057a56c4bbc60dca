from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from federated.deciding import decide_alone
from federated.decision import check_decision, parse_decision
from federated.decision_record import check_included, parse_record
from federated.errors import ConsiliumError
from federated.log.journal import Journal
from site_agent.adopt import model_of
from site_agent.decisions.book import DETAILS, FOLDER, book_of
from site_agent.sealing import pseudonym, token

if TYPE_CHECKING:
    from site_agent.home import SiteHome
    from tests.site_agent.decisions.conftest import Clinic


def test_every_answer_leaves_a_record(ada: SiteHome, clinic: Clinic) -> None:
    records = clinic.answer({"dark": 2, "striped": 1}, each=2)
    lines = [parse_decision(line, where="") for line in clinic.out.read_text().splitlines()]
    assert [record.number for record in records] == list(range(9))
    assert [record.rows for record in records] == [1] * 6 + [2] * 3
    assert all(record.began is not None and record.began <= record.at for record in records)
    with book_of(ada) as book:
        for record, line in zip(records, lines, strict=True):
            _, answer, _, detail = book.opened(record.number)
            assert detail is not None
            assert answer is not None
            check_decision(answer)
            named = answer.model_copy(update={"image": line.image, "clip": line.clip})
            assert named == line
            assert ada.archive.name(detail.name) == (line.image or line.clip)


def test_what_was_logged_can_be_computed_again_to_the_last_bit(ada: SiteHome, clinic: Clinic) -> None:
    clinic.answer({"dark": 3, "light": 2}, each=3)
    with book_of(ada) as book:
        for record in book.records():
            _, answer, features, _ = book.opened(record.number)
            assert answer is not None
            assert features is not None
            assert decide_alone(model_of(ada, record.release), features, answer.image, answer.clip) == answer


def test_records_of_one_patient_are_of_one_patient(ada: SiteHome, clinic: Clinic) -> None:
    records = clinic.answer({"dark": 2}, each=2)
    number = f"dark-{clinic.came}"
    assert records[0].patient == token(ada.secret(), pseudonym(ada.secret(), "patient", number))
    assert len({record.patient for record in records}) == 2
    assert [records[place].patient for place in (0, 1, 4)] == [records[0].patient] * 3


def test_images_of_nobody_in_particular_are_each_files(ada: SiteHome, clinic: Clinic) -> None:
    """As when they are taken in: a file without a patient stands for one."""
    folder = clinic.images({"dark": 2})
    (folder / "index.csv").unlink()
    records = clinic.answer({}, folder=folder)
    assert len({record.patient for record in records}) == 2
    again = clinic.answer({}, folder=folder)
    assert {record.patient for record in again} == {record.patient for record in records}
    assert {record.features for record in again} == {record.features for record in records}


def test_the_log_is_a_tree_that_others_can_follow(ada: SiteHome, clinic: Clinic) -> None:
    clinic.answer({"dark": 3})
    clinic.answer({"light": 3})
    with book_of(ada) as book:
        for record in book.records():
            check_included(record, book.size, book.root(book.size), book.inclusion(record.number, book.size))
        early = next(book.records())
        check_included(early, 7, book.root(7), book.inclusion(0, 7))
    leaves = Journal(ada.path / FOLDER, "consilium/shades/ada/decisions").entries()
    assert [parse_record(leaf).number for leaf in leaves] == list(range(12))


def test_nothing_that_names_anybody_is_on_the_disk(ada: SiteHome, clinic: Clinic) -> None:
    """Planted names are looked for in every byte of the log and of what lies beside it."""
    folder = clinic.images({"dark": 1})
    path = next(folder.glob("*.png"))
    path.rename(folder / "Erika Mustermann 1965.png")
    (folder / "index.csv").write_text("path,patient,clip\nErika Mustermann 1965.png,PAT-4711,Sono-Mustermann\n")
    clinic.answer({}, folder=folder)
    files = [ada.path / DETAILS, *(path for path in (ada.path / FOLDER).rglob("*") if path.is_file())]
    data = b"".join(path.read_bytes() for path in files)
    assert len(data) > 1000
    for planted in (b"Mustermann", b"1965", b"4711", b"Erika", b"Sono"):
        assert planted not in data
    assert (ada.path / DETAILS).stat().st_mode & 0o077 == 0
    assert (ada.path / FOLDER).stat().st_mode & 0o077 == 0


def test_without_a_record_nobody_is_shown_an_answer(
    ada: SiteHome, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> range:
        raise ConsiliumError("the disk is full")

    monkeypatch.setattr(Journal, "append", full)
    with pytest.raises(ConsiliumError, match="the disk is full"):
        clinic.answer({"dark": 1})
    assert not Path(clinic.out).exists()
    monkeypatch.undo()
    assert len(clinic.answer({"dark": 1})) == 2


class KilledError(BaseException):
    """The process ends here."""


def test_a_kill_before_the_file_is_written_leaves_the_records(
    ada: SiteHome, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody was shown may be in the log; what somebody was shown is."""

    def killed(*_: object) -> None:
        raise KilledError

    monkeypatch.setattr("site_agent.predict.write_whole", killed)
    with pytest.raises(KilledError):
        clinic.answer({"dark": 1})
    monkeypatch.undo()
    assert not clinic.out.exists()
    assert [record.number for record in clinic.answer({"dark": 1})] == [2, 3]
    with book_of(ada) as book:
        assert all(book.opened(number)[1] is not None for number in range(4))
