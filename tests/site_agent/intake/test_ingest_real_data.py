"""Real files, taken in: each is there with the shape and the values of its index, or refused for a reason that is true.

Large folders are sampled; ``python -m benchmarks intake-real`` takes in every file of them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from federated.errors import DataError
from federated.label_map import LabelMap, Line
from federated.vocabulary import builtin_vocabulary, plain_vocabulary
from site_agent.catalogue import Case
from site_agent.intake.ingest import Order, ingest
from site_agent.intake.quarantine import item_names, set_aside
from site_agent.intake.reports import IngestReport
from site_agent.sources.dicom import decoded
from site_agent.sources.files import SUFFIXES, open_file
from site_agent.sources.index import Columns
from tests.site_agent.intake_making import archive_in, aside

HEART = builtin_vocabulary("heart")
COLOUR, SPECTRAL, MOTION = (
    f"is {mode}, and no B-mode image" for mode in ("colour Doppler", "spectral Doppler", "M-mode")
)
NO_SECTOR = "has no ultrasound sector that could be found; a person must look at it"
TEXT = "may show burnt-in text in an image without a sector; a person must look at it"


def _rows(index: Path) -> list[dict[str, str]]:
    with index.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _take_in(folder: Path, root: Path, labels: Iterable[str] = (), **order: Any) -> IngestReport:
    vocabulary = plain_vocabulary("words", sorted(labels)) if labels else HEART
    return ingest(archive_in(folder), vocabulary, LabelMap(), root, Order(**order))


def _sampled(folder: Path, index: Path, every: int) -> tuple[Path, list[dict[str, str]]]:
    """An index of every so-manieth line of another, and those lines."""
    rows = _rows(index)[::every]
    copy = folder / "sample" / "index.csv"
    copy.parent.mkdir(parents=True)
    with copy.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"path": str(index.parent / row["path"])} for row in rows)
    return copy, rows


def _cached(folder: Path) -> dict[str, np.ndarray]:
    """Name of every item that was taken in -> its working images."""
    archive = archive_in(folder)
    named = item_names(archive)
    return {Path(named[key]).name: archive.cache.frames(key) for key in dict.fromkeys(c.key for c in _cases(folder))}


def _cases(folder: Path) -> list[Case]:
    return archive_in(folder).catalogue.cases(labelled=False)


def test_ultrasound_dicom(tmp_path: Path, shared_data: Path) -> None:
    report = _take_in(tmp_path, shared_data / "us_dicom")
    assert (report.format, report.clips, report.images) == ("dicom", 6, 7)
    colour = ("US1_J2KR.dcm", "US1_UNCR.dcm", "color-pl.dcm", "color-px.dcm")
    assert aside(report) == {"SOURCE.md": "is not DICOM", "index.csv": "is not DICOM"} | dict.fromkeys(colour, COLOUR)
    assert report.doubts == ()
    assert report.blanked == 6, "every one of them shows text beside its sector"
    rows = {row["path"]: row for row in _rows(shared_data / "us_dicom" / "index.csv")}
    for name, frames in _cached(tmp_path).items():
        first = next(decoded(shared_data / "us_dicom" / name))
        shape = "x".join(map(str, first.shape))
        assert rows[name]["shape"].removeprefix("2x") == shape
        assert len(frames) == int(rows[name]["n_frames"])
        assert max(frames.shape[1:]) == 256


def test_metaimage_with_a_mask_of_known_area(tmp_path: Path, shared_data: Path) -> None:
    label_map = LabelMap(version=1, lines=(Line(word="A4C", code="399214001", relation="same"),))
    root = shared_data / "vital_echo_mhd"
    report = ingest(archive_in(tmp_path), HEART, label_map, root)
    assert (report.format, report.clips, report.labels) == ("metaimage", 2, {"399214001": 2})
    between = "is a layer between an image and its mask, and no image of its own"
    stem = "image_transducer0_2D_1678795481563_layer"
    assert aside(report) == {f"{stem}1.mhd": between, f"{stem}2.mhd": between}
    archive = archive_in(tmp_path)
    (key,) = (key for key, name in item_names(archive).items() if name == f"{stem}0.mhd")
    mask = archive.cache.read(key, "mask.layer3")
    ((y, x),) = archive.catalogue.rows("SELECT spacing_y, spacing_x FROM clips WHERE item = ?", (key,))
    area = next(float(row["model_area_mm2"]) for row in _rows(root / "index.csv") if row["path"] == f"{stem}0.mhd")
    assert np.count_nonzero(mask) * y * x == pytest.approx(area, rel=0.02)


def test_views_of_the_heart_with_doppler_among_them(tmp_path: Path, shared_data: Path) -> None:
    index, rows = _sampled(tmp_path, shared_data / "tte47_gallery" / "index.csv", 4)
    report = _take_in(tmp_path, index, [row["view"] for row in rows], columns=Columns(label="view"))
    told = {Path(name).name: reason for name, reason in aside(report).items()}
    for row in rows:
        assert _seen(row) == told.get(row["path"], ""), row["path"]
    assert report.clips == len(rows) - len(told)
    assert {"", COLOUR, SPECTRAL} <= {_seen(row) for row in rows}


def _seen(row: Mapping[str, str]) -> str:
    """What the index lets expect: a Doppler strip by its name, a colour box by more colour than an ECG has."""
    if row["family"] == "doppler":
        return SPECTRAL
    if row["family"] == "mmode":
        return MOTION
    return COLOUR if float(row["colour_fraction"]) > 0.005 else ""


def test_lung_files_of_every_container(tmp_path: Path, shared_data: Path) -> None:
    folder = shared_data / "pocus_lung_multisite"
    said = {f"{row['clip_id']}.{row['container']}": row for row in _rows(folder / "clips.csv")}
    report = _take_in(tmp_path, folder / "originals", processes=2)
    assert (report.clips, report.aside, report.doubts) == (7, (), ())
    for name, frames in _cached(tmp_path).items():
        row = said[name]
        first = next(open_file(folder / "originals" / name).frames())
        assert first.shape[:2] == (int(row["height"]), int(row["width"])), name
        assert len(frames) == int(row["n_frames"]), name


def test_lung_frames_of_an_index(tmp_path: Path, shared_data: Path) -> None:
    index, rows = _sampled(tmp_path, shared_data / "pocus_lung_multisite" / "index.csv", 16)
    columns = Columns(patient="split_group", clip="clip_id")
    report = _take_in(tmp_path, index, {row["label"] for row in rows}, columns=columns)
    assert (report.images, report.aside) == (len(rows), ())
    assert [case.label for case in _cases(tmp_path)] == [row["label"] for row in rows]
    assert {frames.shape for frames in _cached(tmp_path).values()} == {(1, 160, 160)}


def test_breast_images_of_two_hospitals(tmp_path: Path, shared_data: Path) -> None:
    index, rows = _sampled(tmp_path, shared_data / "breast_us_two_site" / "index.csv", 12)
    columns = Columns(patient="split_group")
    report = _take_in(tmp_path, index, {row["label"] for row in rows}, columns=columns)
    assert report.images + len(report.aside) == len(rows)
    assert {one.reason for one in report.aside} <= {TEXT, TEXT.replace("in an image without a", "inside the")}
    assert len(report.aside) <= 3
    assert {frames.shape for frames in _cached(tmp_path).values()} == {(1, 128, 128)}


def test_an_original_with_words_in_it_waits_for_a_person(tmp_path: Path, shared_data: Path) -> None:
    report = _take_in(tmp_path, shared_data / "breast_us_two_site" / "originals")
    assert aside(report) == {"benign (2).png": TEXT}


def test_computed_clips(tmp_path: Path, shared_data: Path) -> None:
    folder = shared_data / "echodiffusion_synthetic"
    rows = _rows(folder / "index.csv")
    columns = Columns(label="kind", patient="anatomy")
    report = _take_in(tmp_path, folder, ["factual", "counterfactual"], columns=columns, processes=2)
    assert (len(rows), report.clips, report.aside) == (30, 30, ())
    assert report.patients == len({row["anatomy"] for row in rows})
    archive = archive_in(tmp_path)
    shapes = {archive.cache.frames(case.key).shape for case in _cases(tmp_path)}
    assert shapes == {(16, 112, 112)}


def test_volumes_of_the_brain_are_held_back_and_are_whole(tmp_path: Path, shared_data: Path) -> None:
    folder = shared_data / "msd_hippocampus" / "images"
    with pytest.raises(DataError, match="none of its 40 items can be used"):
        _take_in(tmp_path / "held", folder, processes=2)
    held = set_aside(archive_in(tmp_path / "held"))
    assert {(one.state, one.reason) for one in held} == {("quarantined", NO_SECTOR)}
    assert len(held) == 40
    report = _take_in(tmp_path / "whole", folder, pixels="whole", processes=2)
    assert report.clips == 40
    shapes = {Path(row["image"]).name: row["shape"] for row in _rows(folder.parent / "index.csv")}
    for name, frames in _cached(tmp_path / "whole").items():
        assert "x".join(map(str, frames.shape[::-1])) == shapes[name]


def test_a_folder_of_two_forms_is_told(tmp_path: Path, shared_data: Path) -> None:
    with pytest.raises(DataError, match="none of its 8 items can be used"):
        _take_in(tmp_path / "nifti", shared_data / "ants_brain")
    reasons = {one.reason for one in set_aside(archive_in(tmp_path / "nifti"))}
    assert reasons == {NO_SECTOR, "is no NIfTI file; --format images reads files of several forms"}
    report = _take_in(tmp_path / "images", shared_data / "ants_brain", format="images")
    assert (report.clips, report.aside) == (8, ())
    slices = [name for name in _cached(tmp_path / "images") if name.endswith(".jpg")]
    assert len(slices) == 6


@pytest.mark.parametrize("name", ["uci_heart_four_site", "ucsd_rabbit_ventricles"])
def test_what_is_no_image_is_told_in_one_line(tmp_path: Path, shared_data: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"has no column 'path'|holds neither an index\.csv nor folders") as caught:
        _take_in(tmp_path, shared_data / name)
    assert "\n" not in str(caught.value)


def test_every_file_is_read_or_refused_by_what_it_is(shared_data: Path) -> None:
    for path in sorted(each for each in shared_data.rglob("*") if each.is_file())[::25]:
        if path.suffix.lower() in SUFFIXES:
            opened = open_file(path)
            frames = list(opened.frames())
            assert len(frames) == (opened.count or len(frames)) > 0
        else:
            with pytest.raises(DataError, match="are not read"):
                open_file(path)
