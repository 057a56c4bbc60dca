from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from federated.errors import ConsiliumError, DataError
from federated.vocabulary import plain_vocabulary
from site_agent import ingest as module
from site_agent.catalogue import Catalogue
from site_agent.ingest import Columns, IngestReport, ingest

VOCABULARY = plain_vocabulary("lung", ["healthy", "covid"])
SECRET = bytes(range(32))


def picture(path: Path, seed: int, size: tuple[int, int] = (16, 20)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, size, dtype=np.uint8)).save(path)


def gif(path: Path, frames: int) -> None:
    pixels = np.random.default_rng(frames).integers(0, 255, (frames, 16, 20), dtype=np.uint8)
    images = [Image.fromarray(frame) for frame in pixels]
    images[0].save(path, "GIF", save_all=True, append_images=images[1:], duration=50)


def data_set(folder: Path, rows: Sequence[Mapping[str, str]], first: int = 0) -> Path:
    """An index of rows: what they leave out is made up, and images that are not there are drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    full = [{"path": f"{first + number}.png", "label": "healthy", **row} for number, row in enumerate(rows)]
    for number, row in enumerate(full):
        if not (folder / row["path"]).exists() and not row["path"].startswith("missing"):
            picture(folder / row["path"], first + number)
    with (folder / "index.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(key for row in full for key in row)))
        writer.writeheader()
        writer.writerows(full)
    return folder / "index.csv"


def patients(number: int, **more: str) -> list[dict[str, str]]:
    return [{"patient": f"P{i}", "clip": f"c{i}", **more} for i in range(number)]


def take_in(tmp_path: Path, index: Path, **more: object) -> IngestReport:
    return ingest(tmp_path / "catalogue.sqlite", SECRET, VOCABULARY, {}, index, **more)  # type: ignore[arg-type]


def cases(tmp_path: Path) -> Catalogue:
    return Catalogue(tmp_path / "catalogue.sqlite")


def test_images_of_an_index_become_one_batch(tmp_path: Path) -> None:
    rows = [{"patient": "P1", "clip": "c"}, {"patient": "P1", "clip": "c"}, {"patient": "P2", "label": "covid"}]
    report = take_in(tmp_path, data_set(tmp_path / "data", rows))
    assert (report.batch, report.images, report.patients, report.skipped) == ("b0001", 3, 2, 0)
    assert report.labels == {"covid": 1, "healthy": 2}
    first, second, third = cases(tmp_path).cases()
    assert (first.clip, second.clip, third.clip) == ("c", "c", "2.png")
    assert first.patient == second.patient != third.patient
    assert first.path == tmp_path / "data" / "0.png"


def test_patients_ids_are_stored_nowhere(tmp_path: Path) -> None:
    take_in(tmp_path, data_set(tmp_path / "data", [{"patient": "Mustermann-1970"}, {"patient": "Doe-1980"}]))
    stored = (tmp_path / "catalogue.sqlite").read_bytes()
    assert b"Mustermann" not in stored
    assert all(len(case.patient) == 64 for case in cases(tmp_path).cases())


def test_another_secret_gives_other_pseudonyms_and_other_folds(tmp_path: Path) -> None:
    index = data_set(tmp_path / "data", patients(12))
    by_path = []
    for secret in (SECRET, b"\1" * 32):
        book = tmp_path / f"{secret[0]}.sqlite"
        ingest(book, secret, VOCABULARY, {}, index)
        by_path.append({case.path: (case.patient, case.fold) for case in Catalogue(book).cases()})
    one, other = by_path
    assert all(one[path][0] != other[path][0] for path in one)
    assert [fold for _, fold in one.values()] != [fold for _, fold in other.values()]


def test_folds_hold_patients_whole_and_never_change(tmp_path: Path) -> None:
    take_in(tmp_path, data_set(tmp_path / "one", [row for row in patients(9) for _ in range(3)]))
    before = {case.patient: case.fold for case in cases(tmp_path).cases()}
    report = take_in(tmp_path, data_set(tmp_path / "two", patients(25, label="covid"), first=100))
    after = cases(tmp_path).cases()
    assert (report.batch, report.patients) == ("b0002", 25)
    assert before.items() <= {c.patient: c.fold for c in after}.items()
    assert len({(case.patient, case.fold) for case in after}) == 25
    assert set(before.values()) == {"train", "validation", "calibration", "test"}


def test_the_hospitals_words_are_mapped_to_codes(tmp_path: Path) -> None:
    index = data_set(tmp_path / "data", [{"label": "gesund"}, {"label": "covid"}])
    report = ingest(tmp_path / "catalogue.sqlite", SECRET, VOCABULARY, {"gesund": "healthy"}, index)
    assert report.labels == {"covid": 1, "healthy": 1}


def test_an_unknown_label_is_told_and_nothing_is_taken_in(tmp_path: Path) -> None:
    index = data_set(tmp_path / "data", [{}, {"label": "viral"}])
    with pytest.raises(DataError, match=r"index.csv line 3: label 'viral' is not in the vocabulary 'lung'"):
        take_in(tmp_path, index)
    assert cases(tmp_path).cases() == []


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
    assert "4 of 4 lines name no patient: each clip counts as a patient of its own" in report.notes


def test_one_class_and_one_patient_are_allowed_and_said(tmp_path: Path) -> None:
    report = take_in(tmp_path, data_set(tmp_path / "data", [{"patient": "P"}, {"patient": "P"}]))
    assert report.images == 2
    assert "every image shows 'healthy': this site can vouch for that label only" in report.notes
    assert any(note.startswith("all images are of one patient") for note in report.notes)
    assert any(note.endswith("none in validation, calibration, test") for note in report.notes)


def test_unreadable_files_are_quarantined_with_a_reason(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "text.png").write_text("no image")
    (folder / "letter.docx").write_text("no image either")
    picture(folder / "dot.png", 0, (1, 1))
    Image.fromarray(np.full((9, 9), np.nan, dtype=np.float32)).save(folder / "nan.tiff")
    gif(folder / "cut.gif", 9)
    (folder / "cut.gif").write_bytes((folder / "cut.gif").read_bytes()[:900])
    names = ["text.png", "letter.docx", "dot.png", "nan.tiff", "cut.gif", "missing.png", "good.png"]
    report = take_in(tmp_path, data_set(folder, [{"path": name} for name in names]))
    reasons = {Path(path).name: reason for path, reason in report.quarantined}
    assert report.images == 1
    assert "not a readable image" in reasons["text.png"]
    assert "'.docx' are not read" in reasons["letter.docx"]
    assert "1x1 pixels" in reasons["dot.png"]
    assert "NaN" in reasons["nan.tiff"]
    assert "cut short" in reasons["cut.gif"]
    assert "No such file" in reasons["missing.png"]
    assert [(path.name, reason) for path, reason in cases(tmp_path).quarantined()] == sorted(reasons.items())


def test_a_mended_file_leaves_quarantine(tmp_path: Path) -> None:
    index = data_set(tmp_path / "data", [{}, {"path": "missing.png"}])
    assert len(take_in(tmp_path, index).quarantined) == 1
    picture(tmp_path / "data" / "missing.png", 77)
    report = take_in(tmp_path, index)
    assert (report.images, report.skipped, report.quarantined) == (1, 1, ())
    assert cases(tmp_path).quarantined() == []


def test_nothing_but_unreadable_files_is_told(tmp_path: Path) -> None:
    index = data_set(tmp_path / "data", [{"path": "missing.png"}])
    with pytest.raises(DataError, match=r"none of its 1 images can be used; .*missing.png cannot be read"):
        take_in(tmp_path, index)
    assert cases(tmp_path).quarantined() == []


def test_known_images_are_skipped_and_make_no_batch(tmp_path: Path) -> None:
    index = data_set(tmp_path / "data", patients(3))
    take_in(tmp_path, index)
    report = take_in(tmp_path, index)
    assert (report.batch, report.images, report.skipped) == (None, 0, 3)
    assert cases(tmp_path).batches() == ["b0001"]


@pytest.mark.parametrize(
    ("second", "reason"),
    [({"patient": "P", "label": "covid"}, "there labelled 'healthy'"), ({"patient": "Q"}, "there of another")],
)
def test_the_same_image_as_something_else_is_quarantined(tmp_path: Path, second: dict[str, str], reason: str) -> None:
    folder = tmp_path / "data"
    picture(folder / "a.png", 1)
    picture(folder / "b.png", 1)
    rows = [{"path": "a.png", "patient": "P"}, {"path": "b.png", **second}]
    report = take_in(tmp_path, data_set(folder, rows))
    assert report.images == 1
    assert reason in dict(report.quarantined)[str(folder / "b.png")]


def test_a_patient_in_two_splits_is_told(tmp_path: Path) -> None:
    rows = [{"patient": "P", "split": "train"}, {"patient": "P", "split": "test"}]
    with pytest.raises(DataError, match="line 3: patient 'P' is in two splits, train and test; put all images"):
        take_in(tmp_path, data_set(tmp_path / "data", rows))


def test_a_split_in_the_index_is_kept(tmp_path: Path) -> None:
    rows = [row | {"split": split} for row, split in zip(patients(4), ["test", "test", "val", ""], strict=True)]
    take_in(tmp_path, data_set(tmp_path / "data", rows))
    assert [case.fold for case in cases(tmp_path).cases()] == ["test", "test", "validation", "train"]


def test_a_later_index_cannot_move_a_patient(tmp_path: Path) -> None:
    take_in(tmp_path, data_set(tmp_path / "one", [{"patient": "P", "split": "train"}]))
    index = data_set(tmp_path / "two", [{"patient": "P", "split": "test"}, {"patient": "Q"}], first=5)
    with pytest.raises(DataError, match="its patient is in train since an earlier ingest and cannot move to test"):
        take_in(tmp_path, index)
    assert len(cases(tmp_path).cases()) == 1


def test_a_clip_has_one_label(tmp_path: Path) -> None:
    rows = [{"patient": "P", "clip": "c"}, {"patient": "P", "clip": "c", "label": "covid"}]
    with pytest.raises(DataError, match="clip 'c' has two labels, healthy and covid"):
        take_in(tmp_path, data_set(tmp_path / "data", rows))


def test_two_patients_may_each_have_a_clip_1(tmp_path: Path) -> None:
    rows = [{"patient": patient, "clip": "1"} for patient in "PPQQ"]
    take_in(tmp_path, data_set(tmp_path / "data", rows))
    clips = [case.clip for case in cases(tmp_path).cases()]
    assert clips[0] == clips[1] == "1"
    assert clips[2] == clips[3] == f"1@{cases(tmp_path).cases()[2].patient[:8]}"


def test_a_cine_file_becomes_eight_frames_of_one_clip(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    gif(tmp_path / "data" / "clip.gif", 33)
    report = take_in(tmp_path, data_set(tmp_path / "data", [{"path": "clip.gif"}]))
    found = cases(tmp_path).cases()
    assert report.images == 8
    assert [case.frame for case in found] == [0, 5, 9, 14, 18, 23, 27, 32]
    assert len({case.sha256 for case in found}) == 8
    assert {case.clip for case in found} == {"clip.gif"}
    assert len({case.patient for case in found}) == 1


def test_a_short_cine_file_gives_all_its_frames_and_a_frame_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    gif(tmp_path / "data" / "short.gif", 3)
    gif(tmp_path / "data" / "named.gif", 12)
    rows = [{"path": "short.gif"}, {"path": "named.gif", "frame": "7"}, {"path": "named.gif", "frame": "11"}]
    report = take_in(tmp_path, data_set(tmp_path / "data", rows))
    assert report.skipped == 0
    assert [(case.path.name, case.frame) for case in cases(tmp_path).cases()] == [
        *(("short.gif", frame) for frame in range(3)),
        ("named.gif", 7),
        ("named.gif", 11),
    ]


def test_a_folder_of_labels_is_taken_in(tmp_path: Path) -> None:
    for number, name in enumerate(("healthy/P1/a.png", "healthy/P1/b.png", "covid/c.png")):
        picture(tmp_path / "data" / name, number)
    report = take_in(tmp_path, tmp_path / "data")
    assert (report.images, report.patients, report.labels) == (3, 2, {"covid": 1, "healthy": 2})


@pytest.mark.parametrize("step", ["_look_at_file", "_write_patients", "_write_cases", "_notes_on_catalogue"])
def test_an_interrupted_ingest_leaves_the_catalogue_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    take_in(tmp_path, data_set(tmp_path / "one", patients(3)))
    before = cases(tmp_path).cases()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, step, interrupt)
    with pytest.raises(KeyboardInterrupt):
        take_in(tmp_path, data_set(tmp_path / "two", patients(3), first=50))
    assert cases(tmp_path).cases() == before
    assert cases(tmp_path).batches() == ["b0001"]


def test_the_report_is_plain_json(tmp_path: Path) -> None:
    report = take_in(tmp_path, data_set(tmp_path / "data", patients(2)))
    assert IngestReport.model_validate_json(report.model_dump_json()) == report


def test_wrong_use_is_always_one_of_our_errors(tmp_path: Path) -> None:
    with pytest.raises(ConsiliumError):
        take_in(tmp_path, tmp_path / "nowhere")


def test_the_real_lung_sites(tmp_path: Path, shared_data: Path) -> None:
    folder = shared_data / "pocus_lung_multisite"
    vocabulary = plain_vocabulary("lung", ["healthy", "pneumonia", "covid", "viral"])
    columns = Columns(site="site_group", patient="split_group", clip="clip_id")
    totals = {}
    for site in ("neuruppin", "northumbria", "pocus_atlas", "web_and_publications"):
        report = ingest(tmp_path / site, SECRET, vocabulary, {}, folder, columns, site)
        assert report.quarantined == ()
        totals[site] = (report.images, report.patients)
    assert totals["neuruppin"] == (160, 3)
    assert sum(images for images, _ in totals.values()) == 644
    assert {case.fold for case in Catalogue(tmp_path / "northumbria").cases()} == {
        "train",
        "validation",
        "calibration",
        "test",
    }
