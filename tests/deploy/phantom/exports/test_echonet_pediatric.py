from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.phantom.exports.echonet_pediatric import SHOTS
from deploy.phantom.exports.layout import patient_of, record
from shared_models.phantom.labels import LV
from tests.deploy.phantom.reading import dice, filled, rows_of, video

Export = tuple[Path, Any]
ROOT = "pediatric_echo_avi"


@pytest.fixture
def export(exported: Callable[..., Export]) -> Export:
    return exported("echonet-pediatric", patients=2, frames=12, size=0)


@pytest.mark.parametrize("view", ["A4C", "PSAX"])
def test_each_view_lists_its_videos_and_patients(export: Export, view: str) -> None:
    folder, order = export
    rows = rows_of(folder / ROOT / view / "FileList.csv")
    assert list(rows[0]) == ["FileName", "EF", "Sex", "Age", "Weight", "Height", "Split"]
    assert {row["FileName"] for row in rows} == {path.name for path in (folder / ROOT / view / "Videos").iterdir()}
    for number, row in enumerate(rows, start=1):
        patient = patient_of(order, number)
        assert float(row["EF"]) == pytest.approx(patient.parameters.ejection_fraction)
        assert (row["Sex"], float(row["Age"])) == (patient.sex, patient.age)
        assert (float(row["Weight"]), float(row["Height"])) == (patient.weight_kg, patient.height_cm)
        assert row["Split"] == str(number - 1)
        assert video(folder / ROOT / view / "Videos" / row["FileName"]).shape == (12, 112, 112)


@pytest.mark.parametrize("view", ["A4C", "PSAX"])
def test_the_traced_outline_is_the_ventricle(export: Export, view: str) -> None:
    folder, order = export
    traced: dict[str, dict[int, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows_of(folder / ROOT / view / "VolumeTracings.csv"):
        assert list(row) == ["FileName", "X", "Y", "Frame"]
        traced[row["FileName"]][int(row["Frame"])].append((float(row["X"]), float(row["Y"])))
    assert len(traced) == 2
    for number, frames in enumerate(traced.values(), start=1):
        clip = record(order, number, patient_of(order, number), SHOTS[view], "godwit", size=(112, 112))
        assert list(frames) == [clip.take.end_systole, clip.take.end_diastole]
        for frame, points in frames.items():
            assert dice(filled(points, (112, 112)), clip.labels[frame] == LV) > 0.93


def test_both_views_are_of_the_same_heart_but_not_the_same_clip(export: Export) -> None:
    folder, _ = export
    four, short = (rows_of(folder / ROOT / view / "FileList.csv") for view in ("A4C", "PSAX"))
    assert [row["EF"] for row in four] == [row["EF"] for row in short]
    assert not {row["FileName"] for row in four} & {row["FileName"] for row in short}
    first = video(folder / ROOT / "A4C" / "Videos" / four[0]["FileName"])
    second = video(folder / ROOT / "PSAX" / "Videos" / short[0]["FileName"])
    assert np.abs(first.astype(int) - second).mean() > 5
