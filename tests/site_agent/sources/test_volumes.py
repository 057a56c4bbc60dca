from __future__ import annotations

import io
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.errors import DataError
from site_agent.sources.images import gray_levels
from site_agent.sources.source import Facts
from site_agent.sources.volumes import Placed, Volume, misfit, opened


def _volume(values: np.ndarray, channels: int = 1, parts: int = 1, **changes: Any) -> Volume:
    blocks = [part.tobytes() for part in np.split(values, parts)]
    openers = tuple(partial(io.BytesIO, block) for block in blocks)
    count, height, width = values.shape[:3]
    return Volume(count, height, width, channels, values.dtype, openers, **changes)


def test_bytes_are_frames_as_they_are() -> None:
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    for parts in (1, 2):
        volume = _volume(values, parts=parts)
        np.testing.assert_array_equal(list(volume.frames()), values)
        np.testing.assert_array_equal(list(volume.labels()), values)
        np.testing.assert_array_equal(list(volume.frames()), values)


def test_colours_stay_and_opacity_goes() -> None:
    values = np.arange(2 * 3 * 4 * 4, dtype=np.uint8).reshape(2, 3, 4, 4)
    np.testing.assert_array_equal(list(_volume(values, 4).frames()), values[..., :3])


@pytest.mark.parametrize("kind", ["<i2", ">u2", "<i8", ">f4", "<f8", "i1"])
def test_deep_values_are_stretched_as_one_clip(kind: str) -> None:
    values = (np.arange(24).reshape(2, 3, 4) * 3 - 20).astype(kind)
    np.testing.assert_array_equal(list(_volume(values).frames()), gray_levels(values))


def test_a_scale_changes_nothing_but_its_sign() -> None:
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    up, down = (list(_volume(values, slope=slope, intercept=7.0).frames()) for slope in (0.5, -0.5))
    np.testing.assert_array_equal(up, values)
    np.testing.assert_array_equal(down, 255 - np.array(up))


def test_an_even_clip_is_black() -> None:
    assert not np.any(list(_volume(np.full((2, 3, 4), 900, np.int16)).frames()))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1.7e308])
def test_values_that_are_no_numbers_are_refused(wrong: float) -> None:
    values = np.full((1, 2, 2), -1.7e308)
    values[0, 1, 1] = wrong
    with pytest.raises(DataError, match="not numbers"):
        list(_volume(values).frames())
    with pytest.raises(DataError, match="no labels"):
        list(_volume(values).labels())


@pytest.mark.parametrize("wrong", [-1, 256, 0.5])
def test_labels_are_whole_numbers_of_a_byte(wrong: float) -> None:
    values = np.array([[[1.0, 3.0], [0.0, wrong]]])
    with pytest.raises(DataError, match="no labels"):
        list(_volume(values).labels())
    values[values == wrong] = 255
    found = list(_volume(values).labels())
    assert found[0].dtype == np.uint8
    np.testing.assert_array_equal(found, values)


def test_scaled_labels_are_those_that_are_meant() -> None:
    values = np.array([[[2, 4]]], np.int16)
    np.testing.assert_array_equal(list(_volume(values, slope=0.5, intercept=1.0).labels()), [[[2, 3]]])


def test_what_is_cut_short_says_where() -> None:
    whole = np.zeros((3, 2, 2), np.uint8)
    volume = _volume(whole)
    cut = Volume(3, 2, 2, 1, volume.element, (partial(io.BytesIO, bytes(11)),))
    frames = cut.frames()
    next(frames)
    next(frames)
    with pytest.raises(DataError, match="is cut short at frame 2"):
        next(frames)


def test_one_frame_at_a_time_is_read() -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, 3))

    stream = Slow(bytes(range(12)))
    frames = Volume(3, 2, 2, 1, np.dtype(np.uint8), (lambda: stream,)).frames()
    np.testing.assert_array_equal(next(frames), [[0, 1], [2, 3]])
    assert stream.tell() == 4


def test_label_maps_must_lie_on_their_image() -> None:
    image = _volume(np.zeros((2, 3, 4), np.uint8))
    assert misfit(image, image, range(2)) == ""
    assert misfit(_volume(np.zeros((2, 4, 3), np.uint8)), image, range(2)) == "has 3x4 pixels, its image 4x3"
    assert misfit(_volume(np.zeros((1, 3, 4), np.uint8)), image, range(2)) == "has 1 frames for 2 of its image"
    assert misfit(_volume(np.zeros((2, 3, 4, 3), np.uint8), 3), image, range(2)) == "has 3 values a pixel"


def test_an_open_volume_says_what_its_header_does() -> None:
    image = _volume(np.zeros((2, 3, 4), np.uint8), spacing_mm=(0.1, 0.2), doubts=("b",), encoding={"format": "x"})
    mask = _volume(np.ones((1, 3, 4), np.uint8))
    found = opened(image, Facts(patient="p", doubts=("a",)), [Placed("gt", mask, (1,))])
    assert (found.count, found.moving) == (2, True)
    assert found.facts == Facts(patient="p", spacing_mm=(0.1, 0.2), doubts=("a", "b"), encoding={"format": "x"})
    (drawn,) = found.annotations()
    assert (drawn.frame, drawn.name, drawn.kind) == (1, "gt", "mask")
    np.testing.assert_array_equal(drawn.values, np.ones((3, 4)))


@given(st.binary(min_size=16, max_size=16), st.sampled_from(["<f8", ">f8", "<f4", ">i8", "<u2", "u1"]))
def test_any_numbers_end_in_levels_or_in_one_line(data: bytes, kind: str) -> None:
    values = np.frombuffer(data, kind).reshape(1, 1, -1)
    for frames in (_volume(values).frames, _volume(values).labels, _volume(values, slope=1e300).frames):
        try:
            levels = list(frames())
        except DataError:
            continue
        assert levels[0].dtype == np.uint8
        assert levels[0].shape == values.shape[1:]
