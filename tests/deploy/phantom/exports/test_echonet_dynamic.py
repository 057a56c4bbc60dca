"""Read as the authors' own reader does: ES first, ED last, the first line of a frame skipped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from deploy.phantom.acquisition import Shot
from deploy.phantom.exports.layout import patient_of, record
from shared_models.phantom.labels import LV
from tests.deploy.phantom.reading import dice, filled, rows_of, video

Export = tuple[Path, Any]


@pytest.fixture
def export(exported: Callable[..., Export]) -> Export:
    return exported("echonet-dynamic", patients=3, frames=16, size=0)


def _tracings(folder: Path) -> dict[str, dict[int, np.ndarray]]:
    found: dict[str, dict[int, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows_of(folder / "VolumeTracings.csv"):
        assert list(row) == ["FileName", "X1", "Y1", "X2", "Y2", "Frame"]
        found[row["FileName"]][int(row["Frame"])].append([float(row[key]) for key in ("X1", "Y1", "X2", "Y2")])
    return {name: {frame: np.array(lines) for frame, lines in frames.items()} for name, frames in found.items()}


def test_the_list_of_files_is_that_of_the_videos(export: Export) -> None:
    folder, _ = export
    rows = rows_of(folder / "FileList.csv")
    header = "FileName,EF,ESV,EDV,FrameHeight,FrameWidth,FPS,NumberOfFrames,Split"
    assert (folder / "FileList.csv").read_text().partition("\n")[0] == header
    assert {f"{row['FileName']}.avi" for row in rows} == {path.name for path in (folder / "Videos").iterdir()}
    assert [row["Split"] for row in rows] == ["TRAIN", "TRAIN", "VAL"]
    for row in rows:
        assert row["FileName"].startswith("0X")
        frames = video(folder / "Videos" / f"{row['FileName']}.avi")
        assert frames.shape == (int(row["NumberOfFrames"]), int(row["FrameHeight"]), int(row["FrameWidth"]))
        assert frames.shape == (16, 112, 112)
        with av.open(str(folder / "Videos" / f"{row['FileName']}.avi")) as container:
            assert float(container.streams.video[0].average_rate or 0) == float(row["FPS"])


def test_volumes_and_ejection_fraction_are_the_patients(export: Export) -> None:
    folder, order = export
    for number, row in enumerate(rows_of(folder / "FileList.csv"), start=1):
        patient = patient_of(order, number)
        assert float(row["EF"]) == pytest.approx(patient.parameters.ejection_fraction)
        assert float(row["EDV"]) == pytest.approx(patient.heart.motion.lv_volume(0.0), rel=1e-6)
        assert float(row["ESV"]) == pytest.approx(float(row["EDV"]) * (1 - float(row["EF"]) / 100), rel=0.05)


def test_images_are_those_of_the_phantom(export: Export) -> None:
    folder, order = export
    row = rows_of(folder / "FileList.csv")[1]
    clip = record(order, 2, patient_of(order, 2), Shot("A4C"), "godwit", size=(112, 112))
    error = video(folder / "Videos" / f"{row['FileName']}.avi").astype(int) - clip.images
    assert np.abs(error).mean() < 2


def test_two_frames_are_traced_systole_first(export: Export) -> None:
    folder, order = export
    for number, (_, frames) in enumerate(_tracings(folder).items(), start=1):
        clip = record(order, number, patient_of(order, number), Shot("A4C"), "godwit", size=(112, 112))
        assert list(frames) == [clip.take.end_systole, clip.take.end_diastole]
        assert all(len(lines) == 21 for lines in frames.values())


def test_the_polygon_of_the_chords_is_the_ventricle(export: Export) -> None:
    folder, order = export
    for number, frames in enumerate(_tracings(folder).values(), start=1):
        clip = record(order, number, patient_of(order, number), Shot("A4C"), "godwit", size=(112, 112))
        for frame, lines in frames.items():
            polygon = np.concatenate([lines[1:, :2], lines[1:, 2:][::-1]])
            assert dice(filled(polygon, (112, 112)), clip.labels[frame] == LV) > 0.93


def test_the_long_axis_runs_from_the_apex_to_the_valve(export: Export) -> None:
    folder, _ = export
    for frames in _tracings(folder).values():
        for lines in frames.values():
            (apex_x, apex_y, base_x, base_y), chords = lines[0], lines[1:]
            middles = (chords[:, :2] + chords[:, 2:]) / 2
            to_apex = np.hypot(*(middles - [apex_x, apex_y]).T)
            assert to_apex[0] < to_apex[-1], "chords run from the apex to the base"
            widths = np.hypot(*(chords[:, :2] - chords[:, 2:]).T)
            assert widths[0] < widths[-1] / 2, "narrow at the apex"
            assert np.hypot(*(middles[-1] - [base_x, base_y])) < 4
            assert apex_y < base_y, "the apex is at the top"
