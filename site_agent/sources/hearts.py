"""Hearts in three dimensions: a `.npz` file a heart and moment, with pictures of named views and the volume they show.

The arrays of a file, as `shared_models.reconstruction.shape_folder` writes them: ``said`` (JSON: ``patient``,
``moment``, ``views``), ``planes`` (V, 224, 224) uint8, ``target`` the bits of E x E x E voxels, first the first, with
``edge`` E and ``spacing_mm``. Whatever else is there is not read. Pictures are frames, in the order of ``views``.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from federated.contract import Tensors
from federated.errors import DataError
from site_agent.sources.plausible import SPACINGS_MM
from site_agent.sources.source import Facts, Item, Opened, Refused, Relation, check_file
from site_agent.sources.walk import name_below, walk

SUFFIX = ".npz"
ARRAYS = ("said", "planes", "target", "edge", "spacing_mm")
MAX_BYTES = 16 * 2**20  # of a file, and of all that is read of it once it is unpacked
MAX_WORD = 200
MOMENTS = ("", "ED", "ES")
FILLED, VIEWS, VOXEL = "volume.filled", "volume.views", "volume.spacing_mm"
"""What is kept beside the pictures: (E, E, E) uint8, 1 where the heart is; (V,) places in `NINE_PLANES`; (1,) mm."""


@dataclass(frozen=True)
class Held:
    """What a file holds.

    Attributes:
        patient, moment: the hospital's own words.
        views: of the pictures, out of `NINE_PLANES`.
        planes: (V, 224, 224).
        filled: (E, E, E) whether the heart is there.
        spacing_mm: edge of a voxel.
    """

    patient: str
    moment: str
    views: tuple[str, ...]
    planes: NDArray[np.uint8]
    filled: NDArray[np.bool_]
    spacing_mm: float

    def beside(self) -> Tensors:
        """What is kept beside the pictures."""
        from shared_models.phantom.volumes import NINE_PLANES

        return {
            FILLED: self.filled.astype(np.uint8),
            VIEWS: np.array([NINE_PLANES.index(view) for view in self.views], dtype=np.int64),
            VOXEL: np.array([self.spacing_mm], dtype=np.float64),
        }


class HeartsSource:
    """A folder with such files, or one of them."""

    name = "hearts"
    about = "hearts in three dimensions, one .npz file each: pictures of named views and the volume"
    labels: tuple[tuple[str, str, Relation], ...] = ()
    needs_sector = False

    def recognises(self, root: Path) -> bool:
        """By the names of the arrays in the first such file."""
        found = [root] if root.is_file() else (each for each in walk(root) if isinstance(each, Path))
        first = next((path for path in found if path.suffix.lower() == SUFFIX), None)
        return first is not None and set(ARRAYS) <= set(_listed(first))

    def scan(self, root: Path) -> Iterator[Item | Refused]:
        """An item a file."""
        for path in [root] if root.is_file() else walk(root):
            if isinstance(path, Refused):
                yield path
            elif path.suffix.lower() == SUFFIX:
                yield Item(name=name_below(root, path), path=path)

    def open(self, item: Item) -> Opened:
        """The pictures as frames, with the volume beside them.

        Raises:
            DataError: as of `Source.open`.
        """
        held = read_heart(item.path)
        facts = Facts(
            patient=held.patient,
            clip=f"{item.name} {held.moment}",
            mode="b",
            masked=True,  # a picture of one plane; text is looked for in all of it
            words={"moment": held.moment} if held.moment else {},
        )
        return Opened(len(held.planes), True, facts, lambda: iter(held.planes), beside=held.beside)


def read_heart(path: Path) -> Held:
    """A file, checked.

    Raises:
        DataError: it is damaged, too large, or says what cannot be.
    """
    from shared_models.phantom.volumes import PLANE_PIXELS

    if check_file(path) > MAX_BYTES:
        raise DataError(f"has more than {MAX_BYTES} bytes")
    arrays = _arrays(path)
    patient, moment, views = _said(arrays["said"])
    planes = arrays["planes"]
    if planes.dtype != np.uint8 or planes.shape != (len(views), PLANE_PIXELS, PLANE_PIXELS):
        raise DataError(f"holds pictures {planes.dtype}{planes.shape}, its {len(views)} views need uint8 of 224 a side")
    return Held(patient, moment, views, planes, _filled(arrays), _spacing(arrays["spacing_mm"]))


def _listed(path: Path) -> Mapping[str, int]:
    """Names of the arrays in a file with their unpacked bytes; none where it is no such file."""
    try:
        with zipfile.ZipFile(path) as packed:
            return {each.filename.removesuffix(".npy"): each.file_size for each in packed.infolist()}
    except (OSError, zipfile.BadZipFile, ValueError):
        return {}


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Those that are read, none of which is unpacked before all their sizes are known."""
    sizes = _listed(path)
    if missing := [name for name in ARRAYS if name not in sizes]:
        raise DataError(f"is no heart: it holds no '{missing[0]}'")
    if sum(sizes[name] for name in ARRAYS) > MAX_BYTES:
        raise DataError(f"unpacks to more than {MAX_BYTES} bytes")
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as held:
            found = {name: held[name] for name in ARRAYS}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise DataError("is damaged, or holds what is no plain array") from error
    if not all(isinstance(array, np.ndarray) for array in found.values()):
        raise DataError("is damaged, or holds what is no plain array")
    return found


def _said(text: NDArray[Any]) -> tuple[str, str, tuple[str, ...]]:
    """Patient, moment and views."""
    from shared_models.phantom.volumes import NINE_PLANES
    from shared_models.reconstruction.named_views import in_order

    try:
        said = json.loads(text.tobytes())
        patient, moment, views = said["patient"], said.get("moment", ""), tuple(said["views"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError("does not say whose heart it is and which views it shows") from error
    words = (patient, moment, *views)
    if not all(isinstance(word, str) and len(word) <= MAX_WORD for word in words) or not patient.strip():
        raise DataError("does not say whose heart it is and which views it shows")
    if moment not in MOMENTS:
        raise DataError("is of a moment that is neither ED nor ES")
    if not set(views) <= set(NINE_PLANES):
        raise DataError(f"shows a view that is none of {', '.join(NINE_PLANES)}")
    try:
        in_order(views)
    except ValueError as error:
        raise DataError(f"cannot be read: {error}") from error
    return patient.strip(), moment, views


def _filled(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """(E, E, E)."""
    from shared_models.reconstruction.shape_examples import EDGES

    edge, bits = arrays["edge"], arrays["target"]
    if edge.size != 1 or edge.dtype.kind not in "iu" or int(edge.reshape(())) not in EDGES:
        raise DataError(f"has a volume that is no cube of {', '.join(map(str, EDGES))} voxels a side")
    side = int(edge.reshape(()))
    if bits.dtype != np.uint8 or bits.shape != (side**3 // 8,):
        raise DataError(f"has {bits.size} bytes of volume, a cube of {side} voxels a side has {side**3 // 8}")
    filled = np.unpackbits(bits).astype(bool).reshape(side, side, side)
    if filled.all() or not filled.any():
        raise DataError("has a volume that is empty, or full")
    return filled


def _spacing(spacing: NDArray[Any]) -> float:
    low, high = SPACINGS_MM
    if spacing.size != 1 or spacing.dtype.kind not in "iuf" or not low <= float(spacing.reshape(())) <= high:
        raise DataError(f"has voxels whose edge is not between {low:g} and {high:g} mm")
    return float(spacing.reshape(()))
