from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from federated.errors import ConsiliumError
from site_agent.catalogue import Catalogue


def fill(catalogue: Catalogue) -> None:
    with catalogue.transaction() as connection:
        connection.execute("INSERT INTO batches VALUES ('b0001', '2026-01-01T00:00:00+00:00', '/data')")
        for patient, fold in (("p", "train"), ("q", "test")):
            connection.execute("INSERT INTO patients VALUES (?, ?, 'b0001')", (patient, fold))
        for number, (patient, label) in enumerate((("p", "a"), ("p", "a"), ("q", "b"))):
            case = (number, f"/data/{number}.png", str(number), patient, label, "c", 0, "b0001")
            connection.execute("INSERT INTO cases VALUES (?, ?, ?, ?, ?, ?, ?, ?)", case)
        connection.execute("INSERT INTO quarantine VALUES ('/data/x.png', 'is cut short')")


def test_a_new_catalogue_is_empty(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path / "catalogue.sqlite")
    assert catalogue.cases() == []
    assert catalogue.batches() == []
    assert catalogue.counts() == {}
    assert catalogue.quarantined() == []


def test_cases_are_found_by_fold_and_batch(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path / "catalogue.sqlite")
    fill(catalogue)
    assert [case.path.name for case in catalogue.cases()] == ["0.png", "1.png", "2.png"]
    assert [case.patient for case in catalogue.cases(fold="test")] == ["q"]
    assert catalogue.cases(fold="train", batch="b0002") == []
    (case,) = catalogue.cases("test", "b0001")
    assert (case.path, case.sha256, case.label, case.fold, case.batch) == (
        Path("/data/2.png"),
        "2",
        "b",
        "test",
        "b0001",
    )


def test_counts_are_of_patients_and_images(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path / "catalogue.sqlite")
    fill(catalogue)
    assert catalogue.counts() == {("train", "a"): (1, 2), ("test", "b"): (1, 1)}
    assert catalogue.quarantined() == [(Path("/data/x.png"), "is cut short")]
    assert catalogue.batches() == ["b0001"]


def write(catalogue: Catalogue, *statements: str, stop: BaseException | None = None) -> None:
    with catalogue.transaction() as connection:
        for statement in statements:
            connection.execute(statement)
        if stop:
            raise stop


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), ConsiliumError("no")])
def test_a_transaction_that_stops_half_way_leaves_nothing(tmp_path: Path, stop: BaseException) -> None:
    catalogue = Catalogue(tmp_path / "catalogue.sqlite")
    with pytest.raises(type(stop)):
        write(catalogue, "INSERT INTO batches VALUES ('b0001', '', '')", stop=stop)
    assert Catalogue(catalogue.path).batches() == []


def test_a_fold_is_one_of_four(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path / "catalogue.sqlite")
    batch, patient = (
        "INSERT INTO batches VALUES ('b0001', '', '')",
        "INSERT INTO patients VALUES ('p', 'held', 'b0001')",
    )
    with pytest.raises(ConsiliumError, match="CHECK"):
        write(catalogue, batch, patient)


def test_readers_are_not_held_up_by_an_ingest(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path / "catalogue.sqlite")
    with catalogue.transaction() as connection:
        connection.execute("INSERT INTO batches VALUES ('b0001', '', '')")
        assert Catalogue(catalogue.path).batches() == []


def test_a_second_ingest_at_the_same_time_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("site_agent.catalogue.BUSY_SECONDS", 0.01)
    catalogue = Catalogue(tmp_path / "catalogue.sqlite")
    with catalogue.transaction(), pytest.raises(ConsiliumError, match="wait until the other ingest"):
        fill(catalogue)


def test_a_full_disk_is_told_and_leaves_the_catalogue_as_it_was(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path / "catalogue.sqlite")
    no_more_pages = "PRAGMA max_page_count = 1"  # SQLite raises this to the pages in use, so the next one is too many
    with pytest.raises(ConsiliumError, match="make room on the disk"):
        write(catalogue, no_more_pages, "INSERT INTO batches VALUES ('b0001', '', zeroblob(100000))")
    assert Catalogue(catalogue.path).batches() == []


def test_another_file_or_version_is_told(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite"
    path.write_bytes(b"not a database, but long enough to be taken for one" * 30)
    with pytest.raises(ConsiliumError, match="not a database"):
        Catalogue(path)
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()
    with pytest.raises(ConsiliumError, match="is of version 7, this program reads 1"):
        Catalogue(path)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConsiliumError, match="the catalogue cannot be used"):
        Catalogue(tmp_path / "home" / "catalogue.sqlite")
