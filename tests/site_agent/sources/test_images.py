from __future__ import annotations

import io
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from federated.errors import DataError
from site_agent.sources import images as module
from site_agent.sources import source
from site_agent.sources.files import opener_of
from site_agent.sources.images import (
    CINES,
    STILLS,
    check_sides,
    check_usable,
    decode_cine,
    decode_still,
    gray_levels,
    luma,
    open_cine,
    open_still,
)

RAMP = np.arange(40, dtype=np.uint8)[:, None] + np.arange(48, dtype=np.uint8)[None, :] * 3


def still(pixels: NDArray[np.generic], form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form)
    return buffer.getvalue()


def cine(frames: int, form: str = "avi", codec: str = "mjpeg", pixels: str = "yuvj420p", width: int = 48) -> bytes:
    """Frames of growing brightness: frame i has the value 10 i everywhere but in one corner."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=form) as container:
        stream = cast(VideoStream, container.add_stream(codec, rate=25))
        stream.width, stream.height, stream.pix_fmt = width, 40, pixels
        for number in range(frames):
            gray = np.full((40, width), 10 * number, dtype=np.uint8)
            gray[:8, :8] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(gray, format="gray")))
        container.mux(stream.encode())
    return buffer.getvalue()


def gif(frames: int) -> bytes:
    images = [Image.fromarray(np.roll(RAMP, number)) for number in range(frames)]
    buffer = io.BytesIO()
    images[0].save(buffer, "GIF", save_all=True, append_images=images[1:], duration=50)
    return buffer.getvalue()


def written(folder: Path, data: bytes, name: str = "a") -> Path:
    (folder / name).write_bytes(data)
    return folder / name


def decoded(folder: Path, data: bytes) -> list[NDArray[np.uint8]]:
    return list(decode_cine(written(folder, data)))


def test_no_suffix_is_of_both_kinds() -> None:
    assert not STILLS & CINES


def test_gray_png_comes_back_bit_for_bit(tmp_path: Path) -> None:
    path = written(tmp_path, still(RAMP))
    assert np.array_equal(decode_still(path), RAMP)
    opened = open_still(path)
    assert (opened.count, opened.moving, dict(opened.facts.encoding)) == (1, False, {"format": "PNG", "mode": "L"})
    assert np.array_equal(next(opened.frames()), RAMP)


def test_colours_stay_and_have_a_luma(tmp_path: Path) -> None:
    red = np.zeros((10, 12, 3), dtype=np.uint8)
    red[..., 0] = 255
    image = decode_still(written(tmp_path, still(red)))
    assert np.array_equal(image, red)
    assert set(np.unique(luma(image))) == {76}  # 0.299 * 255, ITU-R 601
    assert luma(np.stack([red, red])).shape == (2, 10, 12)


def test_luma_is_as_pillow_has_it() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    assert np.array_equal(luma(colours), np.asarray(Image.fromarray(colours).convert("L")))


@pytest.mark.parametrize("width", [3, 48])
def test_grey_images_are_their_own_luma(width: int) -> None:
    assert luma(RAMP[:, :width]) is not None
    assert np.array_equal(luma(RAMP[:, :width]), RAMP[:, :width])


@pytest.mark.parametrize("mode", ["1", "LA", "P", "RGBA", "CMYK"])
def test_every_kind_of_pixel_becomes_grey_or_colours(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(RAMP).convert("RGB").convert(mode)
    path = tmp_path / ("a.tiff" if mode == "CMYK" else "a.png")
    image.save(path)
    values = decode_still(path)
    assert values.shape[:2] == RAMP.shape
    assert luma(values).shape == RAMP.shape


def test_sixteen_bits_are_stretched_to_the_range_in_use(tmp_path: Path) -> None:
    deep = RAMP.astype(np.uint16) * 16
    image = decode_still(written(tmp_path, still(deep)))
    assert (image.min(), image.max()) == (0, 255)
    assert np.array_equal(np.argsort(image, axis=None, kind="stable"), np.argsort(deep, axis=None, kind="stable"))


def test_an_image_lying_on_its_side_is_turned_upright(tmp_path: Path) -> None:
    image = Image.fromarray(RAMP)
    exif = image.getexif()
    exif[0x0112] = 6  # EXIF orientation: the top is at the right
    image.save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(decode_still(tmp_path / "a.png"), np.rot90(RAMP, -1))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"%PDF-1.7", "not a readable image"),
        (b"", "not a readable image"),
        (still(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8))[:2000], "not a readable image"),
        (still(np.full((9, 9), np.nan, dtype=np.float32), "TIFF"), "not numbers"),
    ],
    ids=["pdf", "nothing", "cut short", "NaN"],
)
def test_unreadable_stills_say_why_and_name_no_file(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=reason) as caught:
        decode_still(written(tmp_path, data, "Mustermann.png"))
    assert "0x" not in caught.value.what
    assert "Mustermann" not in str(caught.value)


def test_a_decompression_bomb_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, still(RAMP))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(DataError, match="decompression bomb"):
        decode_still(path)
    monkeypatch.setattr("site_agent.sources.source.MAX_FRAME_PIXELS", 1000)
    with pytest.raises(DataError, match="says it has 48x40 pixels"):
        open_still(path)


def test_a_file_that_is_too_long_for_one_image_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_STILL_BYTES", 50)
    with pytest.raises(DataError, match="has more than 50 bytes for one image"):
        open_still(written(tmp_path, still(RAMP)))


@pytest.mark.parametrize("pixels", [np.zeros((1, 1), np.uint8), RAMP[:7], np.full((40, 40), 3, np.uint8)])
def test_images_without_content_are_not_usable(pixels: NDArray[np.uint8]) -> None:
    with pytest.raises(DataError):
        check_usable(pixels)


def test_an_image_of_eight_pixels_is_usable() -> None:
    check_usable(RAMP[:8, :8])
    check_sides((8, 8, 3))
    with pytest.raises(DataError, match="has 7x9 pixels, at least 8x8 are needed"):
        check_sides((9, 7, 3))


def test_gray_levels_of_floats_are_a_straight_line() -> None:
    assert gray_levels(np.array([[-1.0, 0.0, 1.0]])).tolist() == [[0, 128, 255]]


def test_gray_levels_over_a_span_are_cut_at_its_ends() -> None:
    deep = np.array([[-5, 0, 40, 100, 300]], dtype=np.int16)
    assert gray_levels(deep, (0.0, 100.0)).tolist() == [[0, 0, 102, 255, 255]]


@pytest.mark.parametrize(
    ("form", "codec", "pixels"),
    [
        ("avi", "mjpeg", "yuvj420p"),
        ("mp4", "mpeg4", "yuv420p"),
        ("mov", "mpeg4", "yuv420p"),
        ("mpeg", "mpeg2video", "yuv420p"),
    ],
)
def test_frames_of_a_video_come_one_by_one(tmp_path: Path, form: str, codec: str, pixels: str) -> None:
    frames = decoded(tmp_path, cine(20, form, codec, pixels))
    assert len(frames) == 20
    assert {frame.shape for frame in frames} == {(40, 48)}
    assert frames[15][20, 30] - frames[3][20, 30] == pytest.approx(120, abs=25)


def test_a_video_says_what_its_header_says(tmp_path: Path) -> None:
    opened = open_cine(written(tmp_path, cine(20)))
    assert (opened.count, opened.moving, opened.facts.rate_hz) == (20, True, 25.0)
    assert dict(opened.facts.encoding) == {"format": "avi", "codec": "mjpeg"}
    assert len(list(opened.frames())) == len(list(opened.frames())) == 20


@pytest.mark.parametrize("width", [48, 112])
def test_grey_stored_as_colour_is_grey_whatever_the_width(tmp_path: Path, width: int) -> None:
    assert decoded(tmp_path, cine(3, width=width))[0].shape == (40, width)


def test_colours_of_a_video_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    with av.open(str(path), "w", format="avi") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 40, "yuvj420p"
        red = np.zeros((40, 48, 3), dtype=np.uint8)
        red[..., 0] = 200
        container.mux(stream.encode(av.VideoFrame.from_ndarray(red, format="rgb24")))
        container.mux(stream.encode())
    (frame,) = decode_cine(path)
    assert frame.shape == (40, 48, 3)
    assert frame[20, 20, 0] > frame[20, 20, 1] + 100


@pytest.mark.parametrize("count", [1, 5])
def test_frames_of_a_gif_come_one_by_one(tmp_path: Path, count: int) -> None:
    frames = decoded(tmp_path, gif(count))
    assert len(frames) == count
    assert np.abs(luma(frames[-1]).astype(int) - np.roll(RAMP, count - 1)).max() <= 1


@pytest.mark.parametrize("data", [cine(20), cine(20, "mp4", "mpeg4", "yuv420p"), gif(20)], ids=["avi", "mp4", "gif"])
def test_a_truncated_video_says_so(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DataError, match=r"cut short|not a readable video|damaged"):
        decoded(tmp_path, data[: len(data) // 2])


@pytest.mark.parametrize(("limit", "most"), [("MAX_FRAMES", 7), ("MAX_CLIP_PIXELS", 7 * RAMP.size)])
def test_a_video_without_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, most: int) -> None:
    path = written(tmp_path, cine(9, "mpeg", "mpeg1video", "yuv420p"))
    assert open_cine(path).count is None
    monkeypatch.setattr(source, limit, most)
    with pytest.raises(DataError, match=r"says it has 8 frames of .* pixels, which is more than is read"):
        list(open_cine(path).frames())


def test_a_video_of_a_codec_that_nobody_knows_says_so(tmp_path: Path) -> None:
    path = written(tmp_path, cine(3).replace(b"MJPG", b"\x00?Q?"), "a.avi")
    with pytest.raises(DataError, match="its codec is not known"):
        open_cine(path)
    with pytest.raises(DataError, match="its codec is not known"):
        list(decode_cine(path))


def test_what_is_damaged_is_not_warned_of(tmp_path: Path) -> None:
    """Pillow would warn of tags that go on behind the end of the file."""
    broken = written(tmp_path, b"II\0*" + still(RAMP, "JPEG"))
    for read in (open_still, decode_still):
        with pytest.raises(DataError, match="not a readable image"):
            read(broken)


def test_a_list_of_other_files_is_no_video(tmp_path: Path) -> None:
    """FFmpeg would show the other file as this one's pixels."""
    written(tmp_path, cine(3), "other.avi")
    path = written(tmp_path, b"ffconcat version 1.0\nfile other.avi\n", "list.avi")
    with pytest.raises(DataError, match="is not a readable video"):
        open_cine(path)
    with pytest.raises(DataError, match="is not a readable video"):
        list(decode_cine(path))


@pytest.mark.parametrize("form", ["EPS", "TGA", "PPM", "WEBP", "GIF"])
def test_what_is_no_still_of_a_form_that_is_named_is_not_opened(tmp_path: Path, form: str) -> None:
    path = written(tmp_path, still(RAMP, form), "a.png")
    with pytest.raises(DataError, match="is not a readable image"):
        open_still(path)
    with pytest.raises(DataError, match="is not a readable image"):
        decode_still(path)


def test_sound_without_pictures_is_not_a_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.avi"), "w", format="avi") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        samples.sample_rate = 8000
        container.mux(stream.encode(samples))
    with pytest.raises(DataError, match="not a readable video"):
        open_cine(tmp_path / "a.avi")


@pytest.mark.parametrize("opener", [open_still, open_cine])
def test_a_file_that_is_not_there_or_empty_says_so(tmp_path: Path, opener: object) -> None:
    assert callable(opener)
    with pytest.raises(DataError, match="is not there"):
        opener(tmp_path / "a.png")
    with pytest.raises(DataError, match="is empty"):
        opener(written(tmp_path, b""))


def test_the_real_files_of_every_container(shared_data: Path) -> None:
    shapes = {}
    for path in sorted((shared_data / "pocus_lung_multisite" / "originals").iterdir()):
        frames = list(opener_of(path)(path).frames())
        check_usable(luma(frames[-1]))
        shapes[path.name] = (len(frames), *frames[-1].shape[:2])
    assert shapes["Reg_pat1Image_133232.mpeg"] == (200, 370, 370)
    assert shapes["Reg_liftl_case3_clip2.mp4"] == (32, 264, 264)
    assert shapes["Reg_northumbria_1009_vid6.avi"] == (93, 484, 484)
