"""Files are read back with the libraries that others use."""

from __future__ import annotations

import io
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from deploy.phantom.pictures import MOTION_JPEG, Cine, Gray, Still, cine, jpeg, png


@pytest.fixture
def frames() -> Gray:
    rows, columns = np.mgrid[:61, :47]
    return np.stack(
        [(127 + 120 * np.sin(rows / 9 + shift) * np.cos(columns / 7)).astype(np.uint8) for shift in range(5)]
    )


def _decoded(data: bytes) -> tuple[Gray, float]:
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.video[0]
        frames: list[Any] = [frame.to_ndarray(format="gray") for frame in container.decode(stream)]
        return np.stack(frames), float(stream.average_rate or 0)


def test_png_is_lossless(frames: Gray) -> None:
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png(frames[0])))), frames[0])


def test_jpeg_is_baseline_and_close(frames: Gray) -> None:
    data = jpeg(frames[0], 90)
    assert b"\xff\xc0" in data, "start of a baseline frame"
    image = np.asarray(Image.open(io.BytesIO(data)))
    assert np.abs(image.astype(int) - frames[0]).max() < 12


def test_the_lossless_cine_is_lossless_and_keeps_its_rate(frames: Gray) -> None:
    decoded, rate = _decoded(cine(frames, 36.27))
    np.testing.assert_array_equal(decoded, frames)
    assert rate == pytest.approx(36.27, abs=1e-3)


def test_motion_jpeg_keeps_the_full_range_of_greys(frames: Gray) -> None:
    decoded, rate = _decoded(cine(frames, 50, MOTION_JPEG))
    assert decoded.shape == frames.shape
    assert rate == 50
    assert np.abs(decoded.astype(int) - frames).max() <= 6


@pytest.mark.parametrize("codec", ["ffv1", MOTION_JPEG])
def test_equal_frames_give_equal_bytes_that_name_no_encoder(frames: Gray, codec: str) -> None:
    data = cine(frames, 25, codec)
    assert data == cine(frames, 25, codec)
    assert b"Lavf" not in data
    assert b"Lavc" not in data


def test_a_still_and_a_cine_take_frames_in_the_same_way(frames: Gray) -> None:
    film, still = Cine(25), Still()
    for frame in frames:
        film.add(frame)
        still.add(frame)
    assert film.close() == cine(frames, 25)
    assert still.close() == png(frames[-1])
