"""Palettes, rescaling and windows against the formulas of the standard and what pydicom makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, apply_voi_lut
from pydicom.sequence import Sequence

from federated.errors import DataError
from site_agent.sources.dicom_file import read_dicom
from site_agent.sources.dicom_tables import Table, grey, palette

NAMES = ("Red", "Green", "Blue")
RAMP = np.arange(256)


def _palette(
    columns: list[NDArray[Any]], descriptor: tuple[int, int, int], *, segmented: bool = False, **elements: Any
) -> Dataset:
    made = Dataset()
    made.set_original_encoding(False, True)
    for name, column in zip(NAMES, columns, strict=True):
        setattr(made, f"{name}PaletteColorLookupTableDescriptor", list(descriptor))
        prefix = "Segmented" if segmented else ""
        setattr(made, f"{prefix}{name}PaletteColorLookupTableData", column.tobytes())
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


@pytest.mark.parametrize("name", ["OBXXXX1A.dcm", "OBXXXX1A_expb.dcm", "OBXXXX1A_rle_2frame.dcm"])
def test_palettes_of_real_files(shared_data: Path, name: str) -> None:
    path = shared_data / "us_dicom" / name
    dataset = pydicom.dcmread(path)
    indices = dataset.pixel_array
    theirs = apply_color_lut(indices, dataset)
    expected = theirs >> 8 if theirs.max() > 255 else theirs
    assert np.array_equal(palette(read_dicom(path).header)(indices), expected)


def test_entries_of_eight_and_sixteen_bits() -> None:
    eight = [RAMP.astype(np.uint8), RAMP[::-1].astype(np.uint8), np.full(256, 7, np.uint8)]
    shallow = palette(_palette(eight, (256, 0, 8)))
    deep = palette(_palette([column.astype("<u2") << 8 for column in eight], (256, 0, 16)))
    promised = palette(_palette([column.astype("<u2") for column in eight], (256, 0, 16)))
    pixels = np.array([[0, 1], [254, 255]], np.uint8)
    expected = [[[0, 255, 7], [1, 254, 7]], [[254, 1, 7], [255, 0, 7]]]
    for table in (shallow, deep, promised):
        assert table(pixels).tolist() == expected


def test_values_outside_of_a_palette_take_its_ends() -> None:
    columns = [np.array([10, 20, 30, 40], np.uint8)] * 3
    table = palette(_palette(columns, (4, 100, 8)))
    assert table(np.array([[0, 100, 101], [103, 104, 65535]], np.uint16))[..., 0].tolist() == [
        [10, 10, 20],
        [40, 40, 40],
    ]


def test_a_palette_may_begin_below_zero() -> None:
    columns = [np.array([1, 2, 3, 4], np.uint8)] * 3
    table = palette(_palette(columns, (4, 65534, 8), PixelRepresentation=1))
    assert table(np.array([[-3, -2, -1, 0, 1, 9]], np.int16))[..., 0].tolist() == [[1, 1, 2, 3, 4, 4]]


def test_segments_are_expanded() -> None:
    discrete, line = [0, 3, 10, 20, 30], [1, 5, 80]  # 10 20 30, then 40 50 60 70 80
    words = np.array([*discrete, *line], "<u2")
    table = palette(_palette([words] * 3, (8, 0, 16), segmented=True))
    assert table.entries[:, 0].tolist() == [10, 20, 30, 40, 50, 60, 70, 80]
    theirs = apply_color_lut(np.arange(8, dtype=np.uint16), _palette([words] * 3, (8, 0, 16), segmented=True))
    assert theirs[..., 0].tolist() == table.entries[:, 0].tolist()


@pytest.mark.parametrize(("bits", "dtype"), [(8, np.uint8), (16, np.dtype("<u2"))])
def test_segments_are_repeated(bits: int, dtype: Any) -> None:
    size = bits // 8
    offset = 4 * size  # of the second segment, in bytes
    split = [offset & 0xFF, 0, 0, 0] if bits == 8 else [offset, 0]
    words = np.array([0, 2, 1, 2, 1, 2, 6, 2, 1, *split, 0, 1, 99], dtype)
    table = palette(_palette([words] * 3, (7, 0, bits), segmented=True))
    assert table.entries[:, 0].tolist() == [1, 2, 4, 6, 6, 6, 99]


def test_segments_without_end_are_refused() -> None:
    empty = np.array([0, 0] * 60_000, "<u2")
    many = np.concatenate([empty, np.array([2, 60_000, 0, 0] * 60_000, "<u2")])
    with pytest.raises(DataError, match="without a whole palette"):
        palette(_palette([many] * 3, (256, 0, 16), segmented=True))


@pytest.mark.parametrize(
    "words", [[1, 5, 80], [0, 2, 1, 2], [3, 1, 1], [0, 1, 5, 2, 1, 7, 0], [0, 1, 5, 1, 4], []], ids=str
)
def test_segments_that_make_no_sense(words: list[int]) -> None:
    with pytest.raises(DataError, match="without a whole palette"):
        palette(_palette([np.array(words, "<u2")] * 3, (8, 0, 16), segmented=True))


def test_a_palette_that_is_not_whole() -> None:
    whole = [RAMP.astype(np.uint8)] * 3
    shorter = [whole[0], whole[1][:100], whole[2]]
    with pytest.raises(DataError, match="without a whole palette"):
        palette(_palette(shorter, (256, 0, 8)))
    for descriptor in ((256, 0, 12), (0, 0, 8)):
        with pytest.raises(DataError, match="without a whole palette"):
            palette(_palette(whole, descriptor))
    with pytest.raises(DataError, match="without a whole palette"):
        palette(Dataset())
    missing = _palette(whole, (256, 0, 8))
    del missing.GreenPaletteColorLookupTableData
    with pytest.raises(DataError, match="without a whole palette"):
        palette(missing)


# --- grey levels -----------------------------------------------------------------------------------------------------


def _grey(bits: int, *, signed: bool = False, **elements: Any) -> NDArray[np.uint8]:
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return grey(made, bits, signed=signed).entries


def test_all_bits_are_used_where_nothing_is_said() -> None:
    assert np.array_equal(_grey(12), np.rint(np.arange(4096) / 4095 * 255))
    assert np.array_equal(_grey(8), RAMP)
    assert np.array_equal(_grey(8, PhotometricInterpretation="MONOCHROME1"), RAMP[::-1])
    assert _grey(1).tolist() == [0, 255]


def test_values_with_a_sign_begin_below_zero() -> None:
    table = grey(Dataset(), 12, signed=True)
    assert table(np.array([[-2048, 0, 2047]], np.int16)).tolist() == [[0, 128, 255]]


def test_eight_bits_are_taken_as_they_are() -> None:
    assert np.array_equal(_grey(8, WindowCenter=50, WindowWidth=10), RAMP)


def test_windows_are_those_of_the_standard() -> None:
    # PS3.3, C.11.2.1.2: from c - 0.5 - (w - 1) / 2 to c - 0.5 + (w - 1) / 2
    linear = _grey(12, WindowCenter=1000.5, WindowWidth=101)
    assert linear[950] == 0
    assert linear[1000] == 128
    assert linear[1050] == 255
    assert linear[:950].max() == 0
    exact = _grey(12, WindowCenter=1000, WindowWidth=100, VOILUTFunction="LINEAR_EXACT")
    assert (exact[950], exact[1000], exact[1050]) == (0, 128, 255)
    curve = _grey(12, WindowCenter=1000, WindowWidth=400, VOILUTFunction="SIGMOID")
    assert curve[1000] == 128
    assert curve[1100] == round(255 / (1 + np.exp(-1)))
    step = _grey(12, WindowCenter=1000.5, WindowWidth=1)
    assert (step[1000], step[1001]) == (0, 255)


def test_the_first_window_counts_after_rescaling() -> None:
    many = _grey(12, WindowCenter=[40, 600], WindowWidth=[400, 10], RescaleSlope=1, RescaleIntercept=-1024)
    made = Dataset()
    made.PhotometricInterpretation, made.WindowCenter, made.WindowWidth = "MONOCHROME2", 40, 400
    made.BitsStored, made.PixelRepresentation = 12, 1
    theirs = apply_voi_lut(np.arange(4096) - 1024, made).astype(float)
    expected = (theirs + 2048) / 4095 * 255
    assert np.abs(many - expected).max() <= 0.5


def test_a_table_of_values_of_interest() -> None:
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [4, 10, 12], [0, 1000, 2000, 4095]
    item["LUTData"].VR = "US"
    table = _grey(12, VOILUTSequence=Sequence([item]))
    assert table[[0, 10, 11, 12, 13, 4095]].tolist() == [0, 0, 62, 125, 255, 255]


@pytest.mark.parametrize("elements", [{"WindowWidth": 0}, {"WindowWidth": -5}, {"RescaleSlope": float("nan")}], ids=str)
def test_windows_that_make_no_sense(elements: dict[str, Any]) -> None:
    plain: dict[str, Any] = {"WindowCenter": 40, "WindowWidth": 400, "RescaleIntercept": 0, "RescaleSlope": 1}
    with pytest.raises(DataError, match="makes no sense"):
        _grey(12, **(plain | elements))


def test_a_table_takes_what_has_bits_beyond_it() -> None:
    table = Table(0, np.array([5, 6, 7], np.uint8))
    assert table(np.array([[0, 2, 60_000]], np.uint16)).tolist() == [[5, 7, 7]]
