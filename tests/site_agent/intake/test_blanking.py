from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from shared_models.sector import Parallelogram, Sector
from site_agent.intake.blanking import blank

# rows 10 to 29 and columns 20 to 59 of 40 x 100
BOX = Sector("linear", Parallelogram(top=10, bottom=29, left=20, right=59), (40, 100), 1.0)


def frames(value: int = 150) -> np.ndarray:
    return np.full((3, 40, 100), value, dtype=np.uint8)


def test_everything_outside_is_black_and_everything_inside_as_it_was():
    clip = np.random.default_rng(0).integers(1, 256, (3, 40, 100), dtype=np.uint8)
    grey, _ = blank(clip, BOX)
    inside = BOX.mask()
    assert inside.sum() == 20 * 40
    assert (grey[:, ~inside] == 0).all()
    assert (grey[:, inside] == clip[:, inside]).all()


def test_the_account_is_of_pixels_and_of_bright_ones():
    clip = frames(20)
    clip[:, 0, :5] = 200  # 5 bright pixels outside,
    clip[:, 15, 30:45] = 200  # 15 inside
    _, account = blank(clip, BOX)
    assert account.pixels == pytest.approx(1 - 800 / 4000)
    assert account.bright == pytest.approx(5 / 20)
    assert account.marks_inside == 0.0
    assert account.text_outside == 0


def test_marks_are_taken_away_inside_and_counted_there():
    marks = np.zeros((40, 100), dtype=bool)
    marks[12, 20:60] = marks[0] = True
    grey, account = blank(frames(), BOX, marks)
    assert (grey[:, 12] == 0).all()
    assert (grey[:, 13, 20:60] == 150).all()
    assert account.marks_inside == pytest.approx(40 / 800)


def test_without_a_sector_the_marks_alone_go():
    marks = np.zeros((40, 100), dtype=bool)
    marks[5, 5] = True
    grey, account = blank(frames(), None, marks)
    assert (grey == 0).sum() == 3
    assert account.pixels == pytest.approx(1 / 4000)
    assert account.text_outside == 0


def test_colours_become_the_grey_that_pillow_makes_of_them():
    clip = np.random.default_rng(1).integers(0, 256, (2, 40, 100, 3), dtype=np.uint8)
    grey, _ = blank(clip, None)
    assert grey.shape == (2, 40, 100)
    assert (grey[1] == np.asarray(Image.fromarray(clip[1]).convert("L"))).all()


def test_text_that_was_found_outside_is_in_the_account():
    grey, account = blank(frames(200), BOX, None, 2)
    assert account.text_outside == 2
    assert account.bright == pytest.approx(1 - 800 / 4000)
    assert not grey[:, 0].any()


def test_the_frames_stay_as_they_are():
    clip = frames()
    blank(clip, BOX, np.ones((40, 100), dtype=bool))
    assert (clip == 150).all()


def test_a_sector_or_marks_of_another_image_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        blank(np.zeros((1, 30, 30), dtype=np.uint8), BOX)
    with pytest.raises(ValueError, match="do not fit"):
        blank(frames(), BOX, np.ones((40, 1), dtype=bool))
