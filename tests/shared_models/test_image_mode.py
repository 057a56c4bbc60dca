"""Colour boxes, sweeps and spectra are told from plain B-mode, on made-up images and on every phantom machine."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from shared_models.image_mode import image_mode
from shared_models.phantom.machines import MACHINES
from shared_models.phantom.patients import draw_patient
from shared_models.phantom.study import still
from shared_models.sector_geometry import Fan, Parallelogram
from tests.shared_models.sector_toys import BOX, CURVED, FAN, echoes, with_interface

HEIGHT, WIDTH = 300, 400


def coloured(image: NDArray[np.uint8], columns: slice) -> NDArray[np.uint8]:
    """The image with red and blue echoes in some columns of the rows 90 to 140."""
    colour = np.repeat(image[..., None], 3, axis=2)
    colour[90:115, columns] = (210, 60, 0)
    colour[115:140, columns] = (0, 70, 220)
    return colour


def sweep() -> NDArray[np.uint8]:
    """An M-mode: bands that move smoothly with time, under a small sector."""
    image = np.zeros((HEIGHT, WIDTH), np.uint8)
    image[:100, 100:300] = echoes(FAN)[:200:2, 60:260]
    time, row = np.arange(360), np.arange(160)[:, None]
    bands = 120 + 100 * np.sin((row + 8 * np.sin(time / 25)) / 4) + np.random.default_rng(0).normal(0, 6, (160, 360))
    image[120:280, 20:380] = bands.clip(0, 255)
    image[118, 20:380] = 255
    return image


def spectrum(line: bool) -> NDArray[np.uint8]:
    """A spectrum: each column its own, above a baseline."""
    image = np.zeros((HEIGHT, WIDTH), np.uint8)
    image[:90, 150:250] = echoes(FAN)[:180:2, 110:210]
    random = np.random.default_rng(1)
    reach = 20 + 80 * np.abs(np.sin(np.arange(360) / 30)) * random.uniform(0.7, 1.0, 360)
    up = 230 - np.arange(130, 280)[:, None]
    filled = (up >= 0) & (up < reach)
    grain = random.uniform(30, 220, 360)
    image[130:280, 20:380] = np.where(filled, grain * random.uniform(0.8, 1.0, filled.shape), 0)
    if line:
        image[231, 20:380] = 240
    return image


@pytest.mark.parametrize("geometry", [FAN, CURVED, BOX])
def test_plain_b_mode_among_an_interface(geometry: Fan | Parallelogram) -> None:
    image = with_interface(echoes(geometry))
    assert image_mode(image) == "b"
    trace = np.repeat(image[..., None], 3, axis=2)
    trace[-20:, :, [0, 2]] = 0  # a green trace
    assert image_mode(trace) == "b"
    assert image_mode(np.stack([trace] * 3)) == "b"


@pytest.mark.parametrize("machine", list(MACHINES))
def test_every_phantom_machine_is_b_mode(machine: str) -> None:
    assert image_mode(still(draw_patient(4, "healthy"), "PLAX", machine, seed=4).image) == "b"


def test_colour_in_the_sector() -> None:
    image = coloured(with_interface(echoes(FAN)), slice(140, 180))
    assert image_mode(image) == "colour"
    plain = np.repeat(with_interface(echoes(FAN))[..., None], 3, axis=2)
    assert image_mode(np.stack([plain, image, image, image, plain])) == "colour"


def test_a_coloured_button_is_no_colour_box() -> None:
    image = np.repeat(with_interface(echoes(FAN))[..., None], 3, axis=2)
    image[60:80, 5:30] = (30, 60, 160)
    assert image_mode(image) == "b"


def test_sweeps() -> None:
    assert image_mode(sweep()) == "m"
    assert image_mode(np.stack([sweep()] * 4)) == "m"
    assert image_mode(spectrum(line=True)) == "spectral"
    assert image_mode(spectrum(line=False)) == "spectral"


def test_a_coloured_baseline() -> None:
    image = np.repeat(spectrum(line=False)[..., None], 3, axis=2)
    image[231, 20:380] = (200, 110, 30)
    assert image_mode(image) == "spectral"
