"""Segmentations of images, written beside each other: a label map, a picture to look at, and a line on each of them."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError
from federated.files import write_whole
from site_agent.asked_experts import asked
from site_agent.expert_predictions import Predictions, Written
from site_agent.overlay import overlay
from site_agent.predict import Shown
from site_agent.segmentation.segmenter import Seen, segmenter_of
from site_agent.sources.index import Columns
from site_agent.tasks.segmentation import meanings_of
from site_agent.training_report.page import png

if TYPE_CHECKING:
    from site_agent.home import SiteHome


def predict(
    home: SiteHome,
    inputs: Sequence[Path],
    out: Path,
    form: str,
    columns: Columns | None = None,
    names: Sequence[str] = (),
) -> Written:
    """Writes what all experts that are here see in images, into a folder; the lines come last, when all is there.

    Args:
        home: the site's.
        inputs: indexes, folders of images, images, cine files.
        out: the folder, which is made where missing.
        form: of the label maps.
        columns: of the indexes.
        names: of the experts that are asked; where none is named all sites'.

    Raises:
        ConsiliumError: no expert is here, or none of a name, nothing can be used, or nothing can be written.
    """
    segmenter, write = segmenter_of(home), WRITERS[form]
    asked(segmenter.experts, names)
    found = Predictions(inputs, out)
    for _, shown in found.images(columns, "segmenting"):
        for each, seen in zip(shown, segmenter.look([each.image for each in shown], names), strict=True):
            stem = found.stem(each.name)
            files_of = {"mask": write(out, stem, seen.labels, each), "overlay": _overlay(out, stem, each.image, seen)}
            found.said.append({"image": each.name} | each.lies() | files_of | _told(home, each, seen))
    return found.written()


def _told(home: SiteHome, each: Shown, seen: Seen) -> dict[str, Any]:
    pixel = None if each.spacing_mm is None else each.spacing_mm[0] * each.spacing_mm[1]
    meanings = meanings_of(home)
    structures = {
        code: {
            "value": value,
            "meaning": meanings.get(code, code),
            "pixels": int(seen.mask(code).sum()),
            "area_mm2": None if pixel is None else round(float(seen.mask(code).sum()) * pixel, 2),
            "shares": dict(seen.shares.get(code, {})),
        }
        for value, code in enumerate(seen.structures, start=1)
    }
    experts = {name: {"p": seen.p[name], "weight": seen.weights[name]} for name in seen.p}
    return {"structures": structures, "experts": experts}


def _overlay(out: Path, stem: str, image: NDArray[np.uint8], seen: Seen) -> str:
    name = f"{stem}-overlay.png"
    write_whole(out / name, png(overlay(image, seen.labels, None)))
    return name


def _write_png(out: Path, stem: str, labels: NDArray[np.uint8], _: Shown) -> str:
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / f"{stem}.png", png(labels))
    return f"{stem}.png"


def _write_nifti(out: Path, stem: str, labels: NDArray[np.uint8], each: Shown) -> str:
    try:
        import nibabel
    except ImportError as error:
        raise DataError("needs nibabel to be written", where="nifti", cure="pip install 'consilium[nifti]'") from error
    tall, wide = each.spacing_mm or (1.0, 1.0)
    image = nibabel.Nifti1Image(labels.T[:, :, None], np.diag([wide, tall, 1.0, 1.0]))
    image.header.set_xyzt_units("mm" if each.spacing_mm else 0)
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / f"{stem}.nii.gz", gzip.compress(image.to_bytes(), mtime=0))
    return f"{stem}.nii.gz"


WRITERS = {"png": _write_png, "nifti": _write_nifti}
