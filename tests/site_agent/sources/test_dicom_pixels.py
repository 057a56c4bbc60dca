"""Every coding that has an encoder, there and back; and pixels that are not what their header says."""

from __future__ import annotations

import base64
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom import uid as uids
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import convert_color_space
from pydicom.uid import UID

from federated.errors import DataError
from site_agent.sources import dicom_pixels
from site_agent.sources.dicom import decoded, open_dicom
from site_agent.sources.dicom_pixels import DECODERS, NATIVE
from tests.site_agent.sources.dicom_making import (
    COLOURS,
    WAVES,
    as_bytes,
    dataset,
    encapsulated,
    jpeg,
    sample,
    through_gdcm,
    video,
    write,
)

Making = Callable[[Dataset], Dataset]
DEEP = (WAVES.astype(np.uint16) << 4) + 5  # twelve bits


def _frames(path: Path) -> NDArray[np.uint8]:
    opened = open_dicom(path)
    frames = np.stack(list(opened.frames()))
    assert opened.count in {len(frames), None}
    assert frames.dtype == np.uint8
    return frames


def _line(path: Path) -> str:
    with pytest.raises(DataError) as error:
        list(open_dicom(path).frames())
    line = str(error.value)
    assert "\n" not in line
    return line


def _native(syntax: UID) -> Making:
    def make(made: Dataset) -> Dataset:
        made.file_meta.TransferSyntaxUID = syntax
        return made

    return make


def _swapped(made: Dataset) -> Dataset:
    """Big endian, whose words lie the other way round."""
    made.file_meta.TransferSyntaxUID = uids.ExplicitVRBigEndian
    if made.BitsAllocated == 16:
        made.PixelData = np.frombuffer(made.PixelData, np.uint16).byteswap().tobytes()
    return made


def _compress(syntax: UID, plugin: str, **options: Any) -> Making:
    def make(made: Dataset) -> Dataset:
        made.compress(syntax, encoding_plugin=plugin, generate_instance_uid=False, **options)
        return made

    return make


def _planes(made: Dataset) -> Dataset:
    made.PlanarConfiguration = 1
    made.PixelData = np.ascontiguousarray(np.moveaxis(COLOURS, -1, 1)).tobytes()
    return made


LOSSLESS: dict[str, Making] = {
    "implicit": _native(uids.ImplicitVRLittleEndian),
    "explicit": _native(uids.ExplicitVRLittleEndian),
    "big endian": _swapped,
    "deflated": _native(uids.DeflatedExplicitVRLittleEndian),
    "rle": _compress(uids.RLELossless, "pydicom"),
    "jpeg-ls": _compress(uids.JPEGLSLossless, "pyjpegls"),
    "jpeg 2000": _compress(uids.JPEG2000Lossless, "pylibjpeg"),
}


@pytest.mark.parametrize("coding", LOSSLESS)
def test_grey_comes_back_to_the_last_bit(tmp_path: Path, coding: str) -> None:
    path = write(tmp_path / "a.dcm", LOSSLESS[coding](dataset(WAVES)))
    assert np.array_equal(_frames(path), WAVES)


@pytest.mark.parametrize("coding", LOSSLESS)
def test_colour_comes_back_to_the_last_bit(tmp_path: Path, coding: str) -> None:
    path = write(tmp_path / "a.dcm", LOSSLESS[coding](dataset(COLOURS, photometric="RGB")))
    assert np.array_equal(_frames(path), COLOURS)


@pytest.mark.parametrize("coding", LOSSLESS)
def test_twelve_bits_come_back_and_are_shown_in_eight(tmp_path: Path, coding: str) -> None:
    path = write(tmp_path / "a.dcm", LOSSLESS[coding](dataset(DEEP, bits=12)))
    assert np.array_equal(np.stack(list(decoded(path))), DEEP)
    assert np.array_equal(_frames(path), np.rint(DEEP / 4095 * 255))


@pytest.mark.parametrize("process", ["JPEGLosslessProcess14", "JPEGLosslessProcess14_1"])
@pytest.mark.parametrize("pixels", [WAVES[:1], COLOURS[:1]], ids=["grey", "colour"])
def test_jpeg_lossless_comes_back_to_the_last_bit(tmp_path: Path, process: str, pixels: NDArray[np.uint8]) -> None:
    made = dataset(pixels, photometric="RGB" if pixels.ndim == 4 else "MONOCHROME2")
    path = through_gdcm(tmp_path, made, process)
    name = pydicom.dcmread(path).file_meta.TransferSyntaxUID.keyword
    assert name == ("JPEGLossless" if process.endswith("14") else "JPEGLosslessSV1")
    assert np.array_equal(_frames(path), pixels)


def test_planes_of_colour_are_put_together(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", _planes(dataset(COLOURS, photometric="RGB")))
    assert np.array_equal(_frames(path), COLOURS)


def _jpegs(syntax: UID) -> Making:
    def make(made: Dataset) -> Dataset:
        return encapsulated(made, syntax, [jpeg(frame) for frame in made.pixel_array])

    return make


LOSSY: dict[str, tuple[Making, int]] = {  # and how far a value may lie off
    "jpeg": (_jpegs(uids.JPEGBaseline8Bit), 6),
    "jpeg extended": (_jpegs(uids.JPEGExtended12Bit), 6),
    "jpeg-ls": (_compress(uids.JPEGLSNearLossless, "pyjpegls", jls_error=2), 2),
    "jpeg 2000": (_compress(uids.JPEG2000, "pylibjpeg", j2k_psnr=[50]), 10),
}


@pytest.mark.parametrize("coding", LOSSY)
def test_lossy_grey_comes_back_nearly(tmp_path: Path, coding: str) -> None:
    make, off = LOSSY[coding]
    frames = _frames(write(tmp_path / "a.dcm", make(dataset(WAVES))))
    assert np.abs(frames.astype(int) - WAVES).max() <= off


@pytest.mark.parametrize("coding", LOSSY)
def test_lossy_colour_comes_back_nearly(tmp_path: Path, coding: str) -> None:
    make, off = LOSSY[coding]
    made = make(dataset(COLOURS, photometric="RGB"))
    if coding.startswith("jpeg") and "JPEG" in made.file_meta.TransferSyntaxUID.name and made.PlanarConfiguration == 0:
        made.PhotometricInterpretation = {"jpeg": "YBR_FULL_422", "jpeg extended": "YBR_FULL"}.get(coding, "RGB")
    frames = _frames(write(tmp_path / "a.dcm", made))
    assert np.abs(frames.astype(int) - COLOURS).max() <= max(off, 8)


@pytest.mark.parametrize("coding", ["rle", "jpeg-ls", "jpeg 2000", "jpeg", "jpeg lossless"])
def test_planes_are_no_matter_of_the_header_in_compressed_frames(tmp_path: Path, coding: str) -> None:
    made = dataset(COLOURS, photometric="RGB")
    if coding == "jpeg lossless":
        made = pydicom.dcmread(through_gdcm(tmp_path, made, "JPEGLosslessProcess14_1"))
    elif coding == "jpeg":
        made = LOSSY["jpeg"][0](made)
        made.PhotometricInterpretation = "YBR_FULL_422"
    else:
        made = LOSSLESS[coding](made)
    made.PlanarConfiguration = 1
    off = np.abs(_frames(write(tmp_path / "a.dcm", made)).astype(int) - COLOURS).max()
    assert off <= (6 if coding == "jpeg" else 0)


def test_jpeg_2000_with_its_own_colour_transform(tmp_path: Path) -> None:
    for syntax, photometric, off, noise in (
        (uids.JPEG2000Lossless, "YBR_RCT", 0, None),
        (uids.JPEG2000, "YBR_ICT", 12, [50.0]),
    ):
        made = dataset(COLOURS, photometric="RGB")
        made.PhotometricInterpretation = photometric
        made.compress(syntax, COLOURS, encoding_plugin="pylibjpeg", generate_instance_uid=False, j2k_psnr=noise)
        frames = _frames(write(tmp_path / f"{photometric}.dcm", made))
        assert np.abs(frames.astype(int) - COLOURS).max() <= off


VIDEOS = {
    "MPEG2MPML": ("mpeg2video", "mpegts"),
    "MPEG2MPHL": ("mpeg2video", "mpeg"),
    "MPEG4HP41": ("libx264", "mp4"),
    "MPEG4HP42STEREO": ("libx264", "mpegts"),
    "HEVCMP51": ("libx265", "mpegts"),
}


@pytest.mark.parametrize("keyword", VIDEOS)
def test_video_comes_back_nearly(tmp_path: Path, keyword: str, capfd: pytest.CaptureFixture[str]) -> None:
    clip = np.repeat(WAVES[..., None], 3, axis=-1).repeat(4, axis=0)
    data = video(clip, *VIDEOS[keyword])
    made = encapsulated(dataset(clip, photometric="YBR_PARTIAL_420"), getattr(uids, keyword), [data])
    path = write(tmp_path / "a.dcm", made)
    capfd.readouterr()
    frames = _frames(path)
    assert frames.shape == clip.shape
    assert np.abs(frames.astype(int) - clip).mean() < 3
    assert capfd.readouterr().err == ""


def test_colours_of_luminance_and_chrominance(tmp_path: Path) -> None:
    converted = np.stack([convert_color_space(frame, "RGB", "YBR_FULL") for frame in COLOURS])
    path = write(tmp_path / "a.dcm", dataset(converted, photometric="YBR_FULL"))
    assert np.abs(_frames(path).astype(int) - COLOURS).max() <= 2
    half = sample("SC_ybr_full_422_uncompressed.dcm")
    assert np.array_equal(_frames(half)[0], pydicom.dcmread(half).pixel_array)


def test_bright_and_dark_are_changed_where_the_header_says(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", dataset(WAVES, photometric="MONOCHROME1"))
    assert np.array_equal(_frames(path), 255 - WAVES)


def test_signed_and_deep_colour(tmp_path: Path) -> None:
    signed = (WAVES.astype(np.int16) - 128).astype(np.int8)
    assert np.array_equal(_frames(write(tmp_path / "a.dcm", dataset(signed))), WAVES)
    deep = COLOURS.astype(np.uint16) << 8
    assert np.array_equal(_frames(write(tmp_path / "b.dcm", dataset(deep, photometric="RGB"))), COLOURS)


@pytest.mark.parametrize(
    "name",
    [
        "SC_rgb_small_odd.dcm",
        "SC_rgb_small_odd_big_endian.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",
        "SC_jpeg_no_color_transform.dcm",
        "SC_rgb_jpeg_app14_dcmd.dcm",
        "SC_rgb_jls_lossy_line.dcm",
        "SC_rgb_rle_16bit_2frame.dcm",
        "JPEGLSNearLossless_16.dcm",
        "J2K_pixelrep_mismatch.dcm",
        "GDCMJ2K_TextGBR.dcm",
        "693_J2KI.dcm",
        "image_dfl.dcm",
        "liver_expb_1frame.dcm",
        "examples_ybr_color.dcm",
    ],
)
@pytest.mark.filterwarnings("ignore")  # pydicom's own, of the same file
def test_files_of_many_makers_decode_as_pydicom_has_them(name: str) -> None:
    path = sample(name)
    values = np.stack(list(decoded(path)))
    assert np.array_equal(values, pydicom.dcmread(path).pixel_array.reshape(values.shape))
    assert _frames(path).shape == values.shape


def test_every_syntax_has_a_decoder_here_or_is_native() -> None:
    known = {syntax.keyword for syntax in uids.AllTransferSyntaxes}
    assert known >= NATIVE | set(DECODERS)
    for keyword in DECODERS:
        assert dicom_pixels._decodes(getattr(uids, keyword)), keyword


RAMP = (np.mgrid[:16, :24][0] * 10 + np.mgrid[:16, :24][1] * 4).astype(np.uint8)
HIGH_THROUGHPUT = {  # the ramp, coded once by OpenJPH 0.26.3; no encoder is among the extras
    "HTJ2KLossless": (
        "/0//UQApQAAAAAAYAAAAEAAAAAAAAAAAAAAAGAAAABAAAAAAAAAAAAABBwEB/1AACAACAAAAAv9SAAwAAgABAAUEBEAB/1wAEyBIUFBQUFBQ"
        "UFBQUFBQSEhI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAHcAAf+TwCXfAId0AMASgIgBB3QAwBHAEwAXcwC2tgBCNADAE0AV"
        "AKL4gAt0AFpN+wDkd1UAwBPAFYAAANinwnUALGOMseAA9gAB7LgAwCqgFpCqqvPwKenp4ngAUkRERERE/v8cnv3ye/fJ7LsA/9k="
    ),
    "HTJ2K": (
        "/0//UQApQAAAAAAYAAAAEAAAAAAAAAAAAAAAGAAAABAAAAAAAAAAAAABBwEB/1AACAACAAAAIP9SAAwAAgABAAUEBEAA/1wAIyJhqWGLYYth"
        "blmZWZlZhlHLUctR2kpCSkJKlkIgQiBB2P9kABcAAU9wZW5KUEggVmVyIDAuMjYuMy7/kAAKAAAAAACAAAH/k8AEwH/8Aod0AMAEwGz+Agd0"
        "AMAJYATA+QDHdADOnQBiNADAFRAFUPA790AI+bUAgR7QA/0Dk361AMAqoBaIJAAJ8ASXUVkWAILRQ4+OHh39QGU+Sm716jkAwE8BXADz8ClL"
        "5gAEAAD+/xFe/de/dey6AP/Z"
    ),
}


@pytest.mark.parametrize(("keyword", "off"), [("HTJ2KLossless", 0), ("HTJ2K", 2)])
def test_high_throughput_jpeg_2000(tmp_path: Path, keyword: str, off: int) -> None:
    data = base64.b64decode(HIGH_THROUGHPUT[keyword])
    path = write(tmp_path / "a.dcm", encapsulated(dataset(RAMP[None]), getattr(uids, keyword), [data]))
    assert np.abs(_frames(path)[0].astype(int) - RAMP).max() <= off


def test_frames_in_several_fragments(tmp_path: Path) -> None:
    made = dataset(WAVES)
    data = [jpeg(frame) for frame in WAVES]
    for has_table in (True, False):
        encapsulated(made, uids.JPEGBaseline8Bit, data)
        made.PixelData = encapsulate(data, fragments_per_frame=3, has_bot=has_table)
        frames = _frames(write(tmp_path / "a.dcm", made))
        assert np.abs(frames.astype(int) - WAVES).max() <= 6


@pytest.mark.parametrize("coding", ["explicit", "rle"])
def test_one_frame_at_a_time_is_in_memory(tmp_path: Path, coding: str) -> None:
    many = WAVES[:1].repeat(400, axis=0)
    path = write(tmp_path / "a.dcm", LOSSLESS[coding](dataset(many)))
    _frames(path)  # what is imported counts for nothing
    tracemalloc.start()
    count = sum(1 for _ in open_dicom(path).frames())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == len(many)
    assert peak < 0.6 * many.nbytes


# --- what is not as it should be -------------------------------------------------------------------------------------


def test_a_decoder_that_is_missing_is_named_with_its_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.dcm", LOSSLESS["jpeg 2000"](dataset(WAVES)))
    monkeypatch.setattr(dicom_pixels, "_decodes", lambda _: False)
    assert _line(path) == (
        "is compressed as JPEG 2000 Image Compression (Lossless Only); its decoder is missing; "
        "pip install 'consilium[dicom]'"
    )


def test_sizes_that_nothing_has(tmp_path: Path) -> None:
    made = dataset(WAVES[:1], Rows=65535, Columns=65535)
    made.PixelData = bytes(100)
    assert "65535x65535 pixels, at most" in _line(write(tmp_path / "a.dcm", made))
    made.Rows, made.Columns, made.NumberOfFrames = 8000, 8000, 9999
    assert "more than is read" in _line(write(tmp_path / "a.dcm", made))
    made.Rows = 0
    assert "8000x0 pixels" in _line(write(tmp_path / "a.dcm", made))


def test_a_large_size_takes_no_memory_before_it_is_believed(tmp_path: Path) -> None:
    made = dataset(WAVES[:1], Rows=8000, Columns=8000)
    path = write(tmp_path / "a.dcm", made)
    open_dicom(write(tmp_path / "b.dcm", dataset(WAVES)))  # what is imported counts for nothing
    tracemalloc.start()
    line = _line(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert line == "holds 2240 bytes of pixels where its header asks for 64000000"
    assert peak < 8 * 2**20


def test_frames_that_are_not_there(tmp_path: Path) -> None:
    native = dataset(WAVES, NumberOfFrames=4)
    assert "holds 6720 bytes of pixels where its header asks for 8960" in _line(write(tmp_path / "a.dcm", native))
    packed = LOSSLESS["rle"](dataset(WAVES))
    packed.NumberOfFrames = 4
    assert _line(write(tmp_path / "a.dcm", packed)) == "says it has 4 frames, but holds 3"
    packed.NumberOfFrames = 2
    assert "frames" in _line(write(tmp_path / "a.dcm", packed))
    moving = np.repeat(WAVES[..., None], 3, axis=-1)
    data = video(moving, "libx264", "mp4")
    made = encapsulated(dataset(moving, photometric="YBR_PARTIAL_420", NumberOfFrames=9), uids.MPEG4HP41, [data])
    assert _line(write(tmp_path / "a.dcm", made)) == "says it has 9 frames, but holds 3"
    made.NumberOfFrames = 4
    assert len(_frames(write(tmp_path / "a.dcm", made))) == 3, "a codec may hold back a frame"


def test_a_file_that_is_cut_off(tmp_path: Path) -> None:
    for coding, make in LOSSLESS.items():
        whole = as_bytes(make(dataset(WAVES)))
        for share in (0.02, 0.2, 0.6, 0.97):
            (tmp_path / "a.dcm").write_bytes(whole[: int(len(whole) * share)])
            line = _line(tmp_path / "a.dcm")
            assert line.startswith(("is ", "holds ", "has no ", "says it has ")), (coding, share, line)


def test_no_pixels(tmp_path: Path) -> None:
    made = dataset(WAVES)
    del made.PixelData
    assert _line(write(tmp_path / "a.dcm", made)) == "holds no pixels, or is cut off before them"
    assert _line(sample("test-SR.dcm")) == "holds no image but Comprehensive SR Storage"
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = uids.EncapsulatedPDFStorage
    made.EncapsulatedDocument = b"%PDF-1.7"
    assert _line(write(tmp_path / "a.dcm", made)) == "holds no image but Encapsulated PDF Storage"


def test_floating_point_pixels(tmp_path: Path) -> None:
    made = dataset(WAVES)
    del made.PixelData
    made.FloatPixelData = WAVES.astype(np.float32).tobytes()
    assert _line(write(tmp_path / "a.dcm", made)) == "has floating point pixels, which are not read"


@pytest.mark.parametrize("syntax", ["1.2.840.113619.5.2", "1.2.3.4.5", uids.JPIPHTJ2KReferenced, uids.JPEG2000MC])
def test_codings_that_are_not_read(tmp_path: Path, syntax: str) -> None:
    made = encapsulated(dataset(WAVES), UID(syntax), [b"\1\2"])
    assert "which is not read; export it anew" in _line(write(tmp_path / "a.dcm", made))


def test_a_codestream_of_another_size(tmp_path: Path) -> None:
    (smaller,) = generate_frames(LOSSLESS["jpeg 2000"](dataset(WAVES[:1, :36])).PixelData, number_of_frames=1)
    for syntax, data in ((uids.JPEGBaseline8Bit, jpeg(WAVES[0][:36])), (uids.JPEG2000Lossless, smaller)):
        made = encapsulated(dataset(WAVES[:1]), syntax, [data])
        assert _line(write(tmp_path / "a.dcm", made)) == "has a compressed frame of 56x36, its header says 56x40"
    made = encapsulated(dataset(WAVES[:1]), uids.JPEGBaseline8Bit, [jpeg(COLOURS[0])])
    assert "3 samples of 8 bits, its header says other" in _line(write(tmp_path / "a.dcm", made))
    made = encapsulated(dataset(WAVES[:1]), uids.JPEGBaseline8Bit, [b"no image at all."])
    assert _line(write(tmp_path / "a.dcm", made)) == "is damaged: a frame is not whole JPEG Baseline (Process 1)"


def test_a_codestream_that_claims_much_is_never_decoded(tmp_path: Path) -> None:
    data = bytearray(jpeg(WAVES[0]))
    place = data.index(b"\xff\xc0")
    data[place + 5 : place + 9] = b"\xff\xff\xff\xff"
    made = encapsulated(dataset(WAVES[:1]), uids.JPEGBaseline8Bit, [bytes(data)])
    assert "frame of 65535x65535, its header says 56x40" in _line(write(tmp_path / "a.dcm", made))


def test_a_frame_longer_compressed_than_it_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicom_pixels, "SLACK", 0)
    made = encapsulated(dataset(WAVES[:1]), uids.JPEGBaseline8Bit, [jpeg(WAVES[0]) + bytes(2 * WAVES[0].size)])
    assert _line(write(tmp_path / "a.dcm", made)) == "is damaged: a frame is longer compressed than it can be"


def test_jpeg_ls_without_an_end_is_not_looked_through_for_it(tmp_path: Path) -> None:
    made = LOSSLESS["jpeg-ls"](dataset(WAVES[:1]))
    (data,) = generate_frames(made.PixelData, number_of_frames=1)
    made = encapsulated(made, uids.JPEGLSLossless, [data.rstrip(b"\0")[:-2] + bytes(20)])
    assert "a frame is not whole JPEG-LS" in _line(write(tmp_path / "a.dcm", made))


def test_compressed_by_name_only(tmp_path: Path) -> None:
    made = dataset(WAVES)
    data = as_bytes(made).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0")
    (tmp_path / "a.dcm").write_bytes(data)
    assert "are said to be compressed, but lie there in one piece" in _line(tmp_path / "a.dcm")


def test_headers_that_make_no_sense(tmp_path: Path) -> None:
    cases: dict[str, dict[str, Any]] = {
        "has 1 samples a pixel of a photometric": {"PhotometricInterpretation": "RGB"},
        "has 4 samples a pixel of a photometric": {"SamplesPerPixel": 4},
        "stores 12 bits in 8 a sample": {"BitsStored": 12},
        "stores 8 bits in 24 a sample": {"BitsAllocated": 24},
        "has no Rows, or not one number": {"Rows": None},
        "is PALETTE COLOR without a whole palette": {"PhotometricInterpretation": "PALETTE COLOR"},
    }
    for expected, elements in cases.items():
        assert expected in _line(write(tmp_path / "a.dcm", dataset(WAVES, **elements)))


def test_a_playlist_is_no_video(tmp_path: Path) -> None:
    moving = np.repeat(WAVES[..., None], 3, axis=-1)
    secret = tmp_path / "other.ts"
    secret.write_bytes(video(moving, "mpeg2video", "mpegts"))
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n"
    made = dataset(moving, photometric="YBR_PARTIAL_420")
    made = encapsulated(made, uids.MPEG4HP41, [playlist.encode().ljust(200)])
    assert _line(write(tmp_path / "a.dcm", made)).startswith("is damaged: its pixels cannot be decoded as MPEG-4")


def test_a_layout_can_be_compared() -> None:
    layout = dicom_pixels.Layout(uids.ExplicitVRLittleEndian, 2, 4, 1, 3, 8, 8, False, "YBR_FULL_422", 0)
    assert layout.frame_bits == 2 * 4 * 2 * 8
    assert replace(layout, photometric="RGB").frame_bits == 2 * 4 * 3 * 8
