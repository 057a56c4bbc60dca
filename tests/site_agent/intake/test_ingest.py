from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from federated.errors import ConsiliumError, DataError
from federated.vocabulary import plain_vocabulary
from site_agent.catalogue import Catalogue
from site_agent.intake import ingest as module
from site_agent.intake.closing import close
from site_agent.intake.examination import Examiner, Record
from site_agent.intake.ingest import Order, ingest
from site_agent.intake.reports import IngestReport
from site_agent.intake.rows import Rows
from site_agent.sources.folder import FolderSource
from site_agent.sources.index import Columns
from site_agent.sources.source import Item, Opened
from tests.site_agent.intake_making import (
    archive_in,
    aside,
    cases,
    content,
    data_set,
    gif,
    names,
    patients,
    picture,
    take_in,
)


def test_images_of_an_index_become_one_batch(tmp_path: Path) -> None:
    rows = [{"patient": "P1", "clip": "c"}, {"patient": "P1", "clip": "c"}, {"patient": "P2", "label": "covid"}]
    report = take_in(tmp_path, data_set(tmp_path / "data", rows))
    assert (report.batches, report.images, report.clips, report.patients) == (("b0001",), 3, 3, 2)
    assert (report.format, report.recognised, report.skipped) == ("images", True, 0)
    assert report.labels == {"covid": 1, "healthy": 2}
    first, second, third = cases(tmp_path)
    assert first.clip == second.clip != third.clip
    assert first.patient == second.patient != third.patient
    assert names(tmp_path) == ["0.png", "1.png", "2.png"]


def test_another_secret_gives_other_pseudonyms_keys_and_folds(tmp_path: Path) -> None:
    index = data_set(tmp_path / "data", patients(12))
    found = []
    for secret in (bytes(32), b"\1" * 32):
        archive = archive_in(tmp_path / str(secret[0]), secret)
        ingest(archive, plain_vocabulary("lung", ["healthy"]), module.LabelMap(), index)
        found.append({case.sha256: case for case in archive.catalogue.cases()})
    one, other = found
    assert one.keys() == other.keys()
    for field in ("patient", "key", "clip"):
        assert not {getattr(case, field) for case in one.values()} & {getattr(case, field) for case in other.values()}
    assert [case.fold for case in one.values()] != [other[digest].fold for digest in one]


def test_folds_hold_patients_whole_and_never_change(tmp_path: Path) -> None:
    take_in(tmp_path, data_set(tmp_path / "one", [row for row in patients(9) for _ in range(3)]))
    before = {case.patient: case.fold for case in cases(tmp_path)}
    report = take_in(tmp_path, data_set(tmp_path / "two", patients(25, label="covid"), first=100))
    after = cases(tmp_path)
    assert (report.batches, report.patients) == (("b0002",), 25)
    assert before.items() <= {c.patient: c.fold for c in after}.items()
    assert len({(case.patient, case.fold) for case in after}) == 25
    assert set(before.values()) == {"train", "validation", "calibration", "test"}


def test_the_hospitals_words_are_mapped_to_codes(tmp_path: Path) -> None:
    index = data_set(tmp_path / "data", [{"label": "gesund"}, {"label": "covid"}])
    assert take_in(tmp_path, index, {"gesund": "healthy"}).labels == {"covid": 1, "healthy": 1}


def test_an_unknown_label_is_told_before_anything_is_looked_at(tmp_path: Path) -> None:
    index = data_set(tmp_path / "data", [{}, {"label": "viral"}, {"label": "fungal"}])
    with pytest.raises(DataError, match=r"label 'fungal' is not in the vocabulary 'lung' \(and 1 other labels\)"):
        take_in(tmp_path, index)
    assert cases(tmp_path) == []
    assert not (tmp_path / "frames").exists()


def test_only_the_site_asked_for_is_taken_in(tmp_path: Path) -> None:
    index = data_set(tmp_path / "data", [{"site": "north"}, {"site": "south"}])
    assert take_in(tmp_path, index, site="north").images == 1
    with pytest.raises(DataError, match="has no image of site 'east'; sites there: north, south"):
        take_in(tmp_path, index, site="east")


def test_several_sites_in_one_are_said_aloud(tmp_path: Path) -> None:
    report = take_in(tmp_path, data_set(tmp_path / "data", [{"site": "north"}, {"site": "south"}]))
    assert "images of 2 sites are taken in as one: north, south" in report.notes


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    index = data_set(tmp_path / "data", [{"split_group": "g"}, {"split_group": "g"}])
    assert take_in(tmp_path, index, columns=Columns(patient="split_group")).patients == 1


def test_without_patient_ids_each_clip_is_a_patient_and_it_is_said(tmp_path: Path) -> None:
    report = take_in(tmp_path, data_set(tmp_path / "data", [{"clip": "c"}, {"clip": "c"}, {}, {}]))
    assert report.patients == 3
    assert "4 images or clips name no patient: each clip counts as a patient of its own" in report.notes


def test_one_class_and_one_patient_are_allowed_and_said(tmp_path: Path) -> None:
    report = take_in(tmp_path, data_set(tmp_path / "data", [{"patient": "P"}, {"patient": "P"}]))
    assert report.images == 2
    assert "every image shows 'healthy': this site can vouch for that label only" in report.notes
    assert any(note.startswith("all images are of one patient") for note in report.notes)
    assert any(note.endswith("none in validation, calibration, test") for note in report.notes)


def test_a_person_who_vouches_for_all_pixels_is_reminded(tmp_path: Path) -> None:
    report = take_in(tmp_path, data_set(tmp_path / "data", patients(2)), pixels="whole")
    assert "pixels outside the sector were kept: a person vouched for them" in report.notes


def _bad_files(folder: Path) -> Path:
    folder.mkdir()
    (folder / "text.png").write_text("no image")
    (folder / "empty.png").write_bytes(b"")
    (folder / "letter.docx").write_text("no image either")
    picture(folder / "dot.png", 0, (1, 1))
    picture(folder / "line.png", 0, (400, 2))
    Image.fromarray(np.zeros((20, 20), dtype=np.uint8)).save(folder / "black.png")
    Image.fromarray(np.full((9, 9), np.nan, dtype=np.float32)).save(folder / "nan.tiff")
    gif(folder / "cut.gif", 9)
    (folder / "cut.gif").write_bytes((folder / "cut.gif").read_bytes()[:900])
    listed = ["text.png", "empty.png", "letter.docx", "dot.png", "line.png", "black.png", "nan.tiff", "cut.gif"]
    return data_set(folder, [{"path": name} for name in (*listed, "missing.png", "good.png")])


@pytest.mark.parametrize("processes", [1, 2])
def test_what_cannot_be_read_is_told_with_the_reason_and_the_rest_taken_in(tmp_path: Path, processes: int) -> None:
    report = take_in(tmp_path, _bad_files(tmp_path / "data"), processes=processes)
    reasons = aside(report)
    assert report.images == 1
    assert "not a readable image" in reasons["text.png"]
    assert reasons["empty.png"] == "is empty"
    assert "'.docx' are not read" in reasons["letter.docx"]
    assert "1x1 pixels" in reasons["dot.png"]
    assert "2x400 pixels" in reasons["line.png"]
    assert "every pixel has the same value" in reasons["black.png"]
    assert "NaN" in reasons["nan.tiff"]
    assert "cut short" in reasons["cut.gif"]
    assert "is not there" in reasons["missing.png"]
    assert {one.state for one in report.aside} == {"refused"}
    assert len(archive_in(tmp_path).catalogue.aside()) == len(reasons) == 9


def test_what_was_refused_is_told_again_without_a_second_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = _bad_files(tmp_path / "data")
    first = take_in(tmp_path, index)
    monkeypatch.setattr(Examiner, "__call__", None)
    second = take_in(tmp_path, index)
    assert aside(second) == aside(first)
    assert (second.batches, second.skipped) == ((), 1)


def test_a_mended_file_is_taken_in(tmp_path: Path) -> None:
    index = data_set(tmp_path / "data", [{}, {"path": "missing.png"}])
    assert len(take_in(tmp_path, index).aside) == 1
    picture(tmp_path / "data" / "missing.png", 77)
    report = take_in(tmp_path, index)
    assert (report.batches, report.images, report.skipped, report.aside) == (("b0002",), 1, 1, ())
    assert archive_in(tmp_path).catalogue.aside() == []


def test_nothing_but_unreadable_files_is_told(tmp_path: Path) -> None:
    index = data_set(tmp_path / "data", [{"path": "missing.png"}])
    with pytest.raises(DataError, match=r"none of its 1 items can be used; missing.png is not there"):
        take_in(tmp_path, index)
    assert archive_in(tmp_path).catalogue.batches() == []


def test_one_file_listed_as_two_things_is_told(tmp_path: Path) -> None:
    rows = [{"path": "a.png"}, {"path": "a.png", "label": "covid"}, {"path": "b.png"}, {"path": "b.png"}]
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        report = take_in(folder, data_set(folder / "data", rows), processes=processes)
        assert aside(report) == {"a.png": "is listed twice, the second time as something else"}
        assert names(folder) == ["a.png", "b.png"]
    data_set(folder / "data", rows[1:])
    report = take_in(folder, folder / "data" / "index.csv")
    assert aside(report) == {
        "a.png": "is listed with another patient or label than when it was taken in, and stays as it was"
    }
    assert archive_in(folder).catalogue.aside() == [], "what is not listed twice any more is forgotten"


def test_known_images_are_skipped_and_make_no_batch(tmp_path: Path) -> None:
    index = data_set(tmp_path / "data", patients(3))
    take_in(tmp_path, index)
    report = take_in(tmp_path, index)
    assert (report.batches, report.images, report.skipped) == ((), 0, 3)
    assert archive_in(tmp_path).catalogue.batches() == ["b0001"]


@pytest.mark.parametrize(
    ("second", "reason"),
    [({"patient": "P", "label": "covid"}, "there labelled 'healthy'"), ({"patient": "Q"}, "there of another")],
)
def test_the_same_image_as_something_else_is_quarantined(tmp_path: Path, second: dict[str, str], reason: str) -> None:
    folder = tmp_path / "data"
    picture(folder / "a.png", 1)
    picture(folder / "b.png", 1)
    report = take_in(tmp_path, data_set(folder, [{"path": "a.png", "patient": "P"}, {"path": "b.png", **second}]))
    assert report.images == 1
    assert [one.state for one in report.aside] == ["quarantined"]
    assert reason in aside(report)["b.png"]


def test_the_same_image_twice_counts_once(tmp_path: Path) -> None:
    picture(tmp_path / "data" / "a.png", 1)
    picture(tmp_path / "data" / "b.png", 1)
    rows = [{"path": name, "patient": "P"} for name in ("a.png", "b.png")]
    index = data_set(tmp_path / "data", rows)
    for images, skipped in ((1, 1), (0, 2)):
        report = take_in(tmp_path, index)
        assert (report.images, report.skipped, report.aside) == (images, skipped, ())


def test_a_patient_in_two_splits_is_told(tmp_path: Path) -> None:
    rows = [{"patient": "P", "split": "train"}, {"patient": "P", "split": "test"}]
    with pytest.raises(DataError, match=r"1.png: patient 'P' is in two splits, train and test; put all images"):
        take_in(tmp_path, data_set(tmp_path / "data", rows))


def test_a_split_in_the_index_is_kept(tmp_path: Path) -> None:
    rows = [row | {"split": split} for row, split in zip(patients(4), ["test", "test", "val", ""], strict=True)]
    take_in(tmp_path, data_set(tmp_path / "data", rows))
    assert [case.fold for case in cases(tmp_path)] == ["test", "test", "validation", "train"]


def test_a_later_index_cannot_move_a_patient(tmp_path: Path) -> None:
    take_in(tmp_path, data_set(tmp_path / "one", [{"patient": "P", "split": "train"}]))
    index = data_set(tmp_path / "two", [{"patient": "P", "split": "test"}, {"patient": "Q"}], first=5)
    with pytest.raises(DataError, match="its patient is in train since an earlier ingest and cannot move to test"):
        take_in(tmp_path, index)
    assert len(cases(tmp_path)) == 1


def test_a_clip_has_one_label(tmp_path: Path) -> None:
    rows = [{"patient": "P", "clip": "c"}, {"patient": "P", "clip": "c", "label": "covid"}]
    with pytest.raises(DataError, match="clip 'c' has two labels, healthy and covid"):
        take_in(tmp_path, data_set(tmp_path / "data", rows))


def test_two_patients_may_each_have_a_clip_1(tmp_path: Path) -> None:
    take_in(tmp_path, data_set(tmp_path / "data", [{"patient": patient, "clip": "1"} for patient in "PPQQ"]))
    first, second, third, fourth = (case.clip for case in cases(tmp_path))
    assert first == second != third == fourth


def test_a_cine_file_becomes_eight_frames_of_one_clip(tmp_path: Path) -> None:
    gif(tmp_path / "data" / "clip.gif", 33)
    report = take_in(tmp_path, data_set(tmp_path / "data", [{"path": "clip.gif"}]))
    found = cases(tmp_path)
    assert (report.images, report.clips) == (8, 1)
    assert [case.frame for case in found] == [case.place for case in found] == [0, 5, 9, 14, 18, 23, 27, 32]
    assert len({case.sha256 for case in found}) == 8
    assert len({(case.clip, case.key, case.patient) for case in found}) == 1


def test_a_clip_may_begin_in_the_dark(tmp_path: Path) -> None:
    gif(tmp_path / "data" / "fading.gif", 9, dark=2)
    gif(tmp_path / "data" / "night.gif", 10, dark=10)
    report = take_in(tmp_path, data_set(tmp_path / "data", [{"path": "fading.gif"}, {"path": "night.gif"}]))
    assert [case.frame for case in cases(tmp_path)] == [2, 3, 5, 6, 7, 8]
    assert list(aside(report)) == ["night.gif"]


def test_a_short_cine_file_gives_all_its_frames_and_a_frame_may_be_named(tmp_path: Path) -> None:
    gif(tmp_path / "data" / "short.gif", 3)
    gif(tmp_path / "data" / "named.gif", 12)
    rows = [{"path": "short.gif"}, *({"path": "named.gif", "frame": number} for number in ("7", "11", "7"))]
    assert take_in(tmp_path, data_set(tmp_path / "data", rows)).skipped == 0
    frames = [case.frame for case in cases(tmp_path)]
    assert list(zip(names(tmp_path), frames, strict=True)) == [
        *(("short.gif", frame) for frame in range(3)),
        ("named.gif", 7),
        ("named.gif", 11),
    ]


def test_a_frame_that_is_not_there_is_told(tmp_path: Path) -> None:
    gif(tmp_path / "data" / "a.gif", 3)
    with pytest.raises(DataError, match=r"a\.gif has no frame 7"):
        take_in(tmp_path, data_set(tmp_path / "data", [{"path": "a.gif", "frame": "7"}]))


def test_a_folder_of_labels_is_taken_in(tmp_path: Path) -> None:
    for number, name in enumerate(("healthy/P1/a.png", "healthy/P1/b.png", "covid/c.png")):
        picture(tmp_path / "data" / name, number)
    report = take_in(tmp_path, tmp_path / "data")
    assert (report.images, report.patients, report.labels) == (3, 2, {"covid": 1, "healthy": 2})


def test_names_that_are_no_text_are_taken_in(tmp_path: Path) -> None:
    picture(tmp_path / "data" / "covid" / "plain.png", 1)
    odd = os.fsdecode(b"M\xfcller.png")
    (tmp_path / "data" / "covid" / "plain.png").rename(tmp_path / "data" / "covid" / odd)
    assert take_in(tmp_path, tmp_path / "data").images == 1
    assert names(tmp_path) == [f"covid/{odd}"]


def test_files_that_are_gone_later_do_not_matter(tmp_path: Path) -> None:
    index = data_set(tmp_path / "data", patients(2))
    take_in(tmp_path, index)
    (tmp_path / "data" / "0.png").unlink()
    archive = archive_in(tmp_path)
    for case in cases(tmp_path):
        assert archive.cache.frames(case.key, [case.place]).shape == (1, 16, 20)


def test_a_working_image_that_was_lost_is_made_again(tmp_path: Path) -> None:
    index = data_set(tmp_path / "data", patients(3))
    take_in(tmp_path, index)
    before, lost = content(tmp_path), cases(tmp_path)[1].key
    archive_in(tmp_path).cache.remove(lost)
    report = take_in(tmp_path, index)
    assert (report.batches, report.skipped, report.aside) == ((), 3, ())
    assert content(tmp_path) == before


def test_what_a_missing_decoder_refused_is_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index, real = data_set(tmp_path / "data", patients(3)), FolderSource.open

    def without_decoder(source: FolderSource, item: Item) -> Opened:
        if item.name == "1.png":
            raise DataError("needs a decoder", cure="pip install 'consilium[dicom]'")
        return real(source, item)

    monkeypatch.setattr(FolderSource, "open", without_decoder)
    (aside,) = take_in(tmp_path, index).aside
    monkeypatch.undo()
    report = take_in(tmp_path, index)
    assert (aside.reason, report.images, report.aside) == ("needs a decoder", 1, ())


def _stopped(number: int, real: Callable[..., Any]) -> Callable[..., Any]:
    calls: list[object] = []

    def interrupted(*arguments: Any, **named: Any) -> Any:
        calls.append(arguments)
        if len(calls) > number:
            raise KeyboardInterrupt
        return real(*arguments, **named)

    return interrupted


@pytest.mark.parametrize(
    ("owner", "step"),
    [(Examiner, "__call__"), (Rows, "add"), (Rows, "_write_clip"), (module, "close"), (module, "words_waiting")],
)
def test_a_stopped_ingest_shows_nothing_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, step: str
) -> None:
    take_in(tmp_path, data_set(tmp_path / "one", patients(3)))
    before = cases(tmp_path)
    monkeypatch.setattr(owner, step, _stopped(0, getattr(owner, step)))
    with pytest.raises(KeyboardInterrupt):
        take_in(tmp_path, data_set(tmp_path / "two", patients(3), first=50))
    assert cases(tmp_path) == before
    assert archive_in(tmp_path).catalogue.batches() == ["b0001"]
    assert sum(images for _, images in archive_in(tmp_path).catalogue.counts().values()) == 3


def _mixed(folder: Path) -> Path:
    """Stills, cine files, doubles and what cannot be read."""
    gif(folder / "clip.gif", 12)
    (folder / "broken.png").write_bytes(b"\x89PNG")
    picture(folder / "double.png", 2)
    rows: list[dict[str, str]] = [{"path": name, "patient": "P0"} for name in ("clip.gif", "broken.png")]
    rows += [{"path": "0.png", "patient": "P0"}, {"path": "double.png", "patient": "P0"}]
    rows += [{"patient": f"Q{number}", "label": ("healthy", "covid")[number % 2]} for number in range(5)]
    return data_set(folder, rows)


@pytest.mark.parametrize("stop_after", range(9))
def test_stopped_at_any_item_it_goes_on_there_and_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_after: int
) -> None:
    index = _mixed(tmp_path / "data")
    take_in(tmp_path / "whole", index)
    monkeypatch.setattr(module, "AT_ONCE", 1)
    looked_at: list[object] = []
    real = Examiner.__call__

    def examine(self: Examiner, task: Any) -> Record:
        if len(looked_at) == stop_after:
            raise KeyboardInterrupt
        looked_at.append(task)
        return real(self, task)

    monkeypatch.setattr(Examiner, "__call__", examine)
    with pytest.raises(KeyboardInterrupt):
        take_in(tmp_path / "stopped", index)
    stop_after = -1
    take_in(tmp_path / "stopped", index)
    assert len(looked_at) == 9, "nothing is looked at twice"
    assert content(tmp_path / "stopped") == content(tmp_path / "whole")


def test_what_a_killed_ingest_left_is_swept_away(tmp_path: Path) -> None:
    """Staged and half-written working images of files that are not there any more, and of no row."""
    index = data_set(tmp_path / "data", patients(2))
    take_in(tmp_path, index)
    before = content(tmp_path)
    cache = archive_in(tmp_path).cache
    cache.stage("ab" * 16, {"frames": np.zeros((1, 8, 8), dtype=np.uint8)})
    cache.stage("cd" * 16, {"frames": np.zeros((1, 8, 8), dtype=np.uint8)})
    cache.settle("cd" * 16)
    (cache.path("ab" * 16).parent / f".{'ab' * 16}.staged.01234567").write_bytes(b"half")
    take_in(tmp_path, index)
    assert content(tmp_path) == before
    assert len([path for path in cache.folder.rglob("*") if path.is_file()]) == 2


def test_what_was_stopped_may_be_named_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = data_set(tmp_path / "data", patients(3))
    with monkeypatch.context() as patch:
        patch.setattr(module, "close", _stopped(0, close))
        with pytest.raises(KeyboardInterrupt):
            take_in(tmp_path, index)
    report = take_in(tmp_path, index.parent)
    assert (report.batches, report.images) == (("b0001",), 3)


def test_two_processes_and_a_second_time_make_no_difference(tmp_path: Path) -> None:
    index = _mixed(tmp_path / "data")
    take_in(tmp_path / "one", index)
    once = content(tmp_path / "one")
    assert len(once["frames"]) == 8 + 1 + 5
    take_in(tmp_path / "two", index, processes=2)
    assert content(tmp_path / "two") == once
    take_in(tmp_path / "one", index, processes=2)
    assert content(tmp_path / "one") == once


def test_a_full_disk_ends_the_ingest_and_is_held_against_no_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = data_set(tmp_path / "data", patients(4))
    (tmp_path / "frames").write_text("a file where the folder should be")
    for processes in (1, 2):
        with pytest.raises(ConsiliumError, match="frames") as caught:
            take_in(tmp_path, index, processes=processes)
        assert "\n" not in str(caught.value)
    (tmp_path / "frames").unlink()
    assert take_in(tmp_path, index).images == 4


def test_a_decoder_that_ends_its_process_costs_its_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Examiner.__call__

    def examine(self: Examiner, task: Any) -> Record:
        if task[0].name == "1.png":
            os._exit(1)
        return real(self, task)

    monkeypatch.setattr(Examiner, "__call__", examine)
    report = take_in(tmp_path, data_set(tmp_path / "data", patients(4)), processes=2)
    assert aside(report) == {"1.png": "brings the program that reads it to an end"}
    assert names(tmp_path) == ["0.png", "2.png", "3.png"]


def test_the_report_is_plain_json(tmp_path: Path) -> None:
    report = take_in(tmp_path, _mixed(tmp_path / "data"))
    assert IngestReport.model_validate_json(report.model_dump_json()) == report


def test_wrong_use_is_always_one_of_our_errors(tmp_path: Path) -> None:
    for form in ("auto", "cuneiform"):
        with pytest.raises(ConsiliumError):
            take_in(tmp_path, tmp_path / "nowhere", format=form)


def test_the_catalogue_is_sound_sqlite(tmp_path: Path) -> None:
    take_in(tmp_path, _mixed(tmp_path / "data"))
    with sqlite3.connect(tmp_path / "catalogue.sqlite") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


def test_the_real_lung_sites(tmp_path: Path, shared_data: Path) -> None:
    folder = shared_data / "pocus_lung_multisite"
    vocabulary = plain_vocabulary("lung", ["healthy", "pneumonia", "covid", "viral"])
    columns = Columns(site="site_group", patient="split_group", clip="clip_id")
    totals = {}
    for site in ("neuruppin", "northumbria"):
        order = Order(columns=columns, site=site, processes=2)
        report = ingest(archive_in(tmp_path / site), vocabulary, module.LabelMap(), folder, order)
        totals[site] = (report.images + len(report.aside), report.patients)
        assert {one.state for one in report.aside} <= {"quarantined"}
    assert totals["neuruppin"] == (160, 3)
    folds = {case.fold for case in Catalogue(tmp_path / "northumbria" / "catalogue.sqlite").cases()}
    assert folds == {"train", "validation", "calibration", "test"}
