"""What the tests of the phantom's files share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.phantom.export import export_plan
from deploy.phantom.exports.layout import ExportOrder
from deploy.phantom.workplace import fill

Exported = Callable[..., tuple[Path, ExportOrder]]


def _bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def tree() -> Callable[[Path], dict[str, bytes]]:
    """All files of a folder: name -> bytes."""
    return _bytes_of


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """An export, made once a module: its folder and its order."""
    made: dict[str, tuple[Path, ExportOrder]] = {}

    def make(
        name: str, *, patients: int = 2, frames: int = 8, size: int = 96, seed: int = 5
    ) -> tuple[Path, ExportOrder]:
        key = f"{name} {patients} {frames} {size} {seed}"
        if key not in made:
            folder = tmp_path_factory.mktemp(name)
            fill(folder, export_plan(name, patients=patients, seed=seed, frames=frames, size=size))
            made[key] = folder, ExportOrder(patients, seed, frames, size or None)
        return made[key]

    return make
