"""Lines on answers come last, and what could not be used is told with its reason."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from federated.errors import ConsiliumError, DataError
from site_agent.expert_predictions import LINES, Predictions


def unusable() -> str:
    raise DataError("is no heart", cure="bring one")


def test_what_can_be_used_has_a_line_and_the_rest_a_reason(tmp_path: Path) -> None:
    found = Predictions([tmp_path / "in"], tmp_path, "hearts")
    assert found.usable("a.npz", lambda: "read") == "read"
    assert found.usable("b.npz", unusable) is None
    found.said.append({"heart": "a.npz"})
    done = found.written()
    assert (done.out, done.images, done.unreadable) == (str(tmp_path), 1, (("b.npz", "is no heart"),))
    assert json.loads((tmp_path / LINES).read_text()) == {"heart": "a.npz"}


def test_where_nothing_can_be_used_nothing_is_written(tmp_path: Path) -> None:
    found = Predictions([tmp_path / "in"], tmp_path / "out", "hearts")
    found.usable("a.npz", unusable)
    found.usable("b.npz", unusable)
    with pytest.raises(DataError, match=r"in: none of the 2 hearts can be used; a\.npz is no heart"):
        found.written()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("scan.nii.gz", "0001-scan"),
        ("folder/my clip (2).avi", "0001-my-clip-2-"),
        ("../clip.dcm#17", "0001-clip-17"),
    ],
)
def test_files_are_called_by_number_and_image(tmp_path: Path, name: str, stem: str) -> None:
    found = Predictions([tmp_path], tmp_path)
    assert found.stem(name) == stem
    found.said.append({})
    assert found.stem(name) == stem.replace("0001", "0002")


def test_images_come_file_by_file_without_those_that_cannot_be_read(tmp_path: Path) -> None:
    rows, columns = np.mgrid[:120, :160]
    wedge = (np.hypot(columns - 80, rows) < 115) & (np.abs(columns - 80) < rows * 0.8 + 4)
    noise = np.random.default_rng(0).integers(60, 200, wedge.shape)
    for name in ("a.png", "c.png"):
        Image.fromarray(np.where(wedge, noise, 0).astype(np.uint8)).save(tmp_path / name)
    (tmp_path / "b.png").write_bytes(b"no image")
    found = Predictions([tmp_path], tmp_path)
    seen = [(name, [each.image.shape for each in shown]) for name, shown in found.images(None, "looking")]
    assert [name for name, _ in seen] == ["a.png", "c.png"]
    assert all(len(shapes) == 1 for _, shapes in seen)
    found.said.append({})
    ((name, reason),) = found.written().unreadable
    assert name == "b.png"
    assert reason


def test_other_errors_are_not_swallowed(tmp_path: Path) -> None:
    def broken() -> None:
        raise ConsiliumError("there is no expert of a name")

    with pytest.raises(ConsiliumError, match="no expert of a name"):
        Predictions([tmp_path], tmp_path).usable("a", broken)
