"""The sector is found among a machine's interface, whatever the image's size, and nothing else is kept."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from benchmarks.phantom_sector import find_sector, frame_of, prepared, square
from tests.benchmarks.phantom_toys import HEIGHT, SPOTS, WIDTH, fan, with_interface

FAN = fan(SPOTS["psax"], 3)


def test_the_interface_is_taken_away() -> None:
    frame = frame_of(with_interface(FAN))
    rows, columns = (np.flatnonzero((FAN > 0).any(axis=axis)) for axis in (1, 0))
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    assert np.abs(np.array(frame.image.shape) - (height, width)).max() <= 4
    assert not frame.colour_box


def test_the_sector_closes_dark_chambers() -> None:
    sector = find_sector(np.pad(FAN, 20))[20:-20, 20:-20]
    y, x = SPOTS["psax"]
    assert sector[y - 5 : y + 5, x - 5 : x + 5].all()
    assert (sector & (FAN > 0)).sum() > 0.97 * (FAN > 0).sum()
    assert (sector & (FAN == 0)).sum() < 0.05 * (FAN > 0).sum()


@pytest.mark.parametrize("size", [(90, 120), (300, 400), (768, 1024), (150, 260)])
def test_any_size_comes_out_alike(size: tuple[int, int]) -> None:
    large = np.asarray(Image.fromarray(FAN).resize(size[::-1], Image.Resampling.BICUBIC))
    out = prepared(large, 64)
    assert out.shape == (64, 64)
    assert out.dtype == np.uint8
    assert (out[0] > 0).sum() < (out[20] > 0).sum()  # narrow at the top


def test_proportions_are_kept_and_the_apex_is_at_the_top() -> None:
    frame = frame_of(FAN)
    out = square(frame, 100)
    height, width = frame.image.shape
    columns = np.flatnonzero(out.any(axis=0))
    rows = np.flatnonzero(out.any(axis=1))
    scale = 100 / max(height, width)
    assert abs(columns[-1] - columns[0] + 1 - width * scale) < 3
    assert rows[0] <= 2
    assert abs(rows[-1] + 1 - height * scale) < 3


def test_colour_becomes_as_dark_as_blood_and_is_told() -> None:
    coloured = np.repeat(FAN[..., None], 3, axis=2)
    coloured[60:70, 70:90] = (255, 90, 0)
    frame = frame_of(coloured)
    assert frame.colour_box
    assert frame.coloured.sum() == 200
    assert frame.image[frame.coloured].max() < np.median(frame.image[frame.sector])


@pytest.mark.parametrize("image", [np.zeros((50, 60), np.uint8), np.full((50, 60, 3), 17, np.uint8)])
def test_a_picture_of_nothing_is_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="nothing but its background"):
        frame_of(image)


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(ValueError, match="three channels"):
        frame_of(np.zeros((HEIGHT, WIDTH, 4), np.uint8))
