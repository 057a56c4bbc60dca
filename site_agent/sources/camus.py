"""CAMUS, the release of 2023: NIfTI, one folder a patient, with lists of who trains, validates and tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from federated.errors import DataError
from site_agent.sources.camus_layout import PATIENT, nifti_folder, patients_of
from site_agent.sources.camus_views import LABELS, MAX_TEXT, Release, open_view, views_of
from site_agent.sources.nifti import read_volume
from site_agent.sources.source import Item, Opened, Refused
from site_agent.sources.splits import fold_of

RELEASE = Release("half_sequence", (".nii.gz", ".nii"), read_volume)
SPLIT = "database_split"
SUBGROUPS = ("training", "validation", "testing")
LAST = {400: "train", 450: "validation", 500: "test"}  # numbers of patients, where the lists are not there


class CamusSource:
    """The folder with ``database_nifti`` and ``database_split``, the one above it, or the one of patients."""

    name = "camus"
    about = "CAMUS as NIfTI: database_nifti/ with a folder a patient, and database_split/"
    labels = LABELS
    needs_sector = False

    def recognises(self, root: Path) -> bool:
        """NIfTI files in folders of patients."""
        return nifti_folder(root) is not None

    def scan(self, root: Path) -> Iterator[Item | Refused]:
        """A clip a view of a patient.

        Raises:
            DataError: it is no such folder.
        """
        folder = nifti_folder(root)
        if folder is None:
            raise DataError("holds no folders of patients with NIfTI files", where=str(root))
        lists = folder.parent / SPLIT
        folds: dict[str, str | None] = {}
        for subgroup in SUBGROUPS if lists.is_dir() else ():
            path = lists / f"subgroup_{subgroup}.txt"
            try:
                with path.open("rb") as file:
                    names = file.read(MAX_TEXT).decode("utf-8-sig", errors="replace").split()
            except OSError as error:
                yield Refused(f"{SPLIT}/{path.name}", path, f"cannot be read ({error.strerror})")
                continue
            folds |= {name: fold_of(subgroup) for name in names if name not in folds}
        for patient in patients_of(folder):
            fold = folds.get(patient.name) if lists.is_dir() else fold_by_number(patient.name)
            yield from views_of(root, patient, RELEASE, patient.name, fold)

    def open(self, item: Item) -> Opened:
        """The clip, with label maps of all its frames or of two.

        Raises:
            DataError: as of `Source.open`.
        """
        return open_view(item, RELEASE)


def fold_by_number(name: str) -> str | None:
    """The published fold of a patient, by the number in its name."""
    found = PATIENT.fullmatch(name)
    number = int(found[1]) if found else 0
    return next((fold for last, fold in LAST.items() if 0 < number <= last), None)
