from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from deploy.phantom.acquisition import Shot
from deploy.phantom.exports.echonet_lvh import MACHINES, measurements
from deploy.phantom.exports.layout import part_of, patient_of, record
from deploy.phantom.pictures import cine
from federated.errors import DataError
from site_agent.sources.echonet_lvh import EchoNetLvhSource
from site_agent.sources.images import luma
from site_agent.sources.source import Item, Refused
from tests.site_agent.sources.conftest import Exported

SOURCE = EchoNetLvhSource()
FRAMES = np.random.default_rng(0).integers(0, 256, (4, 16, 16), np.uint8)
HEADER = ",HashedFileName,Calc,CalcValue,Frame,X1,X2,Y1,Y2,Frames,FPS,Width,Height,split\n"


def _set(folder: Path, *rows: str) -> list[Item | Refused]:
    (folder / "Batch2").mkdir()
    (folder / "Batch2" / "0XA.avi").write_bytes(cine(FRAMES, 20))
    (folder / "MeasurementsList.csv").write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return list(SOURCE.scan(folder))


def _row(calc: str, value: str, frame: str, length: float, name: str = "0XA") -> str:
    return f"0,{name},{calc},{value},{frame},2,{2 + length},3,3,4,25,16,16,val"


def test_the_phantom_comes_back_as_it_was(exported: Exported) -> None:
    folder, order = exported("echonet-lvh", patients=4, frames=8, size=160)
    assert SOURCE.recognises(folder)
    items = [each for each in SOURCE.scan(folder) if isinstance(each, Item)]
    assert len(items) == 4
    for number, item in enumerate(items, start=1):
        clip = record(order, number, patient_of(order, number), Shot("PLAX"), MACHINES[number % len(MACHINES)])
        opened = SOURCE.open(pickle.loads(pickle.dumps(item)))
        facts = opened.facts
        fold = {"train": "train", "val": "validation", "test": "test"}[part_of(number)]
        assert (item.label, item.fold, facts.doubts, opened.count) == ("PLAX", fold, (), 8)
        assert (facts.end_diastole, facts.end_systole) == (clip.take.end_diastole, clip.take.end_systole)
        assert facts.rate_hz == round(clip.take.rate_hz)
        assert facts.spacing_mm == pytest.approx((clip.take.spacing_mm,) * 2, rel=0.005)
        assert np.abs(luma(np.stack(list(opened.frames()))).astype(int) - clip.images).mean() < 2
        truth = measurements(clip)
        said = {f"{calc}_mm": segment.length * clip.take.spacing_mm for calc, _, segment in truth}
        assert facts.measures == pytest.approx(said, abs=1e-3)
        drawn = opened.annotations()
        assert [(each.name, each.frame, each.kind) for each in drawn] == [(*each[:2], "points") for each in truth]
        np.testing.assert_allclose([each.values.ravel() for each in drawn], [each[2] for each in truth], atol=0.006)


def test_centimetres_and_pixels_give_the_side_of_a_pixel(tmp_path: Path) -> None:
    (item,) = _set(tmp_path, _row("LVIDd", "5", "1", 10), _row("IVSd", "1", "1", 3), _row("LVIDs", "4", "3", 7))
    assert isinstance(item, Item)
    facts = SOURCE.open(item).facts
    assert facts.spacing_mm == (5.0, 5.0)
    assert facts.measures == {"LVIDd_mm": 50, "IVSd_mm": 10, "LVIDs_mm": 40}
    assert (facts.end_diastole, facts.end_systole, facts.rate_hz) == (1, 3, 25)


def test_what_cannot_be_believed_is_left_out_and_told(tmp_path: Path) -> None:
    rows = (
        _row("LVIDd", "5", "1", 10),
        _row("IVSd", "500", "1", 2),
        _row("LVPWd", "1", "4", 2),
        _row("LVIDs", "4", "2", 1),
    )
    (item,) = _set(tmp_path, *rows, _row("LVPWs", "1", "3", 2), _row("Mood", "1", "3", 2))
    assert isinstance(item, Item)
    opened = SOURCE.open(item)
    assert opened.facts.measures == {"LVIDd_mm": 50, "LVIDs_mm": 40, "LVPWs_mm": 10}
    assert opened.facts.spacing_mm is None
    assert opened.facts.doubts == (
        "IVSd in cm of 500 is not between 0.05 and 20: left out",
        "frame of LVPWd of 4 is not between 0 and 3: left out",
        "its measurements do not agree on the side of a pixel: left out",
        "measurements of end-systole lie in 2 frames",
    )
    assert opened.facts.end_systole == 2


def test_lines_that_lead_nowhere_are_refused(tmp_path: Path) -> None:
    rows = [_row("LVIDd", "5", "1", 10, name) for name in ("0XA", "0XA", "0XB", "../0XA", "0XA.avi")]
    found = _set(tmp_path, *rows)
    assert [each.name for each in found if isinstance(each, Item)] == ["Batch2/0XA.avi"]
    assert [(each.name, each.reason) for each in found if isinstance(each, Refused)] == [
        ("MeasurementsList.csv line 3", "repeats line 2, which is kept"),
        ("MeasurementsList.csv line 4", "names a clip that is not there"),
        ("MeasurementsList.csv line 5", "names a file elsewhere"),
    ]


def test_a_table_without_its_columns_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "MeasurementsList.csv").write_text("HashedFileName,Calc\n")
    with pytest.raises(DataError, match="has no column CalcValue, Frame, X1, X2, Y1, Y2, split; its columns are"):
        list(SOURCE.scan(tmp_path))
    assert not SOURCE.recognises(tmp_path)


def test_a_clip_that_no_line_names_is_told(tmp_path: Path) -> None:
    (tmp_path / "Batch1").mkdir()
    (tmp_path / "Batch1" / "0XB.avi").write_bytes(cine(FRAMES, 20))
    item, refused = _set(tmp_path, _row("LVIDd", "5", "1", 10))
    assert isinstance(item, Item)
    assert isinstance(refused, Refused)
    assert (refused.name, refused.reason) == ("Batch1/0XB.avi", "is in no line of MeasurementsList.csv")
