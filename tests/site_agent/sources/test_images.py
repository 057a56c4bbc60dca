from __future__ import annotations

import hashlib
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
from site_agent.sources import READERS, pictures, reader_of
from site_agent.sources.images import CineReader, StillReader, check_usable, gray_levels

RAMP = np.arange(40, dtype=np.uint8)[:, None] + np.arange(48, dtype=np.uint8)[None, :] * 3


def still(pixels: NDArray[np.generic], form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form)
    return buffer.getvalue()


def cine(frames: int, form: str = "avi", codec: str = "mjpeg", pixels: str = "yuvj420p") -> bytes:
    """Frames of growing brightness: frame i has the value 10 i everywhere but in one corner."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=form) as container:
        stream = cast(VideoStream, container.add_stream(codec, rate=25))
        stream.width, stream.height, stream.pix_fmt = 48, 40, pixels
        for number in range(frames):
            gray = np.full((40, 48), 10 * number, dtype=np.uint8)
            gray[:8, :8] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(gray, format="gray")))
        container.mux(stream.encode())
    return buffer.getvalue()


def gif(frames: int) -> bytes:
    images = [Image.fromarray(np.roll(RAMP, number)) for number in range(frames)]
    buffer = io.BytesIO()
    images[0].save(buffer, "GIF", save_all=True, append_images=images[1:], duration=50)
    return buffer.getvalue()


def test_every_suffix_has_one_reader() -> None:
    suffixes = [suffix for reader in READERS for suffix in reader.suffixes]
    assert len(suffixes) == len(set(suffixes))
    assert all(reader_of(Path("a" + suffix.upper())).suffixes >= {suffix} for suffix in suffixes)


def test_a_foreign_suffix_is_told_with_the_known_ones() -> None:
    with pytest.raises(DataError, match=r"files ending in '.docx' are not read; known are .avi .*png"):
        reader_of(Path("letter.docx"))


def test_gray_png_comes_back_bit_for_bit() -> None:
    assert np.array_equal(StillReader().read(still(RAMP), [0])[0], RAMP)


def test_colour_becomes_luma() -> None:
    red = np.zeros((10, 12, 3), dtype=np.uint8)
    red[..., 0] = 255
    (image,) = StillReader().read(still(red), [0])
    assert image.shape == (10, 12)
    assert image[0, 0] == 76  # 0.299 * 255, ITU-R 601


def test_sixteen_bits_are_stretched_to_the_range_in_use() -> None:
    deep = RAMP.astype(np.uint16) * 16
    (image,) = StillReader().read(still(deep), [0])
    assert (image.min(), image.max()) == (0, 255)
    assert np.array_equal(np.argsort(image, axis=None, kind="stable"), np.argsort(deep, axis=None, kind="stable"))


def test_an_image_lying_on_its_side_is_turned_upright() -> None:
    image = Image.fromarray(RAMP)
    exif = image.getexif()
    exif[0x0112] = 6  # EXIF orientation: the top is at the right
    buffer = io.BytesIO()
    image.save(buffer, "PNG", exif=exif)
    (upright,) = StillReader().read(buffer.getvalue(), [0])
    assert np.array_equal(upright, np.rot90(RAMP, -1))


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
def test_unreadable_stills_say_why(data: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=reason) as caught:
        StillReader().read(data, [0])
    assert "0x" not in caught.value.what


def test_a_decompression_bomb_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(DataError, match="decompression bomb"):
        StillReader().read(still(RAMP), [0])


@pytest.mark.parametrize("pixels", [np.zeros((1, 1), np.uint8), RAMP[:7], np.full((40, 40), 3, np.uint8)])
def test_images_without_content_are_not_usable(pixels: NDArray[np.uint8]) -> None:
    with pytest.raises(DataError):
        check_usable(pixels)


def test_an_image_of_eight_pixels_is_usable() -> None:
    check_usable(RAMP[:8, :8])


def test_gray_levels_of_floats_are_a_straight_line() -> None:
    assert gray_levels(np.array([[-1.0, 0.0, 1.0]])).tolist() == [[0, 128, 255]]


@pytest.mark.parametrize(
    ("form", "codec", "pixels"),
    [
        ("avi", "mjpeg", "yuvj420p"),
        ("mp4", "mpeg4", "yuv420p"),
        ("mov", "mpeg4", "yuv420p"),
        ("mpeg", "mpeg2video", "yuv420p"),
    ],
)
def test_frames_of_a_video_are_counted_and_picked(form: str, codec: str, pixels: str) -> None:
    data, reader = cine(20, form, codec, pixels), CineReader()
    assert reader.count(data) == 20
    first, last = reader.read(data, [3, 15])
    assert first.shape == (40, 48)
    assert last[20, 30] - first[20, 30] == pytest.approx(120, abs=25)


def test_frames_of_a_gif_are_counted_and_picked() -> None:
    reader = CineReader()
    assert reader.count(gif(5)) == 5
    assert np.abs(reader.read(gif(5), [4])[0].astype(int) - np.roll(RAMP, 4)).max() <= 1


def test_a_still_gif_has_one_frame() -> None:
    assert CineReader().count(gif(1)) == 1


@pytest.mark.parametrize("data", [cine(20), cine(20, "mp4", "mpeg4", "yuv420p"), gif(20)], ids=["avi", "mp4", "gif"])
def test_a_truncated_video_says_so(data: bytes) -> None:
    with pytest.raises(DataError, match=r"cut short|not a readable video"):
        CineReader().count(data[: len(data) // 2])


def test_a_missing_frame_says_so() -> None:
    with pytest.raises(DataError, match="has no frame 7"):
        CineReader().read(gif(5), [0, 7])


def test_pictures_of_a_still_are_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(still(RAMP))
    (picture,) = pictures(path, [None])
    assert np.array_equal(picture.pixels, RAMP)
    assert (picture.frame, picture.part) == (0, "")
    assert picture.sha256 == picture.file_sha256 == hashlib.sha256(still(RAMP)).hexdigest()


def test_pictures_of_a_cine_file_are_the_frames_asked_for_or_some(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    path.write_bytes(gif(33))
    found = pictures(path, [7, None])
    assert [picture.frame for picture in found] == [7, 0, 5, 9, 14, 18, 23, 27, 32]
    assert [picture.asked for picture in found] == [0] + [1] * 8
    assert [picture.part for picture in found[:2]] == ["#7", "#0"]
    assert len({picture.sha256 for picture in found}) == 9
    assert {picture.file_sha256 for picture in found} == {hashlib.sha256(gif(33)).hexdigest()}


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        pictures(tmp_path / "a.png", [None])


def test_sound_without_pictures_is_not_a_video() -> None:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="wav") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        samples.sample_rate = 8000
        container.mux(stream.encode(samples))
    with pytest.raises(DataError, match="not a readable video"):
        CineReader().count(buffer.getvalue())


def test_the_real_files_of_every_container(shared_data: Path) -> None:
    originals = sorted((shared_data / "pocus_lung_multisite" / "originals").iterdir())
    shapes = {}
    for path in originals:
        reader, data = reader_of(path), path.read_bytes()
        count = reader.count(data)
        image = reader.read(data, [count - 1])[0]
        check_usable(image)
        shapes[path.name] = (count, *image.shape)
    assert shapes["Reg_pat1Image_133232.mpeg"] == (200, 370, 370)
    assert shapes["Reg_liftl_case3_clip2.mp4"] == (32, 264, 264)
    assert shapes["Reg_northumbria_1009_vid6.avi"] == (93, 484, 484)
