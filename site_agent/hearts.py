"""Hearts in three dimensions that a site has taken in, as examples: pictures of named views with the volume they show.

A heart counts with a row for each of its views, whose label is the view's code among the heart's views; so the patients
behind every view are held to a site's limits.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from federated.errors import ConsiliumError, DataError
from shared_models.reconstruction.named_views import planes_of
from site_agent.catalogue import Case
from site_agent.heart_planes import CODES
from site_agent.sources.hearts import FILLED, VIEWS, VOXEL
from site_agent.truth import clips_of

if TYPE_CHECKING:
    from site_agent.archive import Archive
    from site_agent.home import SiteHome
    from site_agent.truth import Clip

HOW = "take in a folder of hearts, one .npz file each (docs/formats.md)"


@dataclass(frozen=True)
class Heart:
    """One heart at one moment.

    Attributes:
        cases: of all pictures, in the order of the views, each labelled with the code of its view.
        views: names out of the nine planes.
        greys: (V, 224, 224), the pictures.
        target: (E, E, E) whether the heart is there.
        spacing_mm: edge of a voxel.
    """

    cases: tuple[Case, ...]
    views: tuple[str, ...]
    greys: NDArray[np.uint8]
    target: NDArray[np.bool_]
    spacing_mm: float

    @property
    def case(self) -> Case:
        """Of the first picture, by which patients and folds are told."""
        return self.cases[0]

    @property
    def planes(self) -> NDArray[np.float32]:
        """(V, 224, 224) grey in [0, 1], as networks see it."""
        return planes_of(self.greys)

    def only(self, views: Collection[str]) -> Heart | None:
        """With some views alone; None if it shows none of them."""
        kept = [row for row, view in enumerate(self.views) if view in views]
        if not kept:
            return None
        cases, names = tuple(self.cases[row] for row in kept), tuple(self.views[row] for row in kept)
        return replace(self, cases=cases, views=names, greys=self.greys[kept])

    def at(self, size: int) -> Heart:
        """With so many voxels a side, one of them filled where at least half of what it stands for is.

        Raises:
            DataError: the volume has fewer.
        """
        edge = len(self.target)
        if edge == size:
            return self
        if edge < size:
            raise DataError(
                f"a volume has {edge} voxels a side, the network makes {size}",
                where="hearts",
                cure="set a smaller size, or take in finer volumes",
            )
        step = edge // size
        blocks = self.target.reshape(size, step, size, step, size, step).mean(axis=(1, 3, 5))
        return replace(self, target=blocks >= 0.5, spacing_mm=self.spacing_mm * step)


def hearts_of(home: SiteHome, *, fold: str | None = None, batch: str | None = None) -> list[Heart]:
    """Hearts of closed batches in the order in which they came, of one fold or batch if asked.

    Raises:
        ConsiliumError: working images are missing or damaged.
    """
    archive = home.archive
    clips = clips_of(archive, fold=fold, batch=batch)
    return [_heart(archive, clip) for clip in clips if FILLED in archive.cache.names(clip.key)]


def shown(hearts: Sequence[Heart], views: Collection[str], size: int) -> list[Heart]:
    """What a network of some views and a size is shown of hearts; those without any of the views are left out.

    Raises:
        DataError: a volume is coarser than the network's.
    """
    seen = (heart.only(views) for heart in hearts)
    return [heart.at(size) for heart in seen if heart is not None]


def _heart(archive: Archive, clip: Clip) -> Heart:
    from shared_models.phantom.volumes import NINE_PLANES, PLANE_PIXELS

    cache = archive.cache
    places, filled, spacing = (cache.read(clip.key, name) for name in (VIEWS, FILLED, VOXEL))
    frames, numbers = cache.frames(clip.key), cache.read(clip.key, "numbers").tolist()
    fits = frames.shape == (len(places), PLANE_PIXELS, PLANE_PIXELS) and len(numbers) == len(places)
    cube = filled.ndim == 3 and len(set(filled.shape)) == 1
    if not fits or not cube or not all(0 <= place < len(NINE_PLANES) for place in places.tolist()):
        where = str(cache.path(clip.key))
        raise ConsiliumError("a heart does not fit together", where=where, cure="consilium site ingest FOLDER")
    views = tuple(NINE_PLANES[place] for place in places.tolist())
    cases = [clip.case(number, place) for place, number in enumerate(numbers)]
    return Heart(
        cases=tuple(replace(case, label=CODES[view]) for case, view in zip(cases, views, strict=True)),
        views=views,
        greys=frames,
        target=filled.astype(bool),
        spacing_mm=float(spacing[0]),
    )
