from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from federated.errors import ConsiliumError
from site_agent.catalogue import Aside, Catalogue

BATCH = "INSERT INTO batches VALUES ('b0001', '2026-01-01T00:00:00+00:00', 'ab', 1, 'sha256:0', 'sector')"
ITEM = "INSERT INTO items (key, root, stamp, said, state, sealed) VALUES (?, 'ab', '', '', ?, ?)"
CLIP = (
    "INSERT INTO clips (id, item, patient, patient_known, clip, label, word, machine, measures, words, header, sector, "
    "quality, blanked, source, looks, frames, batch) "
    "VALUES (?, ?, ?, 1, ?, ?, x'00', '', '{}', '{}', '', '', 0, '', 'images', x'00', 1, ?)"
)


def fill(catalogue: Catalogue) -> None:
    """Two patients: a clip of two frames; a still; one without a label; one that waits; one that was refused."""
    with catalogue.transaction() as connection:
        connection.execute(BATCH)
        for patient, fold in (("p", "train"), ("q", "test")):
            connection.execute("INSERT INTO patients VALUES (?, ?, 'b0001')", (patient, fold))
        items = (("p", "a", "b0001"), ("q", "b", "b0001"), ("q", None, "b0001"), ("p", None, None))
        for number, (patient, label, batch) in enumerate(items):
            key = f"k{number}"
            connection.execute(ITEM, (key, "taken", b"\0"))
            connection.execute(CLIP, (number, key, patient, f"c{number}", label, batch))
            connection.execute("INSERT INTO frames VALUES (?, 5, 0, ?, 'ED')", (number, f"s{number}"))
        connection.execute("INSERT INTO frames VALUES (0, 9, 1, 's9', '')")
        connection.execute(ITEM, ("kx", "refused", b"\x124"))


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return Catalogue(tmp_path / "catalogue.sqlite")


def test_a_new_catalogue_is_empty(catalogue: Catalogue) -> None:
    assert catalogue.cases() == []
    assert catalogue.batches() == []
    assert catalogue.counts() == {}
    assert catalogue.aside() == []


def test_cases_are_found_by_fold_and_batch(catalogue: Catalogue) -> None:
    fill(catalogue)
    assert [(case.key, case.frame, case.place) for case in catalogue.cases()] == [
        ("k0", 5, 0),
        ("k0", 9, 1),
        ("k1", 5, 0),
    ]
    assert [case.patient for case in catalogue.cases(fold="test")] == ["q"]
    assert catalogue.cases(fold="train", batch="b0002") == []
    (case,) = catalogue.cases("test", "b0001")
    assert (case.id, case.sha256, case.label, case.clip, case.fold, case.batch) == (1, "s1", "b", "c1", "test", "b0001")


def test_cases_without_a_label_come_only_when_asked_for(catalogue: Catalogue) -> None:
    fill(catalogue)
    assert [(case.key, case.label) for case in catalogue.cases(fold="test", labelled=False)] == [
        ("k1", "b"),
        ("k2", ""),
    ]


def test_what_waits_for_its_batch_is_not_seen(catalogue: Catalogue) -> None:
    fill(catalogue)
    assert "k3" not in {case.key for case in catalogue.cases(labelled=False)}


def test_counts_are_of_patients_and_images(catalogue: Catalogue) -> None:
    fill(catalogue)
    assert catalogue.counts() == {("train", "a"): (1, 2), ("test", "b"): (1, 1), ("test", ""): (1, 1)}
    assert catalogue.aside() == [Aside("kx", "refused", b"\x124")]
    assert catalogue.batches() == ["b0001"]


def test_an_item_takes_its_clip_and_frames_with_it(catalogue: Catalogue) -> None:
    fill(catalogue)
    write(catalogue, "DELETE FROM items WHERE key = 'k0'")
    assert {case.key for case in catalogue.cases()} == {"k1"}
    assert catalogue.rows("SELECT count(*) FROM frames WHERE clip = 0") == [(0,)]


def write(catalogue: Catalogue, *statements: str, stop: BaseException | None = None) -> None:
    with catalogue.transaction() as connection:
        for statement in statements:
            connection.execute(statement)
        if stop:
            raise stop


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), ConsiliumError("no")])
def test_a_transaction_that_stops_half_way_leaves_nothing(catalogue: Catalogue, stop: BaseException) -> None:
    with pytest.raises(type(stop)):
        write(catalogue, BATCH, stop=stop)
    assert Catalogue(catalogue.path).batches() == []


@pytest.mark.parametrize(
    "wrong",
    [
        "INSERT INTO patients VALUES ('p', 'held', 'b0001')",
        "INSERT INTO items (key, root, stamp, said, state, sealed) VALUES ('k', '', '', '', 'lost', x'00')",
        "INSERT INTO patients VALUES ('p', 'train', 'b0002')",
    ],
    ids=["fold", "state", "batch"],
)
def test_what_is_none_of_its_kind_is_not_written(catalogue: Catalogue, wrong: str) -> None:
    with pytest.raises(ConsiliumError, match="constraint"):
        write(catalogue, BATCH, wrong)
    assert catalogue.batches() == []


def test_readers_are_not_held_up_by_an_ingest(catalogue: Catalogue) -> None:
    with catalogue.transaction() as connection:
        connection.execute(BATCH)
        assert Catalogue(catalogue.path).batches() == []


def test_a_second_ingest_at_the_same_time_is_told(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("site_agent.catalogue.BUSY_SECONDS", 0.01)
    with catalogue.transaction(), pytest.raises(ConsiliumError, match="wait until the other ingest"):
        fill(catalogue)


def test_a_full_disk_is_told_and_leaves_the_catalogue_as_it_was(catalogue: Catalogue) -> None:
    no_more_pages = "PRAGMA max_page_count = 1"  # SQLite raises this to the pages in use, so the next one is too many
    with pytest.raises(ConsiliumError, match="make room on the disk"):
        write(catalogue, no_more_pages, "INSERT INTO machines VALUES (zeroblob(100000), 1)")
    assert catalogue.rows("SELECT * FROM machines") == []


def test_another_file_or_version_is_told(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite"
    path.write_bytes(b"not a database, but long enough to be taken for one" * 30)
    with pytest.raises(ConsiliumError, match="not a database"):
        Catalogue(path)
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    with pytest.raises(ConsiliumError, match="is of version 1, this program reads 2; move it away"):
        Catalogue(path)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConsiliumError, match="the catalogue cannot be used"):
        Catalogue(tmp_path / "home" / "catalogue.sqlite")


def test_a_batch_that_holds_nothing_is_none_and_its_name_is_not_given_again(catalogue: Catalogue) -> None:
    fill(catalogue)
    assert (catalogue.batches(), catalogue.expert_of("b0001")) == (["b0001"], 1)
    with catalogue.transaction() as connection:
        connection.execute("DELETE FROM items")
    assert catalogue.batches() == []
    assert catalogue.rows("SELECT count(*) FROM batches") == [(1,)]


def test_of_who_was_forgotten_a_token_and_the_day_remain(catalogue: Catalogue) -> None:
    assert catalogue.forgotten() == {}
    with catalogue.transaction() as connection:
        connection.execute("INSERT INTO forgotten VALUES ('ab', '2026-02-03')")
    assert catalogue.forgotten() == {"ab": "2026-02-03"}
