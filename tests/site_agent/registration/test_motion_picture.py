"""A motion picture has every frame, and the outline where it is."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from site_agent.registration.motion_picture import NOW, motion_picture, strain_plot
from tests.site_agent.registration.clip_making import frames
from tests.site_agent.registration.test_strain import motion


def far(pixels: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.abs(pixels.astype(int) - colour).max(axis=-1)


def test_the_outline_lies_on_every_frame() -> None:
    held = motion(seconds=np.arange(4) / 25)
    picture: Any = Image.open(io.BytesIO(motion_picture(frames(), held)))
    assert (picture.n_frames, picture.size) == (4, (512, 512 + 150))
    assert picture.info["duration"] == 40
    assert picture.info["loop"] == 0
    for place in range(4):
        picture.seek(place)
        pixels = np.asarray(picture.convert("RGB"))
        at = np.rint((held.followed.contours[place, 5:-5] + 0.5) * 8).astype(int)
        assert np.median(far(pixels[at[:, 1], at[:, 0]], NOW)) < 40
        assert pixels[20:60, 400:, :].std() > 5  # tissue beside it


def test_without_a_rate_it_runs_at_a_usual_one() -> None:
    assert Image.open(io.BytesIO(motion_picture(frames(), motion()))).info["duration"] == 50


def test_a_plot_is_a_picture_of_seven_curves() -> None:
    image = Image.open(io.BytesIO(strain_plot(motion(), "a clip")))
    assert image.format == "PNG"
    shown = np.asarray(image.convert("RGB"))
    later = replace(motion(), seconds=np.linspace(0, 0.6, 4))
    other = np.asarray(Image.open(io.BytesIO(strain_plot(later, "a clip"))).convert("RGB"))
    assert (shown != other).any()  # seconds instead of numbers of frames
    assert (shown[:, :800].max(axis=2) < 60).sum() > 1000  # the thick curve of all
