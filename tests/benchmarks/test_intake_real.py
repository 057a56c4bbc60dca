"""Every item of real data is counted once, with what became of it and why."""

from __future__ import annotations

from pathlib import Path

from benchmarks import intake_real
from benchmarks.intake_real import Folder, taken_in
from tests.site_agent.intake_making import picture


def test_what_is_taken_and_what_is_not_is_counted(tmp_path: Path) -> None:
    for number in range(3):
        picture(tmp_path / "set" / f"{number}.png", number)
    (tmp_path / "set" / "broken.png").write_text("no image")
    (tmp_path / "set" / "again.png").write_bytes((tmp_path / "set" / "2.png").read_bytes())
    outcome = taken_in(tmp_path, Folder("set"))
    assert (outcome.format, outcome.listed, outcome.taken, outcome.duplicates) == ("images", 5, 3, 1)
    rows = intake_real._rows(Folder("set"), outcome)
    assert [(row["state"], row["items"]) for row in rows] == [("taken", 3), ("duplicate", 1), ("refused", 1)]
    assert "not a readable image" in str(rows[-1]["reason"])


def test_words_of_an_index_are_labels_and_nothing_need_be_taken_in(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "index.csv").write_text("path,view\nmissing.png,above\n", encoding="utf-8")
    outcome = taken_in(tmp_path, Folder("set", "label=view", "view"))
    assert (outcome.listed, outcome.taken, [one.state for one in outcome.aside]) == (1, 0, ["refused"])


def test_the_real_ultrasound_files(shared_data: Path) -> None:
    measured = intake_real.measure(quick=True)
    assert {str(row["folder"]) for row in measured.rows} == {"us_dicom", "vital_echo_mhd"}
    assert (measured.claims[0].value, measured.claims[0].holds) == (0, True)
