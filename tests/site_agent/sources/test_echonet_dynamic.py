from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from deploy.phantom.acquisition import Shot
from deploy.phantom.exports.layout import part_of, patient_of, record, volumes
from deploy.phantom.pictures import cine
from federated.errors import DataError
from shared_models.phantom.labels import LV
from site_agent.sources.echonet import outline
from site_agent.sources.echonet_dynamic import EchoNetDynamicSource
from site_agent.sources.images import luma
from site_agent.sources.source import Item, Refused
from tests.deploy.phantom.reading import dice, filled
from tests.site_agent.sources.conftest import Exported

SOURCE = EchoNetDynamicSource()
HEADER = "FileName,EF,ESV,EDV,FrameHeight,FrameWidth,FPS,NumberOfFrames,Split\n"
CHORDS = "FileName,X1,Y1,X2,Y2,Frame\n"
FRAMES = np.random.default_rng(0).integers(0, 256, (4, 16, 16), np.uint8)


def _set(folder: Path, files: str, tracings: str | None = CHORDS) -> list[Item | Refused]:
    (folder / "Videos").mkdir()
    (folder / "Videos" / "0XA.avi").write_bytes(cine(FRAMES, 20))
    (folder / "FileList.csv").write_text(HEADER + files)
    if tracings is not None:
        (folder / "VolumeTracings.csv").write_text(tracings)
    return list(SOURCE.scan(folder))


def _square(side: float, frame: int, name: str = "0XA.avi") -> str:
    """Long axis, and two chords whose outline is a square."""
    ends = (0, 0, 0, side), (0, 0, side, 0), (0, side, side, side)
    return "".join(f"{name},{','.join(map(str, line))},{frame}\n" for line in ends)


def test_the_phantom_comes_back_as_it_was(exported: Exported) -> None:
    folder, order = exported("echonet-dynamic", patients=3, frames=8, size=0)
    assert SOURCE.recognises(folder)
    items = [each for each in SOURCE.scan(folder) if isinstance(each, Item)]
    assert len({item.patient for item in items}) == 3
    for number, item in enumerate(items, start=1):
        clip = record(order, number, patient_of(order, number), Shot("A4C"), "godwit", size=(112, 112))
        opened = SOURCE.open(pickle.loads(pickle.dumps(item)))
        facts = opened.facts
        fold = {"train": "train", "val": "validation", "test": "test"}[part_of(number)]
        assert (item.label, item.fold, facts.doubts) == ("A4C", fold, ())
        assert (opened.count, opened.moving, facts.masked) == (8, True, True)
        assert facts.ejection_fraction == pytest.approx(clip.ejection_fraction, abs=1e-5)
        assert (facts.end_diastolic_ml, facts.end_systolic_ml) == pytest.approx(volumes(clip), abs=1e-5)
        assert (facts.end_diastole, facts.end_systole) == (clip.take.end_diastole, clip.take.end_systole)
        assert facts.rate_hz == round(clip.take.rate_hz)
        assert np.abs(luma(np.stack(list(opened.frames()))).astype(int) - clip.images).mean() < 2
        drawn = opened.annotations()
        assert [each.values.shape for each in drawn] == [(21, 4), (21, 4)]
        for each in drawn:
            assert (each.name, each.kind) == ("lv", "chords")
            assert dice(filled(outline(each), (112, 112)), clip.labels[each.frame] == LV) > 0.93


def test_the_larger_tracing_is_the_end_of_diastole(tmp_path: Path) -> None:
    for large, small in ((3, 1), (0, 2)):
        folder = tmp_path / str(large)
        folder.mkdir()
        tracings = CHORDS + _square(5, small) + _square(9, large)
        (item,) = _set(folder, "0XA,55,40,100,16,16,20,4,TEST\n", tracings)
        assert isinstance(item, Item)
        facts = SOURCE.open(item).facts
        assert (facts.end_diastole, facts.end_systole) == (large, small)


def test_one_tracing_says_nothing_of_the_beat(tmp_path: Path) -> None:
    (item,) = _set(tmp_path, "0XA.avi,55,40,100,16,16,20,4,TEST\n", CHORDS + _square(5, 1))
    assert isinstance(item, Item)
    opened = SOURCE.open(item)
    assert (opened.facts.end_diastole, opened.facts.end_systole) == (None, None)
    assert len(opened.annotations()) == 1


def test_what_cannot_be_believed_is_left_out_and_told(tmp_path: Path) -> None:
    tracings = CHORDS + _square(5, 1) + _square(9, 4)
    (item,) = _set(tmp_path, "0XA,250,100,40,16,16,0,9,TEST\n", tracings)
    assert isinstance(item, Item)
    opened = SOURCE.open(item)
    facts = opened.facts
    assert (facts.ejection_fraction, facts.end_diastolic_ml, facts.end_systolic_ml) == (None, None, None)
    assert facts.rate_hz == 20
    assert [each.frame for each in opened.annotations()] == [1]
    assert facts.doubts == (
        "end-systolic volume of 100 ml is larger than the end-diastolic 40: both left out",
        "ejection fraction of 250 is not between 0 and 100: left out",
        "1 traced frames lie behind the last of 4: left out",
        "has 4 frames where its list says 9",
        "frames a second of 0 is not between 1 and 2000: left out",
    )


def test_lines_that_are_no_tracing_cost_the_tracings_only(tmp_path: Path) -> None:
    tracings = CHORDS + _square(5, 1) + "0XA.avi,1,2,x,4,1\n0XA.avi,1,2,3,4,first\n" + _square(9, 2, "0XB.avi")
    (item,) = _set(tmp_path, "0XA,55,40,100,16,16,20,4,TEST\n", tracings)
    assert isinstance(item, Item)
    opened = SOURCE.open(item)
    assert opened.annotations() == ()
    assert opened.facts.doubts == ("2 lines of its tracings hold no frame or no numbers: all left out",)
    assert len(list(opened.frames())) == 4


def test_lines_of_the_list_that_lead_nowhere_are_refused(tmp_path: Path) -> None:
    rest = ",55,40,100,16,16,20,4,TRAIN\n"
    names = ["0XA", "0XA", "0XGONE", "../../0XA", "", "a" * 300, "0X\0"]
    found = _set(tmp_path, "".join(name + rest for name in names), tracings=None)
    assert [each.name for each in found if isinstance(each, Item)] == ["Videos/0XA.avi"]
    assert [(each.name, each.reason) for each in found if isinstance(each, Refused)] == [
        ("VolumeTracings.csv", "is not there: no frame has a tracing"),
        ("FileList.csv line 3", "repeats line 2, which is kept"),
        ("FileList.csv line 4", "names a clip that is not there"),
        ("FileList.csv line 5", "names a file elsewhere"),
        ("FileList.csv line 6", "names no file"),
        ("FileList.csv line 7", "names a clip that cannot be there"),
        ("FileList.csv line 8", "names a file elsewhere"),
    ]


@pytest.mark.parametrize(("name", "columns"), [("FileList.csv", "EDV, Split"), ("VolumeTracings.csv", "X1, Frame")])
def test_a_table_without_its_columns_is_told_in_one_line(tmp_path: Path, name: str, columns: str) -> None:
    _set(tmp_path, "0XA,55,40,100,16,16,20,4,TEST\n")
    (tmp_path / name).write_text("FileName,EF,ESV,Y1,X2,Y2\n")
    with pytest.raises(DataError) as caught:
        list(SOURCE.scan(tmp_path))
    assert str(caught.value).startswith(f"{tmp_path / name}: has no column {columns}; its columns are: FileName")


@pytest.mark.parametrize("content", [b"", b"garbage", cine(FRAMES, 20)[:2000]])
def test_a_damaged_clip_is_refused_when_it_is_opened(tmp_path: Path, content: bytes) -> None:
    (item,) = _set(tmp_path, "0XA,55,40,100,16,16,20,4,TEST\n")
    assert isinstance(item, Item)
    item.path.write_bytes(content)
    with pytest.raises(DataError, match=r"is empty|is not a readable video|is cut short"):
        list(SOURCE.open(item).frames())


def test_other_folders_are_not_recognised(tmp_path: Path) -> None:
    assert not SOURCE.recognises(tmp_path)
    _set(tmp_path, "")
    (tmp_path / "VolumeTracings.csv").write_text("FileName,X,Y,Frame\n")
    (tmp_path / "FileList.csv").write_text("FileName,EF,Split\n")
    assert not SOURCE.recognises(tmp_path)


def test_a_clip_that_no_line_names_is_told(tmp_path: Path) -> None:
    (tmp_path / "Videos" / "deep").mkdir(parents=True)
    for name in ("0XB.AVI", "0XC.avi", "deep/0XD.avi", "notes.txt"):
        (tmp_path / "Videos" / name).write_bytes(cine(FRAMES, 20))
    (tmp_path / "VolumeTracings.csv").write_text(CHORDS)
    (tmp_path / "FileList.csv").write_text(HEADER + "0XC,55,40,100,16,16,20,4,TEST\n")
    found = list(SOURCE.scan(tmp_path))
    assert [each.name for each in found if isinstance(each, Item)] == ["Videos/0XC.avi"]
    refused = {each.name: each.reason for each in found if isinstance(each, Refused)}
    assert refused == dict.fromkeys(["Videos/0XB.AVI", "Videos/deep/0XD.avi"], "is in no line of FileList.csv")
