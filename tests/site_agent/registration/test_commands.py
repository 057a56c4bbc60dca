"""``consilium site register`` as a person types it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.site_agent.registration.image_making import blob, png_file

Run = Callable[..., Any]
SIZE = (32, 40)


def spots(folder: Path) -> tuple[Path, Path]:
    moving, fixed = (blob(SIZE, shift).astype(np.uint8) for shift in ((2, -3), (0, 0)))
    return png_file(folder / "moving.png", moving), png_file(folder / "fixed.png", fixed)


def test_a_pair_is_registered_without_a_home(run: Run, tmp_path: Path) -> None:
    moving, fixed = spots(tmp_path)
    result = run("register", moving, fixed, "--similarity", "mse", "--steps", 5, "--out", tmp_path / "f.nii.gz")
    assert (result.code, result.err) == (0, "")
    assert "moving.png onto fixed.png" in result.out
    assert "voxels that fold" in result.out
    assert f"wrote {tmp_path / 'f.nii.gz'}" in result.out
    assert (tmp_path / "f.nii.gz").is_file()


def test_forces_are_asked_for(run: Run, tmp_path: Path) -> None:
    moving, fixed = spots(tmp_path)
    found = run("register", moving, fixed, "--by", "forces", "--displacement", "--json").json
    assert found["method"] == "forces on a displacement"
    assert found["after"] < found["before"]


def test_figures_are_there_for_programs(run: Run, tmp_path: Path) -> None:
    moving, fixed = spots(tmp_path)
    found = run("register", moving, fixed, "--similarity", "mse", "--steps", 5, "--json", "--spacing-mm", 0.5).json
    assert found["after"] < found["before"]
    assert found["spacing_mm"] == [0.5, 0.5]
    assert found["files"] == ["field.nii.gz"]


def test_a_mistake_is_one_line(run: Run, tmp_path: Path) -> None:
    moving, fixed = spots(tmp_path)
    for arguments, told in (
        ((moving, tmp_path / "none.nii.gz"), "none.nii.gz: is not there"),
        ((moving, fixed, "--similarity", "ssd"), "the similarity 'ssd': is not known; there are"),
        ((moving, fixed, "--out", "f.txt"), "--out f.txt: has an ending that is not written"),
        ((moving, fixed, "--weights", tmp_path / "w.safetensors"), "w.safetensors: is not there"),
    ):
        result = run("register", *arguments)
        assert result.code == 1
        assert result.err.count("\n") == 1
        assert told in result.err
    assert not (tmp_path / "field.nii.gz").exists()
