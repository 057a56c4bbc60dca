"""The forms in which hospitals keep images. A new one is its file, its test and one line in `sources`."""

from __future__ import annotations

from pathlib import Path

from federated.errors import DataError
from site_agent.sources.camus import CamusSource
from site_agent.sources.camus_mhd import CamusMhdSource
from site_agent.sources.dicom import DicomSource
from site_agent.sources.echonet_dynamic import EchoNetDynamicSource
from site_agent.sources.echonet_lvh import EchoNetLvhSource
from site_agent.sources.echonet_pediatric import EchoNetPediatricSource
from site_agent.sources.folder import FolderSource
from site_agent.sources.hearts import HeartsSource
from site_agent.sources.index import Columns, has_index
from site_agent.sources.metaimage import MetaImageSource
from site_agent.sources.muscle import MuscleSource
from site_agent.sources.nifti import NiftiSource
from site_agent.sources.source import Source
from site_agent.sources.tmed2 import Tmed2Source
from site_agent.sources.unity import UnitySource

AUTO = "auto"
OF_AN_INDEX = frozenset({MetaImageSource.name, NiftiSource.name, FolderSource.name})  # each reads one of its own files


def sources(columns: Columns | None = None) -> tuple[Source, ...]:
    """All that are known; a root is read by the first that recognises it.

    Args:
        columns: of an index, for the source that reads one.
    """
    return (
        CamusSource(),
        CamusMhdSource(),
        EchoNetDynamicSource(),
        EchoNetPediatricSource(),
        EchoNetLvhSource(),
        Tmed2Source(),
        UnitySource(),
        MuscleSource(),
        HeartsSource(),
        MetaImageSource(),
        NiftiSource(),
        DicomSource(),
        FolderSource(columns or Columns()),
    )


def source_of(root: Path, name: str = AUTO, columns: Columns | None = None) -> Source:
    """The source of a name, or the one that recognises the root; an index with our columns goes before other forms.

    Raises:
        DataError: there is no such source, nothing there, or nothing that any recognises.
    """
    known = sources(columns)
    if name != AUTO:
        for source in known:
            if source.name == name:
                return source
        names = ", ".join(source.name for source in known)
        raise DataError(f"there is no format '{name}'", where="--format", cure=f"known are {AUTO}, {names}")
    if not root.exists():
        raise DataError("is not there", where=str(root), cure="name a folder, an index.csv or a file")
    if columns is not None and columns.model_fields_set:
        return known[-1]
    indexed = has_index(root)
    for source in sorted(known, key=lambda source: not (indexed and source.name in OF_AN_INDEX)):
        if source.recognises(root):
            return source
    raise DataError("has no form that is known", where=str(root), cure="name one with --format")
