"""Where both releases of CAMUS keep what: folders of patients, and what lies in one."""

from __future__ import annotations

import re
from pathlib import Path

PATIENT = re.compile(r"patient(\d{4})")
NIFTI_FOLDERS = (Path(), Path("database_nifti"), Path("CAMUS_public", "database_nifti"))
MHD_FOLDERS = ("training", "testing")
GLANCE = 5  # patients


def patients_of(folder: Path) -> list[Path]:
    """Folders of patients by number; none where it cannot be looked into."""
    try:
        return sorted(each for each in folder.iterdir() if PATIENT.fullmatch(each.name) and each.is_dir())
    except OSError:
        return []


def nifti_folder(root: Path) -> Path | None:
    """The folder of the NIfTI release in which the patients lie, if it is there."""
    return next((root / each for each in NIFTI_FOLDERS if _has(root / each, "*.nii*")), None)


def mhd_folders(root: Path) -> list[Path]:
    """The folders of the MetaImage release in which patients lie."""
    return [root / each for each in MHD_FOLDERS if _has(root / each, "*.mhd")]


def is_camus(root: Path) -> bool:
    """Whether it is one of the releases."""
    return nifti_folder(root) is not None or bool(mhd_folders(root))


def _has(folder: Path, files: str) -> bool:
    """Whether one of the first patients has such files, named after itself."""
    some = patients_of(folder)[:GLANCE]
    return any(each.name.startswith(patient.name) for patient in some for each in patient.glob(files))
