"""Meshes and volumes as files that others read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from federated.errors import ConsiliumError
from shared_models.reconstruction.surface import TRIANGLE
from site_agent.reconstruction.heart_files import check_forms, write_heart
from tests.site_agent.reconstruction.heart_making import ball_heart


def test_the_mesh_is_in_millimetres_and_the_volume_on_its_grid(tmp_path: Path) -> None:
    heart = ball_heart(10.0)
    write_heart(tmp_path / "heart.stl", heart)
    triangles = np.frombuffer((tmp_path / "heart.stl").read_bytes()[84:], TRIANGLE)
    assert len(triangles) == len(heart.mesh.faces)
    assert np.ptp(triangles["corners"].reshape(-1, 3), axis=0) == pytest.approx((40, 40, 40), rel=0.01)
    write_heart(tmp_path / "heart.PLY", heart)
    assert (tmp_path / "heart.PLY").read_bytes().startswith(b"ply\n")
    nibabel = pytest.importorskip("nibabel")
    write_heart(tmp_path / "heart.nii.gz", heart)
    image = nibabel.load(tmp_path / "heart.nii.gz")
    np.testing.assert_array_equal(np.asanyarray(image.dataobj), heart.probabilities)
    np.testing.assert_array_equal(image.affine, np.diag([2, 2, 2, 1]))
    assert image.header.get_xyzt_units()[0] == "mm"


def test_files_that_cannot_be_are_one_line_each(tmp_path: Path) -> None:
    good = tmp_path / "heart.stl"
    for paths, told in (
        ([tmp_path / "heart.obj"], "ends in none of .stl .ply .nii.gz"),
        ([tmp_path / "heart.gz"], "ends in none of"),
        ([tmp_path / "none" / "heart.stl"], "there is no such folder"),
        ([good, good], "is to be written twice"),
    ):
        with pytest.raises(ConsiliumError, match=told):
            check_forms(paths)
    check_forms([good, tmp_path / "heart.ply"])
