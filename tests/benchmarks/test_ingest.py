"""The taking-in is measured on small runs, on images that are really taken in."""

from __future__ import annotations

import pytest

from benchmarks import ingest


@pytest.fixture(autouse=True)
def one_turn(monkeypatch):
    monkeypatch.setattr(ingest, "TURNS", 1)
    monkeypatch.setattr(ingest, "FRAMES", 6)


def test_stills_are_taken_in_once(tmp_path):
    measured = ingest._stills(tmp_path, 6)
    (row,) = measured.rows
    assert row["frames"] == 6
    assert row["times faster"] == pytest.approx(row["first, s"] / row["again, unchanged, s"])
    assert [claim.target for claim in measured.claims] == ["≥ 300", "≥ 20"]


def test_the_archive_gives_the_clips_that_the_plain_loop_decodes(tmp_path):
    measured = ingest._clips(tmp_path, 4)
    cached = {clip.shape for clip in ingest._cached(tmp_path / "home")}
    assert cached == {clip.shape for clip in ingest._plain(tmp_path / "images")} == {(6, 112, 112)}
    assert measured.rows[2]["times the plain loop"] > 1


def test_memory_is_that_of_the_command_with_its_processes(tmp_path):
    (tmp_path / "large").mkdir()
    measured = ingest._large(tmp_path / "large", 20, 3)
    assert [row["files"] for row in measured.rows] == ["2 PNG stills", "20 PNG stills", "3 AVI and DICOM clips"]
    assert all(claim.holds for claim in measured.claims[:2])
    assert list((tmp_path / "large").iterdir()) == [tmp_path / "large" / "log"]
