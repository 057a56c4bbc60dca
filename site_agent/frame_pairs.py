"""Pairs of frames of one clip: any frame and end-diastole, as registration learns from them and is measured by them.

Where nobody said which frame is end-diastole, it is the first one. A pair never joins two clips, so no two patients.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from site_agent.intake.preparation import evenly
from site_agent.truth import STRUCTURES, Clip, drawn_frames, masks_of

if TYPE_CHECKING:
    from shared_models.registration.registration_training import ImagePairs
    from site_agent.archive import Archive
    from site_agent.catalogue import Case
    from site_agent.home import SiteHome

Gray = NDArray[np.uint8]
MOST = 10  # frames of a clip beside end-diastole, evenly spaced; end-systole comes with them


@dataclass(frozen=True)
class FramePair:
    """A frame that moves and end-diastole, which is fixed.

    Attributes:
        clip: of both.
        case: the frame that moves.
        places: of that frame and of end-diastole, among the working images.
    """

    clip: Clip
    case: Case
    places: tuple[int, int]


@dataclass(frozen=True)
class ShownPair:
    """A pair as it is looked at.

    Attributes:
        pair: which.
        moving, fixed: (H, W) grey levels.
        labels: (H, W) label maps of both, 0 for no structure; None where one of them has none.
    """

    pair: FramePair
    moving: Gray
    fixed: Gray
    labels: tuple[Gray, Gray] | None


def frame_pairs(home: SiteHome, clips: Sequence[Clip]) -> list[FramePair]:
    """Pairs of clips, as many as are kept of each; none of stills."""
    return [pair for clip in clips for pair in _of_clip(home.archive, clip)]


def _of_clip(archive: Archive, clip: Clip) -> Iterator[FramePair]:
    numbers = archive.cache.read(clip.key, "numbers").tolist()
    moments = [clip.moment(number) for number in numbers]
    fixed = moments.index("ED") if "ED" in moments else 0
    others = [place for place in range(len(numbers)) if place != fixed]
    chosen = {others[row] for row in evenly(len(others), MOST)} | {at for at in others if moments[at] == "ES"}
    for place in sorted(chosen):
        yield FramePair(clip, clip.case(numbers[place], place), (place, fixed))


def shown_pairs(home: SiteHome, pairs: Sequence[FramePair], *, drawn: bool = True) -> Iterator[ShownPair]:
    """Pairs with images, clip by clip; those of a clip stand in a row.

    Args:
        home: the site's.
        pairs: which.
        drawn: whether label maps come with them.

    Raises:
        ConsiliumError: working images are missing or damaged.
    """
    for _, group in groupby(pairs, key=lambda pair: pair.clip.id):
        mine = list(group)
        clip = mine[0].clip
        frames, maps = home.archive.cache.frames(clip.key), _label_maps(home.archive, clip) if drawn else {}
        for pair in mine:
            moving, fixed = pair.places
            there = moving in maps and fixed in maps
            yield ShownPair(pair, frames[moving], frames[fixed], (maps[moving], maps[fixed]) if there else None)


def _label_maps(archive: Archive, clip: Clip) -> dict[int, Gray]:
    """Place -> what was drawn there, in the values of the file, of one set of masks; 0 for what is no structure."""
    for name in masks_of(archive, clip):
        if name in STRUCTURES:
            table = _structures(name)
            return {place: table[drawn] for _, place, _, drawn in drawn_frames(archive, clip, name, Counter())}
    return {}


@cache
def _structures(name: str) -> Gray:
    """(256,) from values of a mask to themselves; 0 for what is no structure."""
    table = np.zeros(256, np.uint8)
    table[list(STRUCTURES[name])] = list(STRUCTURES[name])
    return table


def images_at(home: SiteHome, pairs: Sequence[FramePair], side: int) -> tuple[Gray, Gray]:
    """(n, side, side) moving and fixed images, stretched to the side that a network sees."""
    from shared_models.scaling import resized

    found = [
        (resized(shown.moving, side), resized(shown.fixed, side)) for shown in shown_pairs(home, pairs, drawn=False)
    ]
    moving, fixed = zip(*found, strict=True)
    return np.stack(moving), np.stack(fixed)


def learnt_pairs(home: SiteHome, pairs: Sequence[FramePair], side: int, *, drawn: bool = False) -> ImagePairs:
    """Pairs at the side that a network sees, both ways, each image held once.

    Args:
        home: the site's.
        pairs: one at least; those of a clip in a row.
        side: in pixels.
        drawn: whether label maps come with them; a pair of which one frame has none stands there without.
    """
    from shared_models.registration.registration_training import ImagePairs, both_ways

    stack = _Stack(side)
    numbers = [stack.pair(shown) for shown in shown_pairs(home, pairs, drawn=drawn)]
    greys = np.stack(stack.images).astype(np.float32) / np.float32(255)
    return ImagePairs(greys, both_ways(numbers), np.stack(stack.maps) if drawn else None)


class _Stack:
    """Images at a side with their label maps, each once; an image of pairs with and without maps is there twice."""

    def __init__(self, side: int) -> None:
        self.side, self.images, self.maps = side, list[Gray](), list[Gray]()
        self._at: dict[tuple[int, int, bool], int] = {}

    def pair(self, shown: ShownPair) -> tuple[int, int]:
        """Numbers of the moving and of the fixed image."""
        maps = shown.labels or (None, None)
        moving, fixed = shown.pair.places
        clip = shown.pair.clip.id
        return self._add((clip, moving), shown.moving, maps[0]), self._add((clip, fixed), shown.fixed, maps[1])

    def _add(self, place: tuple[int, int], image: Gray, labels: Gray | None) -> int:
        from shared_models.scaling import resized, resized_labels

        key = *place, labels is not None
        if key not in self._at:
            self._at[key] = len(self.images)
            self.images.append(resized(image, self.side))
            size = (self.side, self.side)
            self.maps.append(np.zeros(size, np.uint8) if labels is None else resized_labels(labels, size))
        return self._at[key]
