"""Strain and volumes of an outline whose motion is known."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from shared_models.registration.cine import Followed
from site_agent.registration.drawn_ventricle import in_segments
from site_agent.registration.strain import SEGMENTS, Motion
from tests.site_agent.registration.clip_making import MIDDLE, SHARES, arch


def motion(*, scaled: bool = True, seconds: np.ndarray | None = None) -> Motion:
    start = in_segments(arch())
    contours = np.stack([MIDDLE + share * (start - MIDDLE) for share in SHARES])
    return Motion(Followed(contours, 0, 0.5), (4, 5, 6, 7), seconds, scaled)


def test_all_segments_shorten_alike_when_everything_does() -> None:
    true = [100 * (share - 1) for share in SHARES]
    assert motion().strain == pytest.approx(true)
    assert motion().segments.shape == (6, 4)
    assert motion().segments == pytest.approx(np.tile(true, (6, 1)))


def test_a_segment_is_its_own_part_of_the_outline() -> None:
    still = motion().followed.contours[0]
    moved = still.copy()
    moved[:21] = still[20] + 0.8 * (still[:21] - still[20])  # the first of six segments of twenty steps
    found = Motion(Followed(np.stack([still, moved]), 0, 1.0), (0, 1), None, scaled=True)
    assert found.segments[:, 1] == pytest.approx([-20, 0, 0, 0, 0, 0], abs=1e-9)


def test_volumes_fall_with_the_cube_of_lengths() -> None:
    volumes = motion().volumes_ml
    assert volumes / volumes[0] == pytest.approx([share**3 for share in SHARES])
    assert motion().ejection_fraction == pytest.approx(100 * (1 - 0.88**3))


def test_a_table_has_a_row_a_frame() -> None:
    rows = list(csv.DictReader(io.StringIO(motion(seconds=np.arange(4) / 20).table())))
    assert [row["frame"] for row in rows] == ["4", "5", "6", "7"]
    assert [row["seconds"] for row in rows] == ["0.0", "0.05", "0.1", "0.15"]
    assert [float(row["strain_percent"]) for row in rows] == pytest.approx([0, -5, -12, -6])
    assert float(rows[2]["area_mm2"]) / float(rows[0]["area_mm2"]) == pytest.approx(0.88**2, abs=1e-4)
    assert {f"strain_{name.replace(' ', '_')}_percent" for name in SEGMENTS} < rows[0].keys()


def test_what_is_unknown_is_left_empty() -> None:
    rows = list(csv.DictReader(io.StringIO(motion(scaled=False).table())))
    assert {(row["seconds"], row["area_mm2"], row["volume_ml"]) for row in rows} == {("", "", "")}
    assert float(rows[1]["strain_percent"]) == pytest.approx(-5)
