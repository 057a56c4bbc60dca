"""What is written of segmented images: label maps, pictures, and a line on each."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel.nifti1
import numpy as np
import pytest
from PIL import Image

from federated.enrolment import Kit
from federated.errors import DataError
from site_agent.expert_predictions import LINES
from site_agent.home import SiteHome
from site_agent.segmentation.prediction import predict
from site_agent.tasks.segmentation import train
from site_agent.truth import masked_cases
from tests.site_agent.segmentation_making import STRUCTURES, segmentation_home
from tests.site_agent.sources.conftest import Exported, exported

__all__ = ["exported"]

SIZE = {"patients": 8, "frames": 8, "size": 64}


@pytest.fixture
def root(exported: Exported) -> Path:
    return exported("camus", **SIZE)[0]


@pytest.fixture
def home(tmp_path: Path, kit: Kit, root: Path) -> SiteHome:
    home = segmentation_home(tmp_path / "site", kit, root)
    train(home, "b0001")
    return home


def _image(root: Path, word: str = "ED") -> Path:
    return root / "CAMUS_public" / "database_nifti" / "patient0001" / f"patient0001_4CH_{word}.nii.gz"


def _lines(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / LINES).read_text().splitlines()]


def test_a_mask_a_picture_and_a_line(home: SiteHome, root: Path, tmp_path: Path) -> None:
    done = predict(home, [_image(root)], tmp_path / "out", "png")
    assert (done.images, done.unreadable) == (1, ())
    (line,) = _lines(tmp_path / "out")
    assert line["mask"] == "0001-patient0001_4CH_ED.png"
    labels = np.asarray(Image.open(tmp_path / "out" / str(line["mask"])))
    drawn = next(each for each in masked_cases(home, tuple(STRUCTURES)) if each.image.shape == labels.shape)
    assert labels.shape == drawn.image.shape
    assert labels.max() <= len(STRUCTURES)
    assert np.asarray(Image.open(tmp_path / "out" / str(line["overlay"]))).shape == (*labels.shape, 3)
    structures = line["structures"]
    assert isinstance(structures, dict)
    assert {code: told["meaning"] for code, told in structures.items()} == STRUCTURES
    for told in structures.values():
        pixels = int((labels == told["value"]).sum())
        assert told["pixels"] == pixels
        spacing = nibabel.nifti1.load(_image(root)).header.get_zooms()[0]
        assert told["area_mm2"] == pytest.approx(pixels * spacing**2, rel=1e-2, abs=1e-2)


def test_a_nifti_says_how_large_its_pixels_are_and_agrees_with_the_png(
    home: SiteHome, root: Path, tmp_path: Path
) -> None:
    for form in ("png", "nifti"):
        predict(home, [_image(root)], tmp_path / form, form)
    (line,), (other,) = _lines(tmp_path / "nifti"), _lines(tmp_path / "png")
    written = nibabel.nifti1.load(tmp_path / "nifti" / str(line["mask"]))
    labels = np.asarray(written.dataobj)[:, :, 0].T
    assert np.array_equal(labels, np.asarray(Image.open(tmp_path / "png" / str(other["mask"]))))
    source = nibabel.nifti1.load(_image(root))
    assert written.header.get_zooms()[:2] == pytest.approx(source.header.get_zooms()[:2], rel=1e-3)


def test_of_a_clip_some_frames_are_segmented(home: SiteHome, root: Path, tmp_path: Path) -> None:
    done = predict(home, [_image(root, "half_sequence")], tmp_path / "out", "png")
    assert done.images == len(_lines(tmp_path / "out")) > 1
    assert len(list((tmp_path / "out").glob("*-overlay.png"))) == done.images


def test_what_cannot_be_read_is_left_out_and_told_and_nothing_is_written_of_nothing(
    home: SiteHome, root: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    done = predict(home, [broken, _image(root)], tmp_path / "out", "png")
    assert done.images == 1
    assert [name for name, _ in done.unreadable] == [str(broken)]
    with pytest.raises(DataError, match="none of the 1 images can be used"):
        predict(home, [broken], tmp_path / "none", "png")
    assert not (tmp_path / "none").exists()
