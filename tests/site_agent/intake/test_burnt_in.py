from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from shared_models.phantom.machines import MACHINES
from shared_models.phantom.overlays import lettering
from shared_models.phantom.patients import draw_patient
from shared_models.phantom.study import Acquisition
from shared_models.sector import find_sector
from site_agent.intake.burnt_in import Box, find_marks, find_text, find_texts

HEARTS = [name for name, machine in MACHINES.items() if machine.geometry != "linear"]


@cache
def clip(machine: str, frames: int = 1) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    held = Acquisition(draw_patient(7), "A4C", machine, seed=1)
    images = [frame.image for frame in held.frames(np.linspace(0, 0.4, frames))]
    return np.stack(images), held.scanner.sector


def write(image: NDArray[np.uint8], text: str, at: tuple[int, int], size: int, colour: tuple[int, int, int]):
    """The image with the text, and its box."""
    drawn = Image.fromarray(image).convert("RGB")
    pen, font = ImageDraw.Draw(drawn), ImageFont.load_default(size=size)
    pen.text(at, text, font=font, fill=colour)
    x0, y0, x1, y1 = pen.textbbox(at, text, font=font)
    return np.asarray(drawn), (int(x0), int(y0), int(x1), int(y1))


def covered(box: Box, by: tuple[Box, ...]) -> float:
    """Share of a box's width that others cover which overlap it in height."""
    columns = np.zeros(box[2] - box[0], dtype=bool)
    for x0, y0, x1, y1 in by:
        if y0 <= box[3] and box[1] <= y1:
            columns[max(0, x0 - box[0]) : max(0, x1 + 1 - box[0])] = True
    return float(columns.mean())


@pytest.mark.parametrize("colour", [(255, 255, 255), (255, 255, 0), (0, 255, 0), (180, 180, 180)], ids=str)
@pytest.mark.parametrize("size", [10, 16, 24, 40])
def test_a_name_in_the_sector_is_found_where_it_stands(size, colour):
    images, sector = clip("bittern")
    planted, box = write(images[0], "Okonkwo, Adaeze", (250, 330), size, colour)
    found = find_text(planted, sector)
    assert covered(box, found) > 0.7
    assert len(found) <= 2


@pytest.mark.parametrize("machine", HEARTS)
def test_frames_without_text_show_none(machine):
    images, sector = clip(machine)
    assert find_text(images[0], sector) == ()


def test_letters_of_few_dots_as_of_old_machines_are_found():
    images, sector = clip("eider")
    shape = lettering("OKONKWO 23/04/1961", 14)
    planted = images[0].copy()
    part = planted[300 : 300 + shape.shape[0], 300 : 300 + shape.shape[1]]
    part[:] = np.maximum(part, (220 * shape).astype(np.uint8))
    assert covered((300, 300, 300 + shape.shape[1], 314), find_text(planted, sector)) > 0.7


def test_what_stands_outside_is_not_looked_at():
    images, sector = clip("bittern")
    planted, box = write(images[0], "Okonkwo, Adaeze", (20, 20), 16, (255, 255, 255))
    assert find_text(planted, sector) == ()
    assert covered(box, find_text(planted, ~sector)) > 0.6  # beside what the machine itself has written there


def test_text_that_stands_still_is_found_over_echoes_that_move():
    images, sector = clip("eider", 6)
    assert find_text(images, sector) == ()
    planted, boxes = zip(
        *(write(image, "MRN 4711-0815", (300, 250), 18, (255, 255, 255)) for image in images), strict=True
    )
    assert covered(boxes[0], find_text(np.stack(planted), sector)) > 0.7


@pytest.mark.parametrize("place", [0, -1], ids=["first", "last"])
def test_text_of_one_end_of_a_clip_is_found(place):
    images, sector = clip("eider", 6)
    planted, box = write(images[place], "MRN 4711-0815", (300, 400), 18, (255, 255, 255))
    moved = images.copy()
    moved[place] = planted[..., 0]
    assert covered(box, find_text(moved, sector)) > 0.7


@pytest.mark.parametrize(("height", "size"), [(40, 18), (34, 26), (20, 12)])
def test_a_strip_that_is_a_line_of_text_is_found(height, size):
    plain = np.random.default_rng(4).integers(0, 30, (height, 330), dtype=np.uint8)
    planted, box = write(plain, "OKONKWO ADAEZE 1961", (4, 2), size, (255, 255, 255))
    everywhere = np.ones(plain.shape, dtype=bool)
    assert find_text(plain, everywhere) == ()
    assert covered(box, find_text(planted, everywhere)) > 0.7


@pytest.mark.parametrize("seed", range(10))
def test_noise_and_plain_shapes_are_no_text(seed):
    generator = np.random.default_rng(seed)
    everywhere = np.ones((64, 64), dtype=bool)
    assert find_text(generator.integers(0, 256, (64, 64), dtype=np.uint8), everywhere) == ()
    shapes = np.zeros((64, 64), dtype=np.uint8)
    shapes[generator.integers(0, 60), :] = 255
    shapes[20:40, generator.integers(0, 40) :] = 200
    assert find_text(shapes, everywhere) == ()


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 90), st.integers(1, 90)), elements=st.sampled_from([0, 90, 255])))
def test_boxes_lie_in_the_image_and_apart(image):
    boxes = find_text(image, np.ones(image.shape, dtype=bool))
    drawn = np.zeros(image.shape, dtype=np.int64)
    for x0, y0, x1, y1 in boxes:
        assert 0 <= x0 < x1 < image.shape[1]
        assert 0 <= y0 < y1 < image.shape[0]
        drawn[y0 : y1 + 1, x0 : x1 + 1] += 1
    assert drawn.max() <= 1


def test_several_places_are_looked_at_as_each_by_itself(shared_data: Path):
    path = min((shared_data / "tte47_gallery").rglob("*.[jp][pn]g"))
    image = np.asarray(Image.open(path).convert("RGB"))
    left = np.zeros(image.shape[:2], dtype=bool)
    left[:, : image.shape[1] // 2] = True
    assert find_texts(image, (left, ~left, left & ~left)) == [find_text(image, left), find_text(image, ~left), ()]
    assert find_text(image, left) != find_text(image, ~left)


def test_frames_of_another_size_than_the_mask_are_refused():
    with pytest.raises(ValueError, match="was expected"):
        find_text(np.zeros((10, 20), dtype=np.uint8), np.ones((20, 10), dtype=bool))


def test_real_images_show_text_outside_the_sector_and_none_within(shared_data: Path):
    within, outside = [], []
    for path in sorted((shared_data / "tte47_gallery").glob("*.png")):
        image = np.asarray(Image.open(path).convert("RGB"))
        if "doppler" in path.name or "mmode" in path.name:
            continue
        sector = find_sector(image)
        if sector is not None:
            within += [path.name] * len(find_text(image, sector.mask()))
            outside += [path.name] * (not find_text(image, ~sector.mask()))
    assert within == []
    assert outside == ["05_a3ch-la.png", "25_plax-full-la.png"]  # a depth, a rate, one line of four letters


def test_a_real_annotation_within_is_found(shared_data: Path):
    image = np.asarray(
        Image.open(shared_data / "breast_us_two_site" / "busbra_images" / "2_benign_0817_s.png").convert("L")
    )
    found = find_text(image, np.ones(image.shape, dtype=bool))
    assert any(y0 > 90 for _, y0, _, _ in found)  # "5-6H MAMA DIR", near the bottom


# --- marks -----------------------------------------------------------------------------------------------------------


def test_coloured_graphics_are_marks_and_grey_echoes_are_not():
    images, sector = clip("bittern")
    assert not find_marks(images[0], sector).any()
    coloured = np.repeat(images[0][..., None], 3, axis=-1)
    assert not find_marks(coloured, sector).any()
    coloured[300:303, 300:500] = (0, 255, 0)
    marks = find_marks(coloured, sector)
    assert marks[300:303, 300:500][sector[300:303, 300:500]].all()
    assert not marks[:298].any()
    assert not marks[305:].any()


def test_a_tinted_map_is_no_mark():
    images, sector = clip("bittern")
    sepia = (images[0][..., None] * np.array([1.0, 0.85, 0.6])).astype(np.uint8)
    assert not find_marks(sepia, sector).any()


def test_ticks_that_stand_still_over_moving_echoes_are_marks():
    rows = np.random.default_rng(0).integers(0, 120, (8, 96, 96), dtype=np.uint8)
    rows[:, 10:90:10, 40:46] = 230
    marks = find_marks(rows, np.ones((96, 96), dtype=bool))
    assert marks[10:90:10, 40:46].all()
    assert marks.sum() == 8 * 6


def test_what_is_smaller_than_any_graphic_is_no_mark():
    rows = np.random.default_rng(0).integers(0, 120, (8, 96, 96), dtype=np.uint8)
    rows[:, 40, 40:43] = 230
    assert not find_marks(rows, np.ones((96, 96), dtype=bool)).any()


def test_a_picture_that_stands_still_has_no_such_marks():
    still = np.repeat(np.random.default_rng(0).integers(0, 120, (1, 96, 96), dtype=np.uint8), 8, axis=0)
    still[:, 10:90:10, 40:46] = 230
    assert not find_marks(still, np.ones((96, 96), dtype=bool)).any()


def test_marks_lie_within():
    rows = np.random.default_rng(0).integers(0, 120, (8, 96, 96), dtype=np.uint8)
    rows[:, 10:90:10, 40:46] = 230
    within = np.zeros((96, 96), dtype=bool)
    within[:50] = True
    assert find_marks(rows, within).sum() == 4 * 6
