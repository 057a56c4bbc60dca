"""MetaImage files below a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from site_agent.sources.metaimage_volume import read_volume
from site_agent.sources.source import Facts, Item, Opened, Refused, Relation
from site_agent.sources.volume_folder import Form, open_item, recognised, scan_folder
from site_agent.sources.volumes import opened

FORM = Form("MetaImage header", (".mhd", ".mha"), read_volume, beside=(".raw", ".zraw"))


def open_metaimage(path: Path) -> Opened:
    """One file on its own.

    Raises:
        DataError: as of `Source.open`.
    """
    return opened(read_volume(path), Facts())


class MetaImageSource:
    """Clips and stills, with what lies beside them."""

    name = "metaimage"
    about = "MetaImage files (.mhd with .raw or .zraw, .mha), with label maps beside them"
    labels: tuple[tuple[str, str, Relation], ...] = ()
    needs_sector = True

    def recognises(self, root: Path) -> bool:
        """As of `recognised`."""
        return recognised(root, FORM)

    def scan(self, root: Path) -> Iterator[Item | Refused]:
        """As of `scan_folder`."""
        return scan_folder(root, FORM)

    def open(self, item: Item) -> Opened:
        """As of `open_item`."""
        return open_item(item, FORM)
