"""Clips of every form give the same frames, and label maps lie on them."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from PIL import Image

from federated.errors import DataError
from site_agent.registration.clip_files import read_clip, read_mask
from tests.site_agent.registration.clip_making import folder_of, frames, labels


def test_frames_of_a_folder_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    clip = read_clip(folder_of(tmp_path / "clip", frames()), spacing_mm=0.5, rate_hz=25)
    assert np.array_equal(clip.frames, frames())
    assert clip.numbers == (0, 1, 2, 3)
    assert (clip.spacing_mm, clip.rate_hz, clip.end_diastole) == (0.5, 25, None)


def test_of_a_volume_the_last_axis_is_time(tmp_path: Path) -> None:
    values = frames().transpose(2, 1, 0)
    nibabel.Nifti1Image(values[:, :, None], np.diag([0.4, 0.4, 1, 1])).to_filename(tmp_path / "clip.nii.gz")
    made = SimpleITK.GetImageFromArray(frames())
    made.SetSpacing((0.4, 0.4, 1.0))
    SimpleITK.WriteImage(made, str(tmp_path / "clip.mha"))
    for name in ("clip.nii.gz", "clip.mha"):
        clip = read_clip(tmp_path / name)
        assert np.array_equal(clip.frames, frames())
        assert clip.spacing_mm == pytest.approx(0.4)


def test_label_maps_beside_a_volume_are_found(tmp_path: Path) -> None:
    drawn = np.zeros_like(frames())
    drawn[2] = labels()
    for name, values in (("clip", frames()), ("clip_gt", drawn)):
        nibabel.Nifti1Image(values.transpose(2, 1, 0), np.eye(4)).to_filename(tmp_path / f"{name}.nii.gz")
    clip = read_clip(tmp_path / "clip.nii.gz")
    assert list(clip.drawn) == [("gt", 2)]
    assert np.array_equal(clip.drawn["gt", 2], labels())


def test_a_mask_is_of_one_frame_or_of_all(tmp_path: Path) -> None:
    clip = read_clip(folder_of(tmp_path / "clip", frames()))
    Image.fromarray(labels()).save(tmp_path / "one.png")
    assert np.array_equal(read_mask(tmp_path / "one.png", clip, 3), labels())
    every = np.stack([labels() * (number == 2) for number in range(4)]).astype(np.uint8)
    nibabel.Nifti1Image(every.transpose(2, 1, 0), np.eye(4)).to_filename(tmp_path / "all.nii")
    assert np.array_equal(read_mask(tmp_path / "all.nii", clip, 2), labels())
    assert not read_mask(tmp_path / "all.nii", clip, 1).any()


def test_a_mask_is_shrunk_with_its_frames(tmp_path: Path) -> None:
    large = frames().repeat(8, axis=1).repeat(8, axis=2)
    clip = read_clip(folder_of(tmp_path / "clip", large), spacing_mm=0.1)
    assert clip.frames.shape == (4, 256, 256)
    assert clip.spacing_mm == pytest.approx(0.2)
    Image.fromarray(labels().repeat(8, axis=0).repeat(8, axis=1)).save(tmp_path / "mask.png")
    assert np.array_equal(read_mask(tmp_path / "mask.png", clip, 0), labels().repeat(4, axis=0).repeat(4, axis=1))


def test_what_is_no_clip(tmp_path: Path) -> None:
    clip = read_clip(folder_of(tmp_path / "clip", frames()))
    with pytest.raises(DataError, match="lone: has a single frame: nothing moves; name a clip"):
        read_clip(folder_of(tmp_path / "lone", frames()[:1]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: holds no frames; known are"):
        read_clip(tmp_path / "empty")
    with pytest.raises(DataError, match=r"none\.mp4: is not there"):
        read_clip(tmp_path / "none.mp4")
    Image.fromarray(frames()[0][:50]).save(tmp_path / "clip" / "frame_9.png")
    with pytest.raises(DataError, match=r"frame_9\.png: is no single frame of the size of the others; take it out"):
        read_clip(tmp_path / "clip")
    Image.fromarray(labels()[:40]).save(tmp_path / "small.png")
    with pytest.raises(DataError, match=r"small\.png: has 64x40 pixels, the frames of clip 64x64; name the label map"):
        read_mask(tmp_path / "small.png", clip, 0)
    two = np.stack([labels(), labels()]).transpose(2, 1, 0)
    nibabel.Nifti1Image(two, np.eye(4)).to_filename(tmp_path / "two.nii")
    with pytest.raises(DataError, match=r"two\.nii: has 2 label maps for 4 frames; name the label map of one frame"):
        read_mask(tmp_path / "two.nii", clip, 0)


def test_a_real_still_is_told_from_a_clip(shared_data: Path) -> None:
    still = next((shared_data / "vital_echo_mhd").glob("*_layer0.mhd"))
    with pytest.raises(DataError, match="has a single frame: nothing moves"):
        read_clip(still)
