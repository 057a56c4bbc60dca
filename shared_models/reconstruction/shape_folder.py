"""Examples of reconstruction kept in a folder, one file a heart and moment: what is there is read, the rest is made."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from shared_models.checkpoint import replace_file
from shared_models.phantom.planes import Plane
from shared_models.phantom.volumes import PLANE_PIXELS, Grid
from shared_models.reconstruction.shape_examples import MOMENTS, Example, ShapePlan, shape_example, shape_patient

PLAN = "plan.json"


def examples(
    seeds: Iterable[int], plan: ShapePlan, folder: Path | None = None, moments: Sequence[str] = tuple(MOMENTS)
) -> Iterator[Example]:
    """Every seed's heart at every moment, in that order.

    With a folder each is written there as soon as it is made, whole or not at all, and read the next time. Several
    processes may fill one folder with different seeds.

    Raises:
        ValueError: the folder holds examples of another plan, a damaged file, or cannot be written.
    """
    if folder is not None:
        _claim(folder, plan)
    for seed in seeds:
        patient = shape_patient(seed)
        for moment in moments:
            path = folder / f"{patient.key}-{moment}.npz" if folder else None
            if path is not None and path.exists():
                yield read_example(path)
                continue
            made = shape_example(patient, moment, plan)
            if path is not None:
                write_example(path, made)
            yield made


def write_example(path: Path, example: Example) -> None:
    """Greys as bytes and the target as bits, compressed; the file is replaced in one step.

    Raises:
        ValueError: it cannot be written.
    """
    said = {"patient": example.patient, "moment": example.moment, "views": example.views}
    held = io.BytesIO()
    np.savez_compressed(
        held,
        said=np.frombuffer(json.dumps(said).encode(), np.uint8),
        planes=example.greys,
        target=np.packbits(example.target),
        edge=np.int64(example.grid.edge),
        spacing_mm=np.float64(example.grid.spacing_mm),
        origin=example.grid.origin,
        cuts=np.array([(cut.origin, cut.right, cut.down) for cut in example.cuts], np.float64),
        picture_mm=example.picture_mm,
        lv_volume_ml=np.float64(example.lv_volume_ml),
    )
    replace_file(path, held.getvalue())


def read_example(path: Path) -> Example:
    """What `write_example` wrote.

    Raises:
        ValueError: the file is missing, damaged or none of these.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as held:
            said, edge, greys = json.loads(held["said"].tobytes()), int(held["edge"]), held["planes"]
            if greys.dtype != np.uint8 or greys.shape != (len(said["views"]), PLANE_PIXELS, PLANE_PIXELS):
                raise ValueError("no pictures in bytes, one a view")
            return Example(
                patient=said["patient"],
                moment=said["moment"],
                views=tuple(said["views"]),
                greys=greys,
                target=np.unpackbits(held["target"], count=edge**3).astype(bool).reshape(edge, edge, edge),
                grid=Grid(held["origin"], float(held["spacing_mm"]), edge),
                cuts=tuple(Plane(*axes) for axes in held["cuts"]),
                picture_mm=held["picture_mm"],
                lv_volume_ml=float(held["lv_volume_ml"]),
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path}: is no example that can be read; remove it, and it is made anew") from error


def _claim(folder: Path, plan: ShapePlan) -> None:
    """A folder holds examples of one plan."""
    asked = json.loads(json.dumps(asdict(plan)))
    path = folder / PLAN
    try:
        folder.mkdir(parents=True, exist_ok=True)
        kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    except OSError as error:
        raise ValueError(f"{folder}: cannot be used ({error.strerror or error})") from error
    except ValueError as error:
        raise ValueError(f"{path}: is damaged; choose another folder") from error
    if kept is None:
        replace_file(path, json.dumps(asked, indent=2).encode())
    elif kept != asked:
        wrong = ", ".join(sorted(name for name in asked if not isinstance(kept, dict) or kept.get(name) != asked[name]))
        raise ValueError(f"{folder}: holds examples of another plan ({wrong}); choose another folder")
