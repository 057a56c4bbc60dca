"""Images of few patients, each of its own noise, in files that are read again."""

from __future__ import annotations

import csv

import numpy as np

from benchmarks.ingest_images import variants, write_clips, write_stills
from site_agent.sources.files import open_file


def rows(folder):
    with (folder / "index.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_variants_of_a_patient_differ_by_noise_where_there_is_an_echo():
    (one, first), (two, _), (again, second) = variants(3, 1, base=2)
    assert (one, two, again) == (0, 1, 0)
    assert 0 < np.abs(first.astype(int) - second).max() < 30


def test_stills_and_clips_are_listed_and_read(tmp_path):
    stills, clips = write_stills(tmp_path / "s", 3, 2), write_clips(tmp_path / "c", 4, 5, 2)
    assert [row["patient"] for row in rows(stills)] == ["P0", "P1", "P0"]
    for row in rows(clips):
        assert len(list(open_file(clips / row["path"]).frames())) == 5
