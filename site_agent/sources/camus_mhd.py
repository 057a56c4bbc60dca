"""CAMUS, the release of 2019: MetaImage with oblong pixels, in two folders that number their patients apart.

Who of ``training`` validates is not said: a site divides these patients itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from federated.errors import DataError
from site_agent.sources.camus_layout import mhd_folders, patients_of
from site_agent.sources.camus_views import LABELS, Release, open_view, views_of
from site_agent.sources.metaimage_volume import read_volume
from site_agent.sources.source import Item, Opened, Refused

RELEASE = Release("sequence", (".mhd", ".mha"), read_volume)
FOLDS = {"testing": "test"}


class CamusMhdSource:
    """The folder with ``training`` and ``testing``."""

    name = "camus-mhd"
    about = "CAMUS as MetaImage: training/ and testing/, each with a folder a patient"
    labels = LABELS
    needs_sector = False

    def recognises(self, root: Path) -> bool:
        """MetaImage headers in folders of patients."""
        return bool(mhd_folders(root))

    def scan(self, root: Path) -> Iterator[Item | Refused]:
        """A clip a view of a patient; the same number in both folders is two patients.

        Raises:
            DataError: it is no such folder.
        """
        folders = mhd_folders(root)
        if not folders:
            raise DataError("holds no folders of patients with MetaImage files", where=str(root))
        for folder in folders:
            for patient in patients_of(folder):
                name = f"{folder.name}/{patient.name}"
                yield from views_of(root, patient, RELEASE, name, FOLDS.get(folder.name))

    def open(self, item: Item) -> Opened:
        """The clip, with label maps of two frames.

        Raises:
            DataError: as of `Source.open`.
        """
        return open_view(item, RELEASE)
