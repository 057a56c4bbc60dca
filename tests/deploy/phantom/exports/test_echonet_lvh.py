from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.phantom.acquisition import Shot
from deploy.phantom.exports.echonet_lvh import MACHINES
from deploy.phantom.exports.layout import patient_of, record
from shared_models.phantom.labels import LV, MYOCARDIUM
from tests.deploy.phantom.reading import rows_of, video

Export = tuple[Path, Any]
HEADER = ",HashedFileName,Calc,CalcValue,Frame,X1,X2,Y1,Y2,Frames,FPS,Width,Height,split"


@pytest.fixture
def export(exported: Callable[..., Export]) -> Export:
    return exported("echonet-lvh", patients=5, frames=8, size=160)


def test_every_row_names_a_video_of_its_size(export: Export) -> None:
    folder, _ = export
    rows = rows_of(folder / "MeasurementsList.csv")
    assert (folder / "MeasurementsList.csv").read_text().partition("\n")[0] == HEADER
    assert [row[""] for row in rows] == [str(number) for number in range(len(rows))]
    videos = {path.stem: path for path in folder.glob("Batch*/*.avi")}
    assert {row["HashedFileName"] for row in rows} == set(videos)
    assert {path.parent.name for path in videos.values()} == {"Batch1", "Batch2", "Batch3", "Batch4"}
    for row in rows:
        shape = int(row["Frames"]), int(row["Height"]), int(row["Width"])
        assert video(videos[row["HashedFileName"]]).shape == shape
        assert 0 <= int(row["Frame"]) < shape[0]
        assert row["split"] in {"train", "val", "test"}


def test_measurements_are_those_of_the_label_map_in_centimetres(export: Export) -> None:
    folder, order = export
    by_clip: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for row in rows_of(folder / "MeasurementsList.csv"):
        by_clip[row["HashedFileName"]][row["Calc"]] = row
    for number, found in enumerate(by_clip.values(), start=1):
        clip = record(order, number, patient_of(order, number), Shot("PLAX"), MACHINES[number % len(MACHINES)])
        assert set(found) == {"IVSd", "LVIDd", "LVPWd", "LVIDs"}
        for calc, row in found.items():
            ends = np.array([[float(row["X1"]), float(row["Y1"])], [float(row["X2"]), float(row["Y2"])]])
            millimetres = np.hypot(*(ends[1] - ends[0])) * clip.take.spacing_mm
            assert float(row["CalcValue"]) == pytest.approx(millimetres / 10, rel=0.01)
            frame = clip.take.end_systole if calc.endswith("s") else clip.take.end_diastole
            assert int(row["Frame"]) == frame
            x, y = np.rint(ends.mean(axis=0)).astype(int)
            assert clip.labels[frame, y, x] == (LV if "LVID" in calc else MYOCARDIUM)


def test_walls_and_cavity_are_those_of_the_heart(export: Export) -> None:
    folder, order = export
    rows = rows_of(folder / "MeasurementsList.csv")
    names = list(dict.fromkeys(row["HashedFileName"] for row in rows))
    for number, name in enumerate(names, start=1):
        heart = patient_of(order, number).parameters
        value = {row["Calc"]: 10 * float(row["CalcValue"]) for row in rows if row["HashedFileName"] == name}
        assert value["IVSd"] == pytest.approx(heart.septal_wall, rel=0.35)
        assert value["LVIDd"] == pytest.approx(2 * heart.lv_radius, rel=0.15)
        assert value["LVIDs"] < value["LVIDd"]
