"""Frames have what every network learns, and are as many as are asked for."""

from __future__ import annotations

import numpy as np

from benchmarks.throughput_subjects import QUICK, SUBJECTS, frames_of


def test_frames_show_sector_structures_and_contour() -> None:
    frames = frames_of(10, 48)
    assert frames.images.shape == frames.masks.shape == frames.sectors.shape == (10, 48, 48)
    assert set(np.unique(frames.masks)) == {0, 1, 2, 3}
    assert 0.2 < frames.sectors.mean() < 0.9
    assert frames.points.shape == (10, 7, 2)
    inside = np.rint(frames.points[0]).astype(int)
    assert (inside >= 0).all()
    assert (inside < 48).all()
    assert np.array_equal(frames.images[8], frames.images[0])


def test_all_kinds_are_measured_quick_or_not() -> None:
    kinds = {"views", "backmix", "masks", "contours"}
    assert {subject.kind for subject in SUBJECTS} == {subject.kind for subject in QUICK} == kinds
    assert [subject.images for subject in QUICK] == [4] * 4
