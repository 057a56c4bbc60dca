"""`consilium inspect`: without a home, a table a file, and one line for each that cannot be read."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import consilium
from site_agent.intake.inspect_command import rows
from site_agent.intake.inspection import Inspection, Outcome, Values
from tests.shared_models.sector_toys import FAN, echoes
from tests.site_agent.sources.dicom_making import dataset, write

Result = tuple[int, str, str]
Run = Callable[..., Result]
SEEN = Inspection(
    file="a.png",
    format="image",
    told_by="contents",
    bytes=9,
    encoding={"format": "PNG", "mode": "L"},
    frames=1,
    height=3,
    width=4,
    colours=1,
    spacing_mm=None,
    rate_hz=None,
    regions=(),
    modality="US",
    maker="",
    model="",
    stored=None,
    shown=Values(type="uint8", least=0, greatest=9, mean=1.23456),
    outcome=Outcome(state="refused", reason="is empty"),
    header=None,
    doubts=("an age of 200 cannot be: left out",),
)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["consilium", "inspect", *arguments])
        with pytest.raises(SystemExit) as stop:
            consilium.main()
        told = capsys.readouterr()
        return int(stop.value.code or 0), told.out, told.err

    return call


@pytest.fixture
def files(tmp_path: Path) -> None:
    Image.fromarray(np.arange(600, dtype=np.uint8).reshape(20, 30)).save(tmp_path / "a.png")
    write(tmp_path / "clip.dcm", dataset(np.stack([echoes(FAN)] * 2), PatientName="Okonkwo^Adaeze", FrameTime="40"))
    (tmp_path / "bad.png").write_bytes(b"\x89PNG and no more")


def test_a_table_a_file(files: None, run: Run) -> None:
    code, out, err = run("a.png", "clip.dcm")
    assert (code, err) == (0, "")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "frames 1 of 30x20 pixels, grey" in lines
    assert "format image (PNG), told by its contents; 555 bytes" in [
        line.replace(_size(lines), "555") for line in lines
    ]
    assert "frame rate 25 a second" in lines
    assert any(line.startswith("would be blanked ") for line in lines)
    assert any(line.startswith("sector phased, quality ") for line in lines)
    assert "fields that identify PatientID, PatientName" in lines
    assert "Okonkwo" not in out


def _size(lines: list[str]) -> str:
    """Bytes of the still, which depend on the version of the encoder."""
    return next(line for line in lines if line.startswith("format image")).split()[-2]


def test_a_bad_file_is_one_line_and_the_others_are_shown(files: None, run: Run) -> None:
    code, out, err = run("a.png", "bad.png", "missing.png", ".", "clip.dcm")
    assert code == 1
    assert [line.split(": ")[1] for line in err.splitlines()] == ["bad.png", "missing.png", "."]
    assert err.startswith("consilium: bad.png: is not a readable image")
    assert [line for line in out.splitlines() if line in {"a.png", "clip.dcm"}] == ["a.png", "clip.dcm"]


def test_a_name_of_two_lines_is_one(files: None, run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.png").rename(tmp_path / "b\nconsilium: ad.png")
    (tmp_path / "a.png").rename(tmp_path / "a\n.png")
    _, out, err = run("b\nconsilium: ad.png", "a\n.png")
    assert err.startswith("consilium: b\\nconsilium: ad.png: is not a readable image")
    assert err.count("\n") == 1
    assert out.startswith("a\\n.png\n")


def test_json_for_a_program(files: None, run: Run) -> None:
    code, out, err = run("--json", "a.png", "bad.png")
    told = json.loads(out)
    assert (code, err.count("\n")) == (1, 1)
    assert Inspection.model_validate_json(json.dumps(told["files"][0])).file == "a.png"
    assert told["refused"][0]["file"] == "bad.png"


def test_everything_that_a_program_gets_is_there_to_be_read() -> None:
    assert dict(rows(SEEN)) == {
        "format": "image (PNG), told by its contents; 9 bytes",
        "mode": "L",
        "frames": "1 of 4x3 pixels, grey",
        "values": "uint8, 0 to 9, mean 1.235",
        "pixel": "of unknown size",
        "ingest": "is refused: it is empty",
        "not believed": "an age of 200 cannot be: left out",
    }


def test_help_takes_less_than_a_second_and_loads_nothing_heavy() -> None:
    code = (
        "import sys, consilium; sys.argv = ['consilium', 'inspect', '--help']\n"
        "try: consilium.main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'pydicom', 'av', 'PIL', 'scipy'} & set(sys.modules)))"
    )

    def seconds() -> float:
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.endswith("[]\n"), done.stdout[-200:]
        return time.perf_counter() - start

    assert min(seconds() for _ in range(3)) < 1.0
