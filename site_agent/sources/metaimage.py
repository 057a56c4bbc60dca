"""MetaImage files below a folder."""

from __future__ import annotations

from pathlib import Path

from site_agent.sources.metaimage_volume import read_volume
from site_agent.sources.source import Facts, Opened
from site_agent.sources.volume_folder import Form, VolumeSource
from site_agent.sources.volumes import opened

FORM = Form("MetaImage header", (".mhd", ".mha"), read_volume, beside=(".raw", ".zraw"))


def open_metaimage(path: Path) -> Opened:
    """One file on its own.

    Raises:
        DataError: as of `Source.open`.
    """
    return opened(read_volume(path), Facts())


class MetaImageSource(VolumeSource):
    """Clips and stills, with what lies beside them."""

    name = "metaimage"
    about = "MetaImage files (.mhd with .raw or .zraw, .mha), with label maps beside them"
    form = FORM
