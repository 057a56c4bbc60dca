"""Closing: folds once for ever, one batch an expert version, and all of it or nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from federated.errors import DataError
from federated.label_map import LabelMap, Line
from federated.vocabulary import builtin_vocabulary
from site_agent.folds import FOLDS
from site_agent.intake.examination import Examiner
from site_agent.intake.ingest import Order, ingest
from site_agent.sources.source import Facts, Item, Opened, Relation
from tests.site_agent.intake_making import archive_in, cases, content, data_set, patients, picture, take_in


def experts(folder: Path) -> dict[str, int]:
    """Batch -> expert version."""
    return dict(archive_in(folder).catalogue.rows("SELECT name, expert FROM batches"))


def test_a_new_machine_begins_the_next_expert_in_a_batch_of_its_own(tmp_path: Path) -> None:
    take_in(tmp_path, data_set(tmp_path / "one", patients(6)), machine="Acme One")
    before = cases(tmp_path)
    take_in(tmp_path, data_set(tmp_path / "two", patients(6), first=50), machine="Acme Two")
    take_in(tmp_path, data_set(tmp_path / "three", patients(6), first=100), machine="Acme One")
    assert experts(tmp_path) == {"b0001": 1, "b0002": 2, "b0003": 1}
    assert cases(tmp_path)[: len(before)] == before
    machines = archive_in(tmp_path).catalogue.rows("SELECT machine, expert FROM machines ORDER BY expert")
    assert machines == [("Acme One", 1), ("Acme Two", 2)]


def test_machines_that_come_first_are_one_expert_together(tmp_path: Path) -> None:
    source = _Machines()
    _ingest_from(tmp_path, source, {"a": "Acme One", "b": "Bolt Nine"})
    report = _ingest_from(tmp_path, source, {"c": "Bolt Nine", "d": "Crow", "e": "", "f": "Acme One"})
    assert report == ("b0002", "b0003")
    assert experts(tmp_path) == {"b0001": 1, "b0002": 1, "b0003": 2}
    known = archive_in(tmp_path).catalogue.rows("SELECT machine, expert FROM machines ORDER BY 1")
    assert known == [("", 2), ("Acme One", 1), ("Bolt Nine", 1), ("Crow", 2)]
    clips = set(archive_in(tmp_path).catalogue.rows("SELECT batch, machine FROM clips WHERE batch != 'b0001'"))
    assert clips == {("b0002", "Acme One"), ("b0002", "Bolt Nine"), ("b0003", ""), ("b0003", "Crow")}


def test_a_patient_seen_by_two_machines_stays_in_one_fold(tmp_path: Path) -> None:
    for number, machine in enumerate(("Acme One", "Acme Two")):
        take_in(tmp_path, data_set(tmp_path / machine, patients(12), first=50 * number), machine=machine)
    folds = {(case.patient, case.fold) for case in cases(tmp_path)}
    assert len(folds) == 12
    assert {fold for _, fold in folds} == set(FOLDS)


def test_two_splits_for_a_patient_are_refused_and_what_waits_can_be_put_right(tmp_path: Path) -> None:
    """Where only the files say whose they are, it shows when the batch is closed."""
    source = _Machines({"a": "P", "b": "P", "c": "Q"}, {"a": "train", "b": "test"})
    with pytest.raises(DataError, match=r"a patient is in train already and cannot move to test; put all images"):
        _ingest_from(tmp_path, source, dict.fromkeys("abc", ""))
    assert (cases(tmp_path), experts(tmp_path)) == ([], {})
    assert _ingest_from(tmp_path, _Machines({"a": "P", "b": "P", "c": "Q"}, {}), dict.fromkeys("abc", "")) == ("b0001",)
    assert len(cases(tmp_path)) == 3


def test_an_unknown_word_leaves_the_batch_open_and_a_map_closes_it_without_a_second_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = _Machines(words={"a": "healthy", "b": "gesund", "c": "krank"})
    files = dict.fromkeys("abc", "")
    with pytest.raises(DataError, match=r"label 'gesund' is not in the vocabulary 'lung' \(and 1 other labels\)"):
        _ingest_from(tmp_path, source, files)
    assert (cases(tmp_path), experts(tmp_path)) == ([], {})
    waiting = content(tmp_path)["files"]
    monkeypatch.setattr(Examiner, "__call__", None)
    assert _ingest_from(tmp_path, source, files, {"gesund": "healthy", "krank": "covid"}) == ("b0001",)
    assert [case.label for case in cases(tmp_path)] == ["healthy", "healthy", "covid"]
    assert content(tmp_path)["files"] == waiting


def test_another_root_leaves_what_waits_alone(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gesund"):
        _ingest_from(tmp_path, _Machines(words={"a": "gesund"}), {"a": ""})
    take_in(tmp_path, data_set(tmp_path / "other", patients(2), first=60))
    assert len(cases(tmp_path)) == 2
    assert archive_in(tmp_path).catalogue.rows("SELECT count(*) FROM clips WHERE batch IS NULL") == [(1,)]


def test_images_without_a_label_are_there_and_nothing_is_learnt_from_them(tmp_path: Path) -> None:
    _ingest_from(tmp_path, _Machines(words={"a": ""}), {"a": "", "b": ""})
    archive = archive_in(tmp_path)
    assert [case.label for case in archive.catalogue.cases()] == ["healthy"]
    assert sorted(case.label for case in archive.catalogue.cases(labelled=False)) == ["", "healthy"]


def test_the_view_and_the_contrast_of_a_concept_are_kept(tmp_path: Path) -> None:
    archive = archive_in(tmp_path)
    picture(tmp_path / "data" / "4CH" / "a.png", 1)
    picture(tmp_path / "data" / "4CH LVO" / "b.png", 2)
    lines = (
        Line(word="4CH", code="399214001", relation="same"),
        Line(word="4CH LVO", code="399214001+contrast", relation="same"),
    )
    label_map = LabelMap(version=1, lines=lines)
    ingest(archive, builtin_vocabulary("heart"), label_map, tmp_path / "data", Order())
    found = archive.catalogue.rows("SELECT label, view, contrast FROM clips ORDER BY label")
    assert found == [("399214001", "399214001", "no"), ("399214001+contrast", "399214001", "yes")]
    assert archive.catalogue.rows("SELECT label_map, pixels FROM batches") == [(label_map.digest, "sector")]


class _Machines:
    """A source that lists letters, whose files alone say what they are."""

    name, about, needs_sector = "letters", "", False
    labels: tuple[tuple[str, str, Relation], ...] = ()

    def __init__(
        self,
        whose: dict[str, str] | None = None,
        folds: dict[str, str] | None = None,
        words: dict[str, str] | None = None,
    ) -> None:
        self.whose, self.folds, self.words = whose or {}, folds or {}, words or {}

    def recognises(self, root: Path) -> bool:
        return root.name == "letters"

    def scan(self, root: Path) -> list[Item]:
        return [Item(path.stem, path, fold=self.folds.get(path.stem)) for path in sorted(root.iterdir())]

    def open(self, item: Item) -> Opened:
        facts = Facts(
            patient=self.whose.get(item.name, f"patient of {item.name}"),
            label=self.words.get(item.name, "healthy"),
            maker=item.path.read_text().splitlines()[0],
        )
        pixels = np.random.default_rng(ord(item.name)).integers(0, 255, (16, 20), dtype=np.uint8)
        return Opened(1, False, facts, lambda: iter([pixels]))


def _ingest_from(
    folder: Path, source: _Machines, files: dict[str, str], words: dict[str, str] | None = None
) -> tuple[str, ...]:
    """Files with the name of their machine in them, taken in; names of the new batches."""
    root = folder / "letters"
    root.mkdir(parents=True, exist_ok=True)
    for name, machine in files.items():
        if not (root / name).exists():
            (root / name).write_text(f"{machine}\n{name}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("site_agent.intake.ingest.source_of", lambda *_: source)
        return take_in(folder, root, words).batches
