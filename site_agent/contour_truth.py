"""Contours of the left ventricle that experts drew, as seven points: from masks, from curves, and from chords.

Only apical views show the whole ventricle along its long axis; what was drawn in others is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError
from shared_models.long_axis import seven_points
from shared_models.mask_contour import outline
from site_agent.intake.examination import LEARNT_FROM
from site_agent.truth import LV, MYOCARDIUM, STRUCTURES, Clip, Found, Moment, clips_of, drawn_frames, masks_of

if TYPE_CHECKING:
    from site_agent.archive import Archive
    from site_agent.catalogue import Case
    from site_agent.home import SiteHome

Gray = NDArray[np.uint8]
Points = NDArray[np.float64]

APICAL = frozenset({"399232001", "399339008", "399214001", "398994001", "AP"})  # A2C, A3C, A4C, A5C, one of these
FEWEST = 7  # points of a curve that says where seven lie
ENDS = 3  # chords by whose length the apex is told from the base
NO_CURVE = "show no whole outline of the left ventricle"
OTHER_VIEW = "are of no apical view, or of one that nobody named"
HOW = "take in apical views with masks of left ventricle and myocardium, or a data set with curves of the ventricle"


@dataclass(frozen=True)
class ContouredCase:
    """An image with the left ventricle's contour.

    Attributes:
        case: as of `truth.MaskedCase`.
        image: (H, W) grey levels.
        points: (7, 2) pixels, x then y, from the left end of the base over the apex to the right end.
        spacing_mm: side of a pixel, where it is known.
        view: code of the heart's views.
        moment: end of diastole or of systole, where the frame is one.
    """

    case: Case
    image: Gray
    points: Points
    spacing_mm: float | None
    view: str
    moment: Moment


def contoured_cases(
    home: SiteHome, *, fold: str | None = None, batch: str | None = None, most: int | None = LEARNT_FROM
) -> list[ContouredCase]:
    """Images with contours in the order in which they came, of one fold or batch if asked; none where these have none.

    Args:
        home: the site's.
        fold: train, validation, calibration or test.
        batch: by name.
        most: of the label maps of a clip, as for `truth.masked_cases`.

    Raises:
        DataError: no image of the site has a contour.
        ConsiliumError: working images are missing or damaged.
    """
    found = find_contoured(home, fold=fold, batch=batch, most=most)
    everything = found if found.cases or (fold, batch) == (None, None) else find_contoured(home)
    if not everything.cases:
        reasons = "; ".join(f"{count} {why}" for why, count in sorted(everything.left_out.items()) if count)
        what = "no image has a contour of the left ventricle" + (f": of those with drawings, {reasons}" * bool(reasons))
        raise DataError(what, where=str(home.frames_path), cure=HOW)
    return found.cases


def find_contoured(
    home: SiteHome, *, fold: str | None = None, batch: str | None = None, most: int | None = LEARNT_FROM
) -> Found[ContouredCase]:
    """As `contoured_cases`, with what was left out, and nothing where there is nothing.

    Raises:
        ConsiliumError: working images are missing or damaged.
    """
    found: Found[ContouredCase] = Found()
    archive = home.archive
    for clip in clips_of(archive, fold=fold, batch=batch):
        seen: set[int] = set()
        for number, place, image, draw in _drawings(archive, clip, found.left_out, most):
            if clip.view not in APICAL:
                found.left_out[OTHER_VIEW] += 1
            elif (points := _points(draw)) is None:
                found.left_out[NO_CURVE] += 1
            elif number not in seen:
                seen.add(number)
                about = clip.spacing_mm, clip.view, clip.moment(number)
                found.cases.append(ContouredCase(clip.case(number, place), image, points, *about))
    return found


def _points(draw: Callable[[], Points]) -> Points | None:
    """Seven points of what was drawn, if it is an outline."""
    try:
        points = seven_points(draw())
    except ValueError:
        return None
    whole = np.isfinite(points).all() and (np.diff(points, axis=0) != 0).any(axis=1).all()
    return points if whole else None


def _drawings(
    archive: Archive, clip: Clip, left_out: Counter[str], most: int | None
) -> Iterator[tuple[int, int, Gray, Callable[[], Points]]]:
    """Number, place, image, and what gives the open outline, of every frame in which the ventricle is drawn."""
    for name in masks_of(archive, clip):
        values = {code: value for value, code in STRUCTURES.get(name, {}).items()}
        if {LV, MYOCARDIUM} <= values.keys():
            for number, place, image, mask in drawn_frames(archive, clip, name, left_out, most):
                yield number, place, image, _of_mask(mask, values)
    places = {int(number): place for place, number in enumerate(archive.cache.read(clip.key, "numbers"))}
    for number, array, read in _lines(archive, clip):
        if number in places:
            image = archive.cache.frames(clip.key, [places[number]])[0]
            yield number, places[number], image, _of_lines(archive.cache.read(clip.key, array), read)


def _lines(archive: Archive, clip: Clip) -> Iterator[tuple[int, str, Callable[[Points], Points]]]:
    """Frame, name of the array and how it is read, of every set of lines that outlines the ventricle."""
    for array in archive.cache.names(clip.key):
        about, _, number = array.rpartition(".")
        if about in LINES:
            yield int(number), array, LINES[about]


def _of_mask(mask: Gray, values: Mapping[str, int]) -> Callable[[], Points]:
    return lambda: outline(mask == values[LV], mask == values[MYOCARDIUM])


def _of_lines(drawn: NDArray[np.generic], read: Callable[[Points], Points]) -> Callable[[], Points]:
    return lambda: read(np.asarray(drawn, dtype=np.float64))


def of_curve(drawn: Points) -> Points:
    """(n, 2) of a curve along the border, from one end of the base to the other, from the left end on.

    Raises:
        ValueError: it has too few points.
    """
    if len(drawn) < FEWEST:
        raise ValueError(f"a curve has {len(drawn)} points")
    return drawn if drawn[0, 0] <= drawn[-1, 0] else drawn[::-1]


def of_chords(drawn: Points) -> Points:
    """(2 n + 1, 2) along the border, of (1 + n, 4) lines: the long axis, then chords across it in their order.

    The apex is the end of the axis where chords are shorter; the base lies where the last chord of the other end lies.

    Raises:
        ValueError: there are too few chords.
    """
    axis, chords = drawn[0].reshape(2, 2), drawn[1:]
    if len(chords) < FEWEST:
        raise ValueError(f"{len(chords)} chords are too few")
    middles = (chords[:, :2] + chords[:, 2:]) / 2
    chords = chords[np.argsort((middles - axis[0]) @ (axis[1] - axis[0]))]
    lengths = np.hypot(*(chords[:, 2:] - chords[:, :2]).T)
    apex = axis[0]
    if lengths[:ENDS].mean() > lengths[-ENDS:].mean():
        apex, chords = axis[1], chords[::-1]
    first, second = (np.where(_left(chords)[:, None] == left, chords[:, :2], chords[:, 2:]) for left in (True, False))
    return of_curve(np.concatenate([first[::-1], apex[None], second]))


def _left(chords: Points) -> NDArray[np.bool_]:
    """Whether the first end of each chord lies on the side where the first end of the longest one does."""
    along = chords[:, 2:] - chords[:, :2]
    longest = along[np.hypot(*along.T).argmax()]
    return np.asarray(along @ longest >= 0)


LINES: Mapping[str, Callable[[Points], Points]] = {"curve.curve-lv-endo": of_curve, "chords.lv": of_chords}
