"""Bad input: each costs one line in the report, and the ingest goes on."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.phantom.exports.camus import nifti
from deploy.phantom.pictures import cine
from federated.errors import ConsiliumError, DataError
from federated.label_map import LabelMap
from federated.vocabulary import builtin_vocabulary
from site_agent import catalogue as catalogue_module
from site_agent.frame_cache import FrameCache
from site_agent.intake.ingest import Order, ingest
from site_agent.intake.quarantine import set_aside
from site_agent.intake.reports import IngestReport
from site_agent.tables import print_ingest
from tests.site_agent.bad_files import FRAMES, bombs, damaged_files, odd_dicom, outside_region, whole_files
from tests.site_agent.intake_making import archive_in, aside, cases, content, data_set, patients, picture, take_in
from tests.site_agent.sources.conftest import Exported, exported

__all__ = ["exported"]

MIB = 2**20
HEART = builtin_vocabulary("heart")


def _folder(root: Path, files: dict[str, bytes]) -> Path:
    """All of one patient, so that pictures may look alike."""
    place = root / "data" / "healthy" / "P1"
    place.mkdir(parents=True)
    for name, data in files.items():
        (place / name).write_bytes(data)
    return root / "data"


def _told(report: IngestReport) -> dict[str, str]:
    """Name without folders -> reason; every one of them is one line, and shows no traceback."""
    for one in report.aside:
        assert one.reason.isprintable(), one
        assert 0 < len(one.reason) < 250
        assert not re.search(r"Traceback|<_io|0x7f|/tmp|fault of this program", one.reason), one
    assert IngestReport.model_validate_json(report.model_dump_json()) == report
    return {one.name.rpartition("/")[2]: one.reason for one in report.aside}


def _heart(folder: Path, root: Path, **order: Any) -> IngestReport:
    return ingest(archive_in(folder), HEART, LabelMap(), root, Order(**order))


# --- files -----------------------------------------------------------------------------------------------------------


def test_damaged_files_cost_a_line_each(tmp_path: Path) -> None:
    whole, damaged = whole_files(), damaged_files()
    root = _folder(tmp_path, whole | damaged)
    report = take_in(tmp_path, root, format="images", pixels="whole", processes=2)
    told = _told(report)
    assert told.keys() == damaged.keys()
    assert {one.state for one in report.aside} == {"refused"}
    assert {name for name, reason in told.items() if reason == "is empty"} == {n for n in told if n.startswith("empty")}
    assert report.clips == len(whole)
    again = take_in(tmp_path, root, format="images", pixels="whole", processes=2)
    assert (_told(again), again.skipped) == (told, report.images)


def test_what_says_it_is_huge_is_not_believed(tmp_path: Path) -> None:
    root = _folder(tmp_path, {name: data for name, (data, _) in bombs().items()} | {"a.png": whole_files()["a.png"]})
    told = _told(take_in(tmp_path, root, format="images", processes=2))
    assert told.keys() == bombs().keys()
    for name, (_, reason) in bombs().items():
        assert re.search(reason, told[name]), (name, told[name])


def _taken_in_and_measured(root: Path, folder: Path) -> None:
    """In a process of its own; its memory is written down."""
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    take_in(folder, root, format="images")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (folder / "kilobytes").write_text(str(after - before))


def test_what_says_it_is_huge_takes_no_memory(tmp_path: Path) -> None:
    files = {name: data for name, (data, _) in bombs().items()} | {"a.png": whole_files()["a.png"]}
    process = get_context("fork").Process(target=_taken_in_and_measured, args=(_folder(tmp_path, files), tmp_path))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert int((tmp_path / "kilobytes").read_text()) * 1024 < 400 * MIB


def test_dicom_that_makes_no_sense(tmp_path: Path) -> None:
    files = {name: data for name, (data, _) in odd_dicom().items()} | {"region.dcm": outside_region()}
    report = take_in(tmp_path, _folder(tmp_path, files), format="images", pixels="whole", processes=2)
    told = _told(report)
    assert told.keys() == odd_dicom().keys()
    for name, (_, reason) in odd_dicom().items():
        assert re.search(reason, told[name]), (name, told[name])
    assert [doubt.line for doubt in report.doubts] == [
        "region 1 reaches outside of the image, and its spacing is not believed"
    ]
    assert archive_in(tmp_path).catalogue.rows("SELECT spacing_y FROM clips") == [(None,)]


def test_names_lie_and_contents_count(tmp_path: Path) -> None:
    whole = whole_files()
    files = {"image.dcm": whole["a.png"], "clip.png": whole["a.avi"], "scan.jpg": whole["a.dcm"]}
    files |= {"text.nii": b"no volume", "page.mhd": b"<html></html>", "letter.docx": b"no image", "no suffix": b"?"}
    told = _told(take_in(tmp_path, _folder(tmp_path, files), format="images", pixels="whole"))
    assert told == {
        "text.nii": "is no NIfTI file",
        "page.mhd": "is no MetaImage header: DimSize, ElementType or ElementDataFile is missing",
        "letter.docx": "files ending in '.docx' are not read",
        "no suffix": "files ending in '' are not read",
    }


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    root = _folder(tmp_path, {"a.png": whole_files()["a.png"]})
    place = root / "healthy" / "P1"
    (place / "gone.png").symlink_to(place / "nowhere.png")
    (place / "itself.png").symlink_to(place / "itself.png")
    (place / "round").symlink_to(root)
    os.mkfifo(place / "pipe.png")
    (place / "folder.png").mkdir()
    (place / "linked.png").symlink_to(place / "a.png")
    report = take_in(tmp_path, root)
    told = _told(report)
    assert told["round"] == "is a link to a folder, and links are not followed"
    assert told["gone.png"] == told["pipe.png"] == "is not there, or is no file"
    assert told.keys() == {"round", "gone.png", "pipe.png", "itself.png"}
    assert (report.images, report.skipped) == (1, 1)


# --- names -----------------------------------------------------------------------------------------------------------

ODD_NAMES = (
    b"two\nlines.png",
    b"M\xfcller.png",
    b"[red]loud[link].png",
    b"[].png",
    b"\x1b[31mescape\r.png",
    b"-rf.png",
    b" .png",
    "\u202edrawkcab.png".encode(),
    b"x" * 251 + b".png",
)


@pytest.mark.parametrize("data", [b"no image", whole_files()["a.png"]], ids=["bad", "good"])
def test_any_name_can_be_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes) -> None:
    root = _folder(tmp_path, {os.fsdecode(name): data for name in ODD_NAMES} | {"a.png": picture_bytes(tmp_path)})
    report = take_in(tmp_path, root, processes=2)
    told = _told(report)
    if data == b"no image":
        assert len(told) == len(report.aside) == len(ODD_NAMES)
        assert all(name.isprintable() for name in told)
        assert {
            "two\\nlines.png",
            "M\\udcfcller.png",
            "[].png",
            "[red]loud[link].png",
            "\\x1b[31mescape\\r.png",
        } <= told.keys()
    else:
        assert (report.clips, report.skipped) == (2, len(ODD_NAMES) - 1)
    print_ingest(report, {})
    shown = capsys.readouterr().out
    assert "\x1b[31m" not in shown
    shown.encode()
    for one in set_aside(archive_in(tmp_path)):
        one.model_dump_json().encode()


def picture_bytes(folder: Path) -> bytes:
    return picture(folder / "other.png", 5, (40, 50)).read_bytes()


def test_the_one_error_is_one_line_too(tmp_path: Path) -> None:
    root = _folder(tmp_path, {os.fsdecode(name): b"no image" for name in ODD_NAMES})
    with pytest.raises(DataError, match=f"none of its {len(ODD_NAMES)} items can be used") as caught:
        take_in(tmp_path, root)
    assert str(caught.value).isprintable()


# --- tables ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "line"),
    [
        (b"", "is empty"),
        (b"path\na.png\n", "has no column 'label' for the label; its columns are: path"),
        (b"a.png,healthy\n", "has no column 'path' for the path; its columns are: a.png, healthy"),
        (b"path,label\n", "lists no images"),
        (b"path,label\na.png\n", "column 'label' is empty"),
        (b"path,label,frame\na.png,healthy,-1\n", "frame '-1' is not a whole number"),
        (b"path,label,split\na.png,healthy,holdout\n", "split 'holdout' is none of train"),
        ("path,label\na.png,healthy\n".encode("utf-16"), "UTF-8|no column"),
        (b"path,label\n" + bytes(100), "column 'label' is empty|not a CSV"),
        (b'path,label\n"a.png,healthy\n', "column 'label' is empty"),
        (b"path,label\n" + b"x" * (2**20 + 1), "line of more than"),
        (b"\x89PNG\r\n\x1a\n\x81\x8d", "neither in UTF-8 nor in Windows-1252|no column"),
    ],
)
def test_an_index_that_cannot_be_used_ends_in_one_line(tmp_path: Path, table: bytes, line: str) -> None:
    picture(tmp_path / "data" / "a.png", 1)
    (tmp_path / "data" / "index.csv").write_bytes(table)
    with pytest.raises(DataError, match=line) as caught:
        take_in(tmp_path, tmp_path / "data" / "index.csv")
    assert str(caught.value).isprintable()
    assert archive_in(tmp_path).catalogue.batches() == []


def test_an_index_as_windows_writes_it(tmp_path: Path) -> None:
    picture(tmp_path / "data" / "M\xfcller.png", 1)
    table = 'path;"label"\r\nM\xfcller.png;gesund\r\n'.replace(";", ",").encode("cp1252")
    for number, data in enumerate((table, b"\xef\xbb\xbf" + table.decode("cp1252").encode())):
        (tmp_path / "data" / "index.csv").write_bytes(data)
        report = take_in(tmp_path / str(number), tmp_path / "data", {"gesund": "healthy"})
        assert (report.images, report.aside) == (1, ())


def test_lines_that_repeat_count_once(tmp_path: Path) -> None:
    rows = [{"path": "a.png", "patient": "P"}] * 3 + [{"path": "b.png", "patient": "Q"}]
    report = take_in(tmp_path, data_set(tmp_path / "data", rows))
    assert (report.images, report.skipped, report.aside) == (2, 0, ())


# --- what tables and masks say ---------------------------------------------------------------------------------------

FILE_LIST = "FileName,EF,ESV,EDV,FrameHeight,FrameWidth,FPS,NumberOfFrames,Split\n"
TRACINGS = "FileName,X1,Y1,X2,Y2,Frame\n"


def _echonet(root: Path, lines: list[str], tracings: str = "") -> Path:
    (root / "Videos").mkdir(parents=True)
    for line in lines:
        name = line.partition(",")[0]
        if name.startswith("0X"):
            seed = int.from_bytes(name.encode(), "big")
            frames = np.random.default_rng(seed).integers(0, 256, (4, 48, 48), np.uint8)
            (root / "Videos" / f"{name}.avi").write_bytes(cine(frames, 20))
    (root / "FileList.csv").write_text(FILE_LIST + "\n".join(lines))
    (root / "VolumeTracings.csv").write_text(TRACINGS + tracings)
    return root


def test_numbers_that_no_heart_has_are_left_out_and_the_clip_stays(tmp_path: Path) -> None:
    lines = [
        "0XA,250,40,100,48,48,20,4,TRAIN",
        "0XB,nothing,90,40,48,48,20,9,VAL",
        "0XC,-5,40,1e9,48,48,1e9,4,TEST",
        "0XA,250,40,100,48,48,20,4,TRAIN",
        "missing,55,40,100,48,48,20,4,TRAIN",
        "../0XA,55,40,100,48,48,20,4,TRAIN",
        "0XD,55,40",
    ]
    root = _echonet(tmp_path / "data", lines, "0XB.avi,0,0,9,9,700\n0XC.avi,0,0,9,9,first\n")
    report = _heart(tmp_path, root)
    assert (report.format, report.clips) == ("echonet-dynamic", 4)
    told = _told(report)
    assert told["FileList.csv line 5"] == "repeats line 2, which is kept"
    assert "not there" in told["FileList.csv line 6"]
    assert told["FileList.csv line 7"] == "names a file elsewhere"
    doubts = "\n".join(f"{doubt.name}: {doubt.line}" for doubt in report.doubts)
    for doubt in (
        "0XA.avi: ejection fraction of 250 is not between 0 and 100: left out",
        "0XB.avi: ejection fraction is no number: left out",
        "0XB.avi: end-systolic volume of 90 ml is larger than the end-diastolic 40: both left out",
        "0XB.avi: has 4 frames where its list says 9",
        "0XB.avi: 1 traced frames lie behind the last of 4: left out",
        "0XC.avi: 1 lines of its tracings hold no frame or no numbers: all left out",
    ):
        assert doubt in doubts
    rows = archive_in(tmp_path).catalogue.rows("SELECT ejection_fraction FROM clips ORDER BY id")
    assert rows == [(None,), (None,), (None,), (55.0,)]


def test_a_mask_of_another_shape_and_moments_the_wrong_way_round(tmp_path: Path, exported: Exported) -> None:
    made, _ = exported("camus", patients=1, frames=8, size=64)
    root = shutil.copytree(made, tmp_path / "data")
    folder = root / "CAMUS_public" / "database_nifti" / "patient0001"
    (folder / "patient0001_2CH_half_sequence_gt.nii.gz").write_bytes(nifti(FRAMES[:4], 0.3))
    (folder / "patient0001_4CH_half_sequence_gt.nii.gz").write_bytes(b"\x1f\x8bnothing")
    text = folder / "Info_4CH.cfg"
    text.write_text(re.sub("E[DS]: .*", lambda found: {"ED": "ED: 4", "ES": "ES: 1"}[found[0][:2]], text.read_text()))
    report = _heart(tmp_path, root)
    assert (report.clips, report.aside) == (2, ())
    doubts = " ".join(f"{doubt.name}: {doubt.line}" for doubt in report.doubts)
    assert "has 64x48 pixels, its image 64x64: left out" in doubts
    assert "its label map half_sequence is damaged" in doubts
    assert "end-diastole is said to be in frame 3, after end-systole: kept as it is said" in doubts


# --- what may not be read, and what cannot be written -----------------------------------------------------------------


@pytest.fixture
def for_all() -> Iterator[Path]:
    """A folder that every user of the machine may enter, with what is put into it."""
    before = os.umask(0o022)
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)
    os.umask(before)


def _as_nobody(action: Callable[[], None]) -> int:
    """Exit code of a process that does it without a superuser's rights."""

    def run() -> None:
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        action()

    process = get_context("fork").Process(target=run)
    process.start()
    process.join(60)
    return process.exitcode if process.exitcode is not None else -1


def test_folders_and_files_that_may_not_be_read(for_all: Path) -> None:
    for name in ("open", "closed"):
        picture(for_all / "data" / "healthy" / name / "a.png", len(name))
    secret = picture(for_all / "data" / "healthy" / "open" / "secret.png", 9)
    take_in(for_all / "before", for_all / "data")  # loads all that is needed while it may be read
    shutil.rmtree(for_all / "before")
    secret.chmod(0)
    closed = for_all / "data" / "healthy" / "closed"
    closed.chmod(0)

    def run() -> None:
        report = take_in(for_all, for_all / "data")
        assert report.images == 1
        assert aside(report) == {
            "healthy/closed": "cannot be looked into (Permission denied)",
            "healthy/open/secret.png": "cannot be read (Permission denied)",
        }

    assert _as_nobody(run) == 0
    closed.chmod(0o700)
    secret.chmod(0o600)
    report = take_in(for_all, for_all / "data")
    assert (report.images, report.skipped, report.aside) == (2, 1, ()), "once they may be read they are taken in"


HALF = b"half of a file"


def _full(path: Path, _: bytes) -> int:
    """Writes what there is room for."""
    with path.open("wb") as file:
        file.write(HALF)
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("processes", [1, 2])
def test_a_disk_that_fills_up_under_the_working_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    index = data_set(tmp_path / "data", patients(5))
    clean = tmp_path / "clean"
    take_in(clean, index)
    real = FrameCache.stage

    def stage(self: FrameCache, key: str, tensors: Any) -> None:
        if len(list(self.folder.rglob("*.safetensors"))) >= 2:
            monkeypatch.setattr(Path, "write_bytes", _full)
        real(self, key, tensors)

    with monkeypatch.context() as patch:
        patch.setattr(FrameCache, "stage", stage)
        patch.setattr(Path, "write_bytes", Path.write_bytes)
        with pytest.raises(ConsiliumError, match="the disk is full; free some space") as caught:
            take_in(tmp_path / "full", index, processes=processes)
    assert str(caught.value).isprintable()
    assert cases(tmp_path / "full") == []
    assert not [path for path in (tmp_path / "full").rglob("*") if path.is_file() and path.read_bytes() == HALF]
    assert take_in(tmp_path / "full", index, processes=processes).images == 5
    assert content(tmp_path / "full") == content(clean)


def test_a_disk_that_fills_up_under_the_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = data_set(tmp_path / "data", patients(40))
    take_in(tmp_path / "clean", index)
    folder = tmp_path / "full"
    pages = archive_in(folder).catalogue.rows("PRAGMA page_count")[0][0]
    connect = sqlite3.connect

    def small(*arguments: Any, **named: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **named)
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        return connection

    with monkeypatch.context() as patch:
        patch.setattr(catalogue_module.sqlite3, "connect", small)
        with pytest.raises(ConsiliumError, match=r"disk is full.*make room on the disk and try again") as caught:
            take_in(folder, index)
    assert str(caught.value).isprintable()
    assert cases(folder) == []
    assert archive_in(folder).catalogue.rows("PRAGMA integrity_check") == [("ok",)]
    assert take_in(folder, index).images == 40
    assert content(folder) == content(tmp_path / "clean")
