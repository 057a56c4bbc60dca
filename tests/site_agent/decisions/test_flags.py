from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from federated.decision_record import Record
from federated.errors import ConsiliumError
from federated.label_map import LabelMap, Line, write_label_map
from site_agent.decisions.book import DETAILS, FOLDER, book_of
from site_agent.decisions.flags import flag

if TYPE_CHECKING:
    from site_agent.home import SiteHome
    from tests.site_agent.decisions.conftest import Clinic


@pytest.fixture
def records(clinic: Clinic) -> list[Record]:
    return clinic.answer({"dark": 2})


def test_a_flag_is_a_record_after_the_decision(ada: SiteHome, records: list[Record]) -> None:
    made = flag(ada, "3", "light", why="second-reading", by="Dr. Jane Doe", words="clearly light", overruled=True)
    assert (made.number, made.of, made.truth, made.overruled, made.why) == (4, 3, "light", True, "second-reading")
    assert (made.release, made.patient) == (records[3].release, records[3].patient)
    with book_of(ada) as book:
        record, answer, features, detail = book.opened(4)
        assert detail is not None
    assert (record, answer, features) == (made, None, None)
    assert detail.who is not None
    assert detail.note is not None
    assert (ada.archive.name(detail.who), ada.archive.name(detail.note)) == ("Dr. Jane Doe", "clearly light")


def test_who_and_why_stay_sealed(ada: SiteHome, records: list[Record]) -> None:
    one = flag(ada, str(records[0].number), "light", why="other", by="Dr. Jane Doe", words="clearly light")
    other = flag(ada, str(records[1].number), "light", why="other", by="Dr. Jane Doe")
    third = flag(ada, str(records[1].number), "dark", why="other", by="Dr. Who")
    assert one.by == other.by != third.by
    files = [ada.path / DETAILS, *(path for path in (ada.path / FOLDER).rglob("*") if path.is_file())]
    data = b"".join(path.read_bytes() for path in files)
    assert b"Jane" not in data
    assert b"clearly" not in data


def test_a_decision_is_named_as_in_the_predictions(ada: SiteHome, clinic: Clinic) -> None:
    """The clip where both have the name; the last one where it was answered again."""
    folder = clinic.images({"dark": 1})
    clinic.answer({}, folder=folder)
    name = f"dark-{clinic.came}"
    assert flag(ada, f"{name}-0.png", "light", why="other", by="x").of == 0
    assert flag(ada, name, "light", why="other", by="x").of == 1
    clinic.answer({}, folder=folder)
    assert flag(ada, name, "light", why="other", by="x").of == 5


def test_the_sites_own_word_is_understood(ada: SiteHome, records: list[Record]) -> None:
    lines = (Line(word="hell", code="light", relation="same"),)
    write_label_map(LabelMap(version=1, lines=lines), ada.labels_path)
    assert flag(ada, "0", "hell", why="other", by="x").truth == "light"
    assert records[0].number == 0


def test_mistakes_are_one_line(ada: SiteHome, records: list[Record]) -> None:
    assert len(records) == 4
    for name, truth, said in (
        ("0", "grey", "'grey' is not"),
        ("9", "dark", "record 9: there is no such record"),
        ("nobody.png", "dark", "nobody.png: nothing was decided on it"),
    ):
        with pytest.raises(ConsiliumError, match=said) as error:
            flag(ada, name, truth, why="other", by="x")
        assert "\n" not in str(error.value)
    flag(ada, "0", "dark", why="other", by="x")
    with pytest.raises(ConsiliumError, match="record 4: is a flag, not a decision; flag record 0"):
        flag(ada, "4", "dark", why="other", by="x")
