"""A sheet and a turning picture: what they hold, and that their scale is right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from federated.errors import ConsiliumError
from site_agent.reconstruction import preview
from site_agent.reconstruction.preview import AROUND, COLUMNS, HALVES, check_preview, sheet, write_preview
from tests.site_agent.reconstruction.heart_making import ball_heart

FRAMES = 5


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "PIXELS", 160)
    monkeypatch.setattr(preview, "FRAME_PIXELS", 80)
    monkeypatch.setattr(preview, "FRAMES", FRAMES)


def panel(paper: np.ndarray, number: int) -> np.ndarray:
    row, column = divmod(number, COLUMNS)
    left, top = preview.EDGE + column * preview.PIXELS, preview.TITLE + row * (preview.PIXELS + preview.CAPTION)
    return paper[top : top + preview.PIXELS, left : left + preview.PIXELS]


def test_a_sheet_shows_what_went_in_all_sides_and_both_halves() -> None:
    paper = sheet(ball_heart())
    there = [bool((panel(paper, number) < 240).any()) for number in range(3 * COLUMNS)]
    assert there == [True] * 2 + [False] * 3 + [True] * (AROUND + len(HALVES))


def test_the_bar_is_as_long_as_it_says() -> None:
    heart = ball_heart(10.0)
    paper = sheet(heart)
    disc = (panel(paper, COLUMNS) < 240).any(axis=2)
    wide = np.ptp(np.flatnonzero(disc.any(axis=0))) + 1  # of a ball of 40 mm
    line = np.asarray((paper[-40:, : preview.PIXELS // 2] < 100).all(axis=2))
    longest = max(np.ptp(np.flatnonzero(row)) + 1 for row in line if row.sum() > 20)
    millimetres = next(bar for bar in preview.BARS if abs(bar / 40 * wide - longest) < 3)
    assert millimetres in (10, 20)


def test_halves_are_halves() -> None:
    heart = ball_heart()
    for _, axis, upper, _ in HALVES:
        half = preview._half(heart, axis, upper=upper)
        assert half is not None
        middle = heart.mesh.vertices[:, axis].mean()
        kept = half.vertices[:, axis]
        assert (kept.min() if upper else kept.max()) == pytest.approx(middle, abs=heart.voxel_mm)


def test_a_sheet_and_a_turning_picture_are_written(tmp_path: Path) -> None:
    heart = ball_heart()
    write_preview(tmp_path / "heart.png", heart)
    with Image.open(tmp_path / "heart.png") as image:
        assert image.size[0] == COLUMNS * 160 + 2 * preview.EDGE
    write_preview(tmp_path / "heart.GIF", heart)
    with Image.open(tmp_path / "heart.GIF") as image:
        assert (len(list(ImageSequence.Iterator(image))), image.size) == (FRAMES, (80, 80))


def test_another_form_and_a_missing_folder_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConsiliumError, match=r"ends in none of \.png \.gif"):
        check_preview(tmp_path / "heart.jpg")
    with pytest.raises(ConsiliumError, match="there is no such folder"):
        check_preview(tmp_path / "none" / "heart.png")
