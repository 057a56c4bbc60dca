from __future__ import annotations

from pathlib import Path

import pytest

from federated.errors import DataError
from site_agent.sources.camus import CamusSource
from site_agent.sources.camus_layout import is_camus, mhd_folders, nifti_folder, patients_of
from site_agent.sources.camus_mhd import CamusMhdSource
from site_agent.sources.metaimage import MetaImageSource
from site_agent.sources.nifti import NiftiSource
from site_agent.sources.source import Source


def _make(root: Path, name: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b".")


@pytest.mark.parametrize("folder", ["", "database_nifti/", "CAMUS_public/database_nifti/"])
def test_the_nifti_release_is_found_at_its_folders(tmp_path: Path, folder: str) -> None:
    _make(tmp_path, f"{folder}patient0002/patient0002_4CH_ED.nii.gz")
    assert nifti_folder(tmp_path) == tmp_path / folder
    assert mhd_folders(tmp_path) == []
    assert is_camus(tmp_path)
    assert not NiftiSource().recognises(tmp_path)


def test_the_metaimage_release_is_found_at_its_folders(tmp_path: Path) -> None:
    _make(tmp_path, "testing/patient0001/patient0001_4CH_ED.mhd")
    assert mhd_folders(tmp_path) == [tmp_path / "testing"]
    assert nifti_folder(tmp_path) is None
    assert not MetaImageSource().recognises(tmp_path)


def test_other_folders_are_not_taken_for_it(tmp_path: Path) -> None:
    for name in ("patient0001/scan.nii.gz", "training/patient1/patient1_4CH.mhd", "a/patient0001_4CH_ED.nii"):
        _make(tmp_path, name)
    assert not is_camus(tmp_path)
    assert not is_camus(tmp_path / "not there")
    assert [each.name for each in patients_of(tmp_path)] == ["patient0001"]
    assert NiftiSource().recognises(tmp_path)
    assert MetaImageSource().recognises(tmp_path)


@pytest.mark.parametrize("source", [CamusSource(), CamusMhdSource()])
def test_a_folder_that_is_none_of_it_is_told(tmp_path: Path, source: Source) -> None:
    with pytest.raises(DataError, match="holds no folders of patients"):
        list(source.scan(tmp_path))
