"""Volumes of hearts, written beside each other: a mesh, a picture to look at, and a line on each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError
from federated.files import write_whole
from shared_models.reconstruction.named_views import planes_of
from site_agent.asked_experts import asked
from site_agent.expert_predictions import Predictions, Written
from site_agent.hearts import HOW
from site_agent.progress import track
from site_agent.reconstruction.evaluation import HALF
from site_agent.reconstruction.reconstructor import Rebuilt, Reconstructor, reconstructor_of
from site_agent.reconstruction.shapes import FORMS, looked_through, mesh_bytes
from site_agent.sources.hearts import SUFFIX, Held, read_heart
from site_agent.sources.walk import name_below, walk
from site_agent.training_report.page import png

if TYPE_CHECKING:
    from site_agent.home import SiteHome
    from site_agent.sources.index import Columns

__all__ = ["FORMS", "predict"]


def predict(
    home: SiteHome,
    inputs: Sequence[Path],
    out: Path,
    form: str,
    columns: Columns | None = None,  # noqa: ARG001
    names: Sequence[str] = (),
) -> Written:
    """Writes what all experts that are here make of hearts, into a folder; the lines come last, when all is there.

    Args:
        home: the site's.
        inputs: files of hearts, or folders of them.
        out: the folder, which is made where missing.
        form: of the meshes.
        columns: of indexes, of which hearts have none.
        names: of the experts that are asked; where none is named all sites'.

    Raises:
        ConsiliumError: no expert is here, or none of a name, nothing can be used, or nothing can be written.
    """
    reconstructor = reconstructor_of(home)
    asked(reconstructor.experts, names)
    files = [each for path in inputs for each in _files(path)]
    if not files:
        raise DataError(f"holds no heart; they end in {SUFFIX}", where=str(inputs[0]), cure=HOW)
    found = Predictions(inputs, out, "hearts")
    for name, path in track(files, total=len(files), what="reconstructing"):
        stem = out / found.stem(name)
        line = found.usable(name, partial(_written, reconstructor, name, path, stem, form, names))
        if line is not None:
            found.said.append(line)
    return found.written()


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    """Names and files of hearts."""
    if not path.is_dir():
        yield path.name, path
        return
    for each in walk(path):
        if isinstance(each, Path) and each.suffix.lower() == SUFFIX:
            yield name_below(path, each), each


def _written(
    reconstructor: Reconstructor, name: str, path: Path, stem: Path, form: str, names: Sequence[str]
) -> dict[str, Any]:
    """The line on a heart whose mesh and picture were written, under a stem."""
    held = read_heart(path)
    views = _shown(held, reconstructor.views(names))
    rebuilt = reconstructor.volume(views, names)
    spacing = held.spacing_mm * len(held.filled) / len(rebuilt.probabilities)
    mesh = mesh_bytes(form, rebuilt.probabilities, spacing)
    stem.parent.mkdir(parents=True, exist_ok=True)
    files = {"mesh": f"{stem.name}.{form}", "picture": f"{stem.name}.png"}
    write_whole(stem.with_name(files["mesh"]), mesh)
    write_whole(stem.with_name(files["picture"]), png(looked_through(rebuilt.probabilities)))
    return {"heart": name, "views": list(views), **files, **_told(held, rebuilt, spacing)}


def _shown(held: Held, known: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """Those of a heart's pictures that an expert was built for."""
    pairs = zip(held.views, held.planes, strict=True)
    shown = {view: planes_of(plane) for view, plane in pairs if view in known}
    if not shown:
        raise DataError(f"shows none of the views {', '.join(known)}")
    return shown


def _told(held: Held, rebuilt: Rebuilt, spacing_mm: float) -> dict[str, Any]:
    from shared_models.reconstruction.volume_metrics import volume_ml

    experts = {name: {"p": rebuilt.p[name], "share": rebuilt.weights[name]} for name in rebuilt.p}
    size = len(rebuilt.probabilities)
    filled = round(volume_ml(rebuilt.probabilities >= HALF, spacing_mm), 2)
    return {"moment": held.moment, "size": size, "voxel_mm": spacing_mm, "filled_ml": filled, "experts": experts}
