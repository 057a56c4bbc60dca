"""The sector is found where it is known to be, whatever the machine draws, and nothing is found where nothing is."""

from __future__ import annotations

import numpy as np
import pytest

from shared_models.phantom.patients import draw_patient
from shared_models.phantom.study import Acquisition
from shared_models.sector import Sector, find_sector
from shared_models.sector_geometry import Fan, Parallelogram
from tests.shared_models.sector_toys import (
    BOX,
    CURVED,
    FAN,
    LEANING,
    STEERED,
    agreement,
    echoes,
    truth,
    with_interface,
)


@pytest.mark.parametrize("geometry", [FAN, CURVED, STEERED, BOX, LEANING])
@pytest.mark.parametrize("black", [0, 14])
def test_a_sector_among_an_interface(geometry: Fan | Parallelogram, black: int) -> None:
    found = find_sector(with_interface(echoes(geometry, black=black)))
    assert found is not None
    assert agreement(found, truth(geometry)) > 0.97
    assert found.kind == truth(geometry).kind
    assert found.quality > 0.85


@pytest.mark.parametrize("machine", ["albatross", "dunlin", "fulmar", "godwit", "hoopoe", "sanderling"])
def test_a_phantom_machine(machine: str) -> None:
    held = Acquisition(draw_patient(3, "healthy"), "A4C", machine, seed=3)
    clip = np.stack([frame.image for frame in held.frames([0.0, 0.4])])
    found = find_sector(clip)
    assert found is not None
    mask = found.mask()
    assert (mask & held.scanner.sector).sum() > 0.95 * (mask | held.scanner.sector).sum()


def test_what_the_image_cuts_off_is_still_a_fan() -> None:
    whole = echoes(FAN)
    found = find_sector(whole[:190, 60:250])
    assert found is not None
    assert found.kind == "phased"
    assert agreement(found, truth(FAN).cropped((60, 0, 249, 189))) > 0.97


def test_grey_colour_and_clips_are_the_same() -> None:
    image = echoes(FAN)
    grey = find_sector(image)
    assert grey is not None
    assert grey == find_sector(np.repeat(image[..., None], 3, axis=2))
    assert grey == find_sector(np.stack([image] * 9))
    assert grey == find_sector(np.repeat(np.stack([image] * 4)[..., None], 3, axis=3))


def test_a_clip_says_more_than_its_frames() -> None:
    left, right = echoes(FAN, seed=1), echoes(FAN, seed=2)
    left[:, :120], right[:, 200:] = 0, 0  # shadows that come and go
    assert agreement(find_sector(np.stack([left, right])), truth(FAN)) > 0.98


def test_the_same_image_larger() -> None:
    image = echoes(FAN)
    small, large = find_sector(image), find_sector(np.kron(image, np.ones((3, 3), np.uint8)))
    assert small is not None
    assert large is not None
    assert agreement(large, small.scaled(3)) > 0.98


def test_black_flat_and_tiny_images_show_no_sector() -> None:
    assert find_sector(np.zeros((100, 120), np.uint8)) is None
    assert find_sector(np.full((100, 120, 3), 80, np.uint8)) is None
    assert find_sector(echoes(FAN)[:28, :28]) is None


def test_letters_are_no_sector() -> None:
    page = np.zeros((200, 300), np.uint8)
    page[20:180:12, 20:280:5] = 255
    page[21:181:12, 20:280:7] = 255
    assert find_sector(page) is None


def test_a_ring_is_no_good_sector() -> None:
    y, x = np.mgrid[:200, :200] - 100.0
    radius = np.hypot(y, x)
    found = find_sector(((radius > 60) & (radius < 75)).astype(np.uint8) * 255)
    assert found is None or found.quality < 0.7


def test_a_colourful_photograph_is_no_sector() -> None:
    y, x = np.mgrid[:120, :160]
    assert find_sector(np.stack([200 + 0 * x, x, y], axis=2).astype(np.uint8)) is None


def test_a_frame_full_of_echoes_is_the_frame_and_doubtful() -> None:
    full = np.random.default_rng(0).rayleigh(50.0, (160, 200)).clip(10, 255).astype(np.uint8)
    found = find_sector(full)
    assert found is not None
    assert found.kind == "linear"
    assert found.mask().all()
    assert found.quality < 0.6


def test_what_is_no_image_is_refused() -> None:
    for wrong in (np.zeros(7, np.uint8), np.zeros((2, 50, 60, 4), np.uint8), np.zeros((0, 50, 60), np.uint8)):
        with pytest.raises(ValueError, match="expected"):
            find_sector(wrong)
    with pytest.raises(ValueError, match="float32"):
        find_sector(np.zeros((40, 50), np.float32))


def test_the_quality_tells_good_from_bad() -> None:
    image = echoes(FAN)
    good = find_sector(image)
    image[:, 160:] = 0  # half of it in a shadow
    doubtful = find_sector(image)
    assert good is not None
    assert doubtful is None or doubtful.quality < good.quality - 0.05


def test_it_comes_back_from_json() -> None:
    found = find_sector(echoes(CURVED))
    assert found is not None
    assert Sector.from_json(found.to_json()) == found
