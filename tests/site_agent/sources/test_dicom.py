"""Folders of DICOM files, listed and opened: real ones, the phantom's study, and what is no image."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.phantom.acquisition import Shot
from deploy.phantom.dicom import sector_box
from deploy.phantom.exports.dicom import CLIPS, MACHINES, STILLS, STILLS_EACH
from deploy.phantom.exports.layout import patient_of, record
from federated.errors import DataError
from shared_models.phantom.machines import machine_named
from shared_models.phantom.views import view_named
from site_agent.sources.dicom import DicomSource, decoded, open_dicom
from site_agent.sources.source import Item, Opened, Refused
from tests.site_agent.sources.dicom_making import WAVES, as_bytes, dataset, sample, write

SOURCE = DicomSource()
Export = tuple[Path, Any]

# the index was made with another JPEG decoder, whose inverse cosine transform rounds otherwise
MEAN_OF_OTHER_DECODER = {"sonoque_anechoic-3mm-3mm.dcm": 0.016}


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "index.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _values(path: Path) -> NDArray[Any]:
    frames = np.stack(list(decoded(path)))
    return frames if len(frames) > 1 else frames[0]


def test_real_files_decode_to_what_their_index_says(shared_data: Path) -> None:
    rows = _rows(shared_data / "us_dicom")
    assert len(rows) == 10
    for row in rows:
        values = _values(shared_data / "us_dicom" / row["path"])
        assert "x".join(map(str, values.shape)) == row["shape"], row["path"]
        assert str(values.dtype) == row["dtype"]
        assert (values.min(), values.max()) == (int(row["min"]), int(row["max"]))
        off = MEAN_OF_OTHER_DECODER.get(row["path"], 0.0005)
        assert values.mean() == pytest.approx(float(row["mean"]), abs=off), row["path"]


def test_headers_of_real_files_are_as_their_index_says(shared_data: Path) -> None:
    for row in _rows(shared_data / "us_dicom"):
        opened = open_dicom(shared_data / "us_dicom" / row["path"])
        facts = opened.facts
        assert opened.count == int(row["n_frames"])
        assert opened.moving == (opened.count > 1)
        assert len(facts.regions) == int(row["n_regions"]), row["path"]
        assert facts.maker == row["manufacturer"]
        assert facts.modality == "US"
        assert facts.encoding["transfer syntax"] == row["transfer_syntax"]
        assert facts.encoding["photometric interpretation"] == row["photometric"]
        assert facts.header is not None
        assert facts.header.get("SOPClassUID").name == row["sop_class"]
        if facts.regions:
            x0, y0, x1, y1 = map(int, row["region0"].split())
            rows, columns = facts.header.Rows, facts.header.Columns
            assert facts.regions[0].box == (x0, y0, min(x1, columns - 1), min(y1, rows - 1))


def test_real_files_are_shown_in_eight_bits(shared_data: Path) -> None:
    for row in _rows(shared_data / "us_dicom"):
        opened = open_dicom(shared_data / "us_dicom" / row["path"])
        frames = list(opened.frames())
        assert len(frames) == opened.count
        colour = row["photometric"] != "MONOCHROME2"
        assert all(frame.dtype == np.uint8 and frame.ndim == (3 if colour else 2) for frame in frames)


def test_a_real_folder_is_listed_in_order_with_what_is_no_dicom(shared_data: Path) -> None:
    root = shared_data / "us_dicom"
    assert SOURCE.recognises(root)
    listed = list(SOURCE.scan(root))
    assert [each.name for each in listed] == sorted(path.name for path in root.iterdir())
    refused = {each.name: each.reason for each in listed if isinstance(each, Refused)}
    assert refused == {"SOURCE.md": "is not DICOM", "index.csv": "is not DICOM"}


def test_the_cine_whose_region_lies_outside_says_so() -> None:
    facts = open_dicom(sample("examples_ybr_color.dcm")).facts
    assert facts.regions == ()
    assert facts.spacing_mm is None
    assert facts.doubts == ("region 1 reaches outside of the image, and its spacing is not believed",)
    assert facts.rate_hz == pytest.approx(30.0, abs=0.1)


# --- the phantom, there and back -------------------------------------------------------------------------------------


@pytest.fixture
def study(exported: Callable[..., Export]) -> Export:
    return exported("dicom", patients=3, frames=5, size=96)


def _opened(study: Export) -> dict[str, Opened]:
    items = [item for item in SOURCE.scan(study[0]) if isinstance(item, Item)]
    return {item.name: SOURCE.open(item) for item in items if item.name.endswith(".dcm")}


def _shots(number: int) -> list[Shot]:
    first = (number - 1) * STILLS_EACH
    return [*CLIPS, *(STILLS[(first + place) % len(STILLS)] for place in range(STILLS_EACH))]


def test_views_patients_and_machines_of_the_phantom_come_back(study: Export) -> None:
    opened = _opened(study)
    assert len(opened) == 3 * (len(CLIPS) + STILLS_EACH)
    for number in (1, 2, 3):
        for place, shot in enumerate(_shots(number), 1):
            facts = opened[f"PHANTOM-{number:05d}/IM{place:05d}.dcm"].facts
            code = view_named(shot.view).code
            assert facts.label == (f"{code}+contrast" if shot.contrast else code)
            assert facts.contrast is (True if shot.contrast else None)
            assert facts.patient == f"PHANTOM-{number:05d}"
            assert (facts.maker, facts.model) == ("PHANTOM", MACHINES[number % len(MACHINES)])
            assert facts.mode == "b"
            assert facts.doubts == ()
    assert len({each.facts.clip for each in opened.values()}) == len(opened)


def test_pixels_boxes_spacing_and_time_of_the_phantom_come_back(study: Export) -> None:
    opened, order = _opened(study), study[1]
    for number in (1, 2, 3):
        machine = machine_named(MACHINES[number % len(MACHINES)])
        clip = record(order, number, patient_of(order, number), CLIPS[0], machine.name, marks=True, again=0)
        each = opened[f"PHANTOM-{number:05d}/IM00001.dcm"]
        assert (each.count, each.moving) == (5, True)
        assert each.facts.rate_hz == pytest.approx(clip.take.rate_hz, rel=1e-4)
        assert each.facts.spacing_mm == pytest.approx((clip.take.spacing_mm, clip.take.spacing_mm))
        assert each.facts.measures["heart_rate_bpm"] > 30
        (region,) = each.facts.regions
        assert (region.box, region.data_type) == (sector_box(clip.take.sector), "tissue")
        frames = np.stack(list(each.frames()))
        grey = frames[..., 0] if frames.ndim == 4 else frames
        lossless = "JPEG" not in each.facts.encoding["transfer syntax"]
        assert np.abs(grey.astype(int) - clip.images).max() <= (0 if lossless else 24)


def test_frames_can_be_gone_through_again(study: Export) -> None:
    each = _opened(study)["PHANTOM-00002/IM00001.dcm"]
    first, again = list(each.frames()), list(each.frames())
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


# --- what is listed --------------------------------------------------------------------------------------------------


def test_files_without_suffix_hidden_ones_and_a_directory(tmp_path: Path) -> None:
    data = as_bytes(dataset(WAVES))
    (tmp_path / "S1" / ".cache").mkdir(parents=True)
    for name in ("S1/IM_0001", "S1/IM_0002", "S1/.cache/IM_0003", ".hidden", "DICOMDIR"):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "S1" / "empty").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("words", encoding="utf-8")
    listed = list(SOURCE.scan(tmp_path))
    assert [each.name for each in listed] == ["notes.txt", "S1/IM_0001", "S1/IM_0002", "S1/empty"]
    assert [each.reason for each in listed if isinstance(each, Refused)] == ["is not DICOM", "is empty"]
    items = [each for each in listed if isinstance(each, Item)]
    assert items == [Item("S1/IM_0001", tmp_path / "S1/IM_0001"), Item("S1/IM_0002", tmp_path / "S1/IM_0002")]


def test_one_file_is_a_root(tmp_path: Path) -> None:
    path = write(tmp_path / "one", dataset(WAVES))
    assert SOURCE.recognises(path)
    assert list(SOURCE.scan(path)) == [Item("one", path)]


def test_what_is_recognised(tmp_path: Path) -> None:
    assert not SOURCE.recognises(tmp_path / "missing")
    assert not SOURCE.recognises(tmp_path)
    (tmp_path / "a.png").write_bytes(b"\x89PNG" + bytes(200))
    assert not SOURCE.recognises(tmp_path)
    (tmp_path / "deep").mkdir()
    write(tmp_path / "deep" / "IM1", dataset(WAVES))
    assert SOURCE.recognises(tmp_path)


def test_a_directory_alone_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "DICOMDIR").write_bytes(b"anything")
    assert SOURCE.recognises(tmp_path)


def test_links_do_not_lead_in_circles(tmp_path: Path) -> None:
    write(tmp_path / "IM1", dataset(WAVES))
    (tmp_path / "around").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    listed = {each.name: each for each in SOURCE.scan(tmp_path)}
    assert set(listed) == {"IM1", "around", "nowhere"}
    assert isinstance(listed["around"], Refused)
    assert isinstance(listed["nowhere"], Refused)
    assert listed["nowhere"].reason == "is not there, or is no file"


def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (only,) = SOURCE.scan(tmp_path)
    assert isinstance(only, Refused)


def test_open_asks_for_nothing_but_the_path(tmp_path: Path) -> None:
    path = write(tmp_path / "IM1", dataset(WAVES, PatientID="A1", IssuerOfPatientID="WARD"))
    opened = SOURCE.open(Item("IM1", path))
    assert opened.facts.patient == "A1^^^WARD"
    assert opened.facts.clip == "2.25.7"
    assert opened.annotations() == ()
    assert opened.facts.header is not None
    assert "PixelData" not in opened.facts.header
    assert np.array_equal(np.stack(list(opened.frames())), WAVES)


def test_a_file_that_is_gone_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not there"):
        open_dicom(tmp_path / "gone.dcm")
