"""Sweeps lie on disk as the study's do, and every frame's truth is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.phantom.seeds import seed_of
from shared_models.phantom.muscle import draw_muscle_patient
from tests.deploy.phantom.reading import rows_of, video

Export = tuple[Path, Any]
FRAMES = 10


@pytest.fixture
def export(exported: Callable[..., Export]) -> Export:
    return exported("muscle", patients=2, frames=FRAMES, size=96)


def test_every_visit_has_a_video_and_its_sections(export: Export) -> None:
    folder, _ = export
    videos = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.mp4"))
    assert videos == [
        f"{group}/{number:03d}/{visit}/{number:03d}-{visit}.mp4"
        for group, number in (("CNS", 1), ("TETANUS", 2))
        for visit in ("T1", "T2", "T3")
    ]
    for name in videos:
        said = json.loads((folder / name).with_suffix(".json").read_text(encoding="utf-8"))
        assert said["video_file_name"] == Path(name).name
        assert [section["label"] for section in said["annotations"]] == ["l", "r"]
        assert [section["start_frame_idx"] for section in said["annotations"]] == [0, FRAMES]
        assert said["annotations"][1]["end_time"] == "00:00:475"
        assert video(folder / name).shape == (2 * FRAMES, 96, 96)


def test_a_section_ends_in_a_frozen_view(export: Export) -> None:
    folder, _ = export
    rows = [row for row in rows_of(folder / "truth.csv") if row["video"] == "CNS/001/T1/001-T1.mp4"]
    frames = video(folder / rows[0]["video"]).astype(float) / 255
    frozen = [int(row["frame"]) for row in rows[:FRAMES] if row["standard"] == "1"]
    assert frozen == list(range(FRAMES - len(frozen), FRAMES))
    assert len(frozen) >= 3
    moving = [frame for frame in range(FRAMES) if frame not in frozen]
    assert frames[frozen].var(axis=0).mean() < 0.1 * frames[moving].var(axis=0).mean()


def test_the_standard_view_loses_as_much_muscle_as_prescribed(export: Export) -> None:
    folder, order = export
    patient = draw_muscle_patient(seed_of(order.seed, 1, "muscle"), "CNS")
    for visit, lost in zip(("T1", "T2", "T3"), patient.atrophy, strict=True):
        rows = [row for row in rows_of(folder / "truth.csv") if row["video"] == f"CNS/001/{visit}/001-{visit}.mp4"]
        last = rows[FRAMES - 1]
        assert last["standard"] == "1"
        whole = float(patient.thigh("l", "T1").area_mm2(np.array([float(last["position_mm"])]))[0])
        assert float(last["area_mm2"]) == pytest.approx((1 - lost) * whole, rel=1e-3)
