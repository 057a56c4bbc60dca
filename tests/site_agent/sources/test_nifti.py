from __future__ import annotations

import builtins
import gzip
import pickle
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federated.errors import DataError
from site_agent.sources.csv_tables import read_table
from site_agent.sources.nifti import NiftiSource, open_nifti, read_volume
from site_agent.sources.source import Item

CLIP = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
SOURCE = NiftiSource()


def _bytes(frames: np.ndarray = CLIP, kind: Any = nibabel.Nifti1Image, unit: str = "mm") -> bytes:
    image = kind(frames.T, np.diag([0.3, 0.15, 1.0, 1.0]))
    image.header.set_xyzt_units(unit)
    return image.to_bytes()


def _stored(path: Path) -> np.ndarray:
    """What nibabel reads of an unscaled file, x first."""
    image: Any = nibabel.load(path)
    return np.asarray(image.dataobj.get_unscaled())


def _with(change: Callable[[Any], None], frames: np.ndarray = CLIP) -> bytes:
    """A file whose header was changed behind the library's back."""
    data = _bytes(frames)
    header = nibabel.Nifti1Header(data[:348], check=False)
    change(header.structarr)
    return header.binaryblock + data[348:]


def _file(folder: Path, data: bytes, name: str = "clip.nii") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_frames_are_those_of_the_array_with_x_first(tmp_path: Path, kind: Any, packed: bool) -> None:
    data = _bytes(kind=kind)
    opened = open_nifti(_file(tmp_path, gzip.compress(data, mtime=0) if packed else data))
    np.testing.assert_array_equal(list(opened.frames()), CLIP)
    assert (opened.count, opened.moving) == (2, True)
    assert opened.facts.spacing_mm == pytest.approx((0.15, 0.3))
    assert opened.facts.encoding["compression"] == ("gzip" if packed else "none")


@pytest.mark.parametrize("shape", [(3, 4), (1, 3, 4), (1, 1, 3, 4)])
def test_dimensions_of_one_are_no_frames(tmp_path: Path, shape: tuple[int, ...]) -> None:
    opened = open_nifti(_file(tmp_path, _bytes(CLIP[0].reshape(shape))))
    np.testing.assert_array_equal(list(opened.frames()), CLIP[:1])
    assert not opened.moving


def test_time_may_be_the_fourth_dimension(tmp_path: Path) -> None:
    np.testing.assert_array_equal(list(open_nifti(_file(tmp_path, _bytes(CLIP[:, None]))).frames()), CLIP)


@pytest.mark.parametrize("kind", ["<i2", ">i2", "<f4", ">f8", "<u4", "i1"])
def test_other_types_are_what_nibabel_says_they_are(tmp_path: Path, kind: str) -> None:
    values = (CLIP.astype(float) * 3 - 20).astype(kind)
    image = nibabel.Nifti1Image(values.T, np.eye(4), dtype=values.dtype)
    image = nibabel.Nifti1Image(values.T, np.eye(4), image.header.as_byteswapped(">" if kind[0] == ">" else "<"))
    path = _file(tmp_path, image.to_bytes())
    volume = read_volume(path)
    assert volume.element == np.dtype(kind)
    np.testing.assert_array_equal(list(volume.values()), _stored(path).T)


def test_scaled_labels_are_those_that_are_meant(tmp_path: Path) -> None:
    def scale(header: Any) -> None:
        header["scl_slope"], header["scl_inter"] = 2.0, 1.0

    labels = list(read_volume(_file(tmp_path, _with(scale))).labels())
    np.testing.assert_array_equal(labels, CLIP * 2 + 1)


def test_colours_are_read(tmp_path: Path) -> None:
    kind = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    colours = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    path = _file(tmp_path, _bytes(np.ascontiguousarray(colours).view(kind)[..., 0]))
    np.testing.assert_array_equal(list(open_nifti(path).frames()), colours)


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1), ("meter", 1000), ("micron", 0.001), ("unknown", 1)])
def test_spacing_is_in_millimetres(tmp_path: Path, unit: str, factor: float) -> None:
    spacing = read_volume(_file(tmp_path, _bytes(unit=unit))).spacing_mm
    wanted = (0.15 * factor, 0.3 * factor)
    assert spacing == (pytest.approx(wanted) if min(wanted) >= 0.001 and max(wanted) <= 10 else None)


def _set(**fields: Any) -> Callable[[Any], None]:
    def change(header: Any) -> None:
        for name, value in fields.items():
            header[name] = value

    return change


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"garbage", "is no NIfTI file"),
        (b"\x1f\x8bgarbage", "is damaged or cannot be read"),
        (gzip.compress(b"garbage", mtime=0), "is no NIfTI file"),
        (gzip.compress(_bytes(), mtime=0)[:100], "is damaged or cannot be read"),
        (_bytes()[:200], "is no NIfTI file"),
        (_bytes()[:-1], "has 23 bytes of data where its header asks for 24"),
        (_with(_set(magic=b"ni1")), "keeps its frames in a second file"),
        (_with(_set(dim=[1, 24, 1, 1, 1, 1, 1, 1])), "has neither two nor three dimensions"),
        (_with(_set(dim=[4, 2, 2, 2, 3, 1, 1, 1])), "has neither two nor three dimensions"),
        (_with(_set(dim=[3, 32767, 32767, 9, 1, 1, 1, 1])), "at most 64 million are read"),
        (_with(_set(dim=[3, 8000, 8000, 32767, 1, 1, 1, 1])), "which is more than is read"),
        (_with(_set(dim=[3, -4, 3, 2, 1, 1, 1, 1])), "says it has 2 frames of -4x3 pixels"),
        (_with(_set(dim=[0, 4, 3, 2, 1, 1, 1, 1])), "has neither two nor three dimensions"),
        (_with(_set(datatype=9999)), "is damaged: its header makes no sense"),
        (_with(_set(datatype=32)), "has values of a type that is not read"),
        (_with(_set(vox_offset=1e30)), "is damaged: its first pixel lies nowhere"),
        (_with(_set(vox_offset=-4)), "is damaged: its first pixel lies nowhere"),
        (_with(_set(vox_offset=np.nan)), "is damaged"),
        (_with(_set(scl_slope=2, scl_inter=np.nan)), "is damaged: its header makes no sense"),
        (gzip.compress(_with(_set(dim=[3, 8000, 8000, 60, 1, 1, 1, 1])), mtime=0), "compressed ones can become"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(DataError) as caught:
        read_volume(_file(tmp_path, data))
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bomb_gives_no_more_than_its_header_says(tmp_path: Path) -> None:
    bomb = _with(_set(dim=[3, 1000, 1000, 2, 1, 1, 1, 1])) + bytes(200 * 2**20)
    path = _file(tmp_path, gzip.compress(bomb, mtime=0))
    tracemalloc.start()
    frames = list(read_volume(path).frames())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(frames) == 2
    assert most < 8 * 2**20


def test_compressed_data_that_is_cut_short(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (4, 50, 50), np.uint8)
    volume = read_volume(_file(tmp_path, gzip.compress(_bytes(noise), mtime=0)[:6000]))
    with pytest.raises(DataError, match="is damaged or cannot be read at frame 2"):
        list(volume.frames())


def test_without_nibabel_a_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def lacking(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "nibabel":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", lacking)
    with pytest.raises(DataError) as caught:
        read_volume(_file(tmp_path, _bytes()))
    assert str(caught.value) == "needs nibabel to be read; pip install 'consilium[nifti]'"


def test_a_folder_lists_images_with_their_label_maps(tmp_path: Path) -> None:
    _file(tmp_path, gzip.compress(_bytes(), mtime=0), "a.nii.gz")
    _file(tmp_path, _bytes(CLIP + 1), "a_seg.nii")
    _file(tmp_path, _bytes(), "b.nii")
    assert SOURCE.recognises(tmp_path)
    assert SOURCE.recognises(tmp_path / "b.nii")
    items = [each for each in SOURCE.scan(tmp_path) if isinstance(each, Item)]
    assert [item.name for item in items] == ["a.nii.gz", "b.nii"]
    opened = SOURCE.open(pickle.loads(pickle.dumps(items[0])))
    np.testing.assert_array_equal([each.values for each in opened.annotations()], CLIP + 1)
    assert SOURCE.open(items[1]).annotations() == ()


def test_real_volumes_are_what_nibabel_reads(shared_data: Path) -> None:
    paths = sorted(
        path for name in ("msd_hippocampus", "ants_brain") for path in (shared_data / name).rglob("*.nii.gz")
    )
    assert paths
    for path in paths:
        stored = _stored(path)
        np.testing.assert_array_equal(list(read_volume(path).values()), stored.T)


def test_real_shapes_are_those_of_their_index(shared_data: Path) -> None:
    folder = shared_data / "msd_hippocampus"
    for row in read_table(folder / "index.csv", ["image", "shape", "spacing"]):
        volume = read_volume(folder / row["image"])
        assert [volume.width, volume.height, volume.count] == [int(word) for word in row["shape"].split("x")]
        assert volume.spacing_mm == tuple(float(word) for word in row["spacing"].split("x")[1::-1])
        labels = np.stack(list(read_volume(folder / row["label"]).labels()))
        assert [(labels == value).sum() for value in (1, 2)] == [
            int(row[f"{end}_voxels"]) for end in ("anterior", "posterior")
        ]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.integers(0, 347), st.integers(0, 255), max_size=6), st.booleans(), st.integers(0, 400))
def test_any_header_ends_in_frames_or_in_one_line(
    tmp_path: Path, changes: dict[int, int], packed: bool, end: int
) -> None:
    data = bytearray(_bytes())
    for place, value in changes.items():
        data[place] = value
    path = _file(tmp_path, gzip.compress(bytes(data[:end]), mtime=0) if packed else bytes(data[:end]))
    frames, reason = [], ""
    try:
        frames = list(read_volume(path).frames())
    except DataError as error:
        reason = str(error)
    assert "\n" not in reason
    assert bool(frames) != bool(reason)


def test_a_compressed_file_that_is_damaged_at_its_start_is_refused(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(bytes(1000), mtime=0))
    data[10] |= 0b110  # a block of a kind that deflate has not
    (tmp_path / "a.nii.gz").write_bytes(data)
    with pytest.raises(DataError, match="is damaged or cannot be read"):
        open_nifti(tmp_path / "a.nii.gz")
