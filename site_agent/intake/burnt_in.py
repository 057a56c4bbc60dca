"""Text and marks that a machine burnt into its images, found inside the sector by their shape.

Letters are thin strokes of one brightness, of glyph size, that stand in a line; speckle and specular echoes are thin,
or bright, or in a line, but not all of it. The image is looked at in its own size, in half and in a quarter of it, so
that letters of 6 to about 60 pixels are 5 to 20 pixels tall in one of them. Nothing is read: a box says that a person
must look.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]
Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Integers = NDArray[np.int64]

CONTRASTS = (35, 70, 110)  # grey levels above what lies around, each looked at by itself
THICKEST_STROKE = 4  # pixels
LEAST_SIDE = 48  # of what is looked at, but for strips, which may be a line of text and nothing else
LEAST_STRIP = {1: 48, 2: 144, 4: 144}  # their longer side, by scale
SCALES = (1, 2, 4)
SHORTEST, TALLEST = 5, 20  # pixels of a glyph
LEAST_INK = 2 * SHORTEST  # pixels of a line: no piece has fewer than it is tall, and no line has one piece
MOST_GLYPHS = 4000  # in one look, the brightest ones
AT_ONCE = 256  # of them held against all others, so that memory is bounded
FULLEST = 0.9  # share of its box that a glyph covers
WIDEST_SPACE = 1.4  # between neighbours in a line, in heights of a glyph
PEAKS_APART = 30  # grey levels between the brightest pixels of neighbours in a line
COLOURED = 60  # largest minus smallest channel, from which on a pixel is looked at as coloured
FEWEST_COLOURED = 20

# what a line must have; faint ones are held to more
STROKES_PER_GLYPH, THICKNESS, FILL = 0.85, 0.6, 0.3
GLYPHS, PIECES = 5, 2
FAINT_GLYPHS, FAINT_PIECES = 6, 3

# marks
TINT_APART = 0.3  # of saturation, over that of the image itself
STILL = 2.0  # deviation over time, in grey levels, under which a pixel stands still
MOVING = 4.0  # the same of what lies around, over which it moves
MARK_CONTRAST = 50
FEWEST_FRAMES = 4
SMALLEST_MARK = 4  # pixels that hang together


@dataclass(frozen=True)
class Pieces:
    """Connected strokes of glyph size, ordered from left to right.

    Attributes:
        table: (6, N) first row and column, the ones after the last, pixels, and the brightest pixel.
    """

    table: Integers

    top = property(lambda self: self.table[0])
    left = property(lambda self: self.table[1])
    bottom = property(lambda self: self.table[2])
    right = property(lambda self: self.table[3])
    area = property(lambda self: self.table[4])
    peak = property(lambda self: self.table[5])
    height = property(lambda self: self.table[2] - self.table[0])
    width = property(lambda self: self.table[3] - self.table[1])

    def __len__(self) -> int:
        return self.table.shape[1]

    def chosen(self, which: NDArray[np.intp] | slice) -> Pieces:
        """Some of them, in the order given."""
        return Pieces(self.table[:, which])


def find_text(frames: Bytes, within: Mask) -> tuple[Box, ...]:
    """Boxes (x0, y0, x1, y1, both ends inside) of what looks like burnt-in text.

    Args:
        frames: (H, W), (H, W, 3), or a clip (T, H, W) or (T, H, W, 3), of which what is there in all frames, and what
            is there in the first and in the last one, is looked at.
        within: (H, W), where to look.
    """
    return find_texts(frames, (within,))[0]


def find_texts(frames: Bytes, places: Sequence[Mask]) -> list[tuple[Box, ...]]:
    """`find_text` in several places of the same frames, whose strokes are sought once."""
    found: list[list[Box]] = [[] for _ in places]
    for plane, asked in _planes(frames, places):
        for scale in SCALES:
            small = _shrunk(plane, scale)
            masks = {number: _thinned(places[number], scale, small.shape) for number in asked}
            asked_here = [number for number, mask in masks.items() if _may_hold_ink(small, mask)]
            if asked_here and _large_enough(small.shape, scale):
                strokes = small - _opened(small, THICKEST_STROKE + 1)
                for number in asked_here:
                    found[number] += [_enlarged(box, scale) for box in _text_lines(small, strokes, masks[number])]
    return [_merged(boxes) for boxes in found]


def find_marks(frames: Bytes, within: Mask) -> Mask:
    """(H, W), pixels of graphics that are no echo: coloured ones, and in clips thin bright ones that stand still.

    Held to be none: what is grey in a still, and what stands still where the echoes around it do too.
    """
    marks = np.zeros(within.shape, dtype=bool)
    clip = _clip(frames, within)
    if clip.ndim == 4:
        marks |= _tinted(clip[-1], within)
        clip = clip.max(-1)
    if len(clip) >= FEWEST_FRAMES:
        marks |= _standing(clip)
    return marks & within


# --- what is looked at -----------------------------------------------------------------------------------------------


def _clip(frames: Bytes, within: Mask) -> Bytes:
    """(T, H, W) or (T, H, W, 3).

    Raises:
        ValueError: the frames are not of the size of `within`.
    """
    if frames.shape[:2] == within.shape and frames.shape[2:] in {(), (3,)}:
        frames = frames[None]
    if frames.ndim not in {3, 4} or frames.shape[1:3] != within.shape or frames.shape[3:] not in {(), (3,)}:
        raise ValueError(f"frames of shape {frames.shape} where an image or clip of {within.shape} was expected")
    return frames


def _planes(frames: Bytes, places: Sequence[Mask]) -> Iterator[tuple[Bytes, list[int]]]:
    """(H, W) each, with the places in which to look: brightness and, where there is any, colour.

    Over all frames, in the first and in the last one.
    """
    for place in places:
        clip = _clip(frames, place)
    moments = [clip] if len(clip) == 1 else [clip, clip[:1], clip[-1:]]
    everywhere = list(range(len(places)))
    for moment in moments:
        if moment.ndim == 3:
            yield moment.min(0), everywhere
            continue
        red, green, blue = (moment[..., channel] for channel in range(3))
        bright = np.maximum(np.maximum(red, green), blue)
        yield bright.min(0), everywhere
        colour = (bright - np.minimum(np.minimum(red, green), blue)).min(0)
        coloured = colour > COLOURED
        if some := [number for number in everywhere if int((coloured & places[number]).sum()) > FEWEST_COLOURED]:
            yield colour, some


def _large_enough(shape: tuple[int, ...], scale: int) -> bool:
    return min(shape) >= LEAST_SIDE or max(shape) >= LEAST_STRIP[scale]


def _may_hold_ink(plane: Bytes, within: Mask) -> bool:
    """Whether enough pixels are bright enough; nothing is brighter above its surroundings than it is."""
    return int(np.count_nonzero((plane > CONTRASTS[0]) & within)) >= LEAST_INK


def _shrunk(plane: Bytes, scale: int) -> Bytes:
    """Means of squares of `scale` x `scale` pixels; what does not fill one at the right and below is left out."""
    if scale == 1:
        return plane
    height, width = plane.shape[0] // scale * scale, plane.shape[1] // scale * scale
    total = np.zeros((height // scale, width // scale), dtype=np.uint16)
    for row in range(scale):
        for column in range(scale):
            total += plane[row:height:scale, column:width:scale]
    return (total // (scale * scale)).astype(np.uint8)


def _thinned(within: Mask, scale: int, shape: tuple[int, ...]) -> Mask:
    """A place as it is in the shrunk image."""
    return within[: shape[0] * scale : scale, : shape[1] * scale : scale]


# --- strokes, glyphs, lines ------------------------------------------------------------------------------------------


def _text_lines(plane: Bytes, strokes: Bytes, within: Mask) -> Iterator[Box]:
    for contrast in CONTRASTS:
        ink = (strokes > contrast) & within
        if np.count_nonzero(ink) < LEAST_INK:
            return
        pieces = _pieces(plane, ink)
        for line in _in_lines(pieces):
            box = _box_of_text(pieces.chosen(line), ink, faint=contrast == CONTRASTS[0])
            if box is not None:
                yield box


def _opened(plane: Bytes, side: int) -> Bytes:
    """Grey opening with a square: bright things thinner than its side are gone."""
    for reduced in (np.minimum, np.maximum):
        for axis in (0, 1):
            plane = _running(plane, side, axis, reduced)
    return plane


def _running(plane: Bytes, side: int, axis: int, reduced: np.ufunc) -> Bytes:
    """The least or greatest of `side` neighbours along an axis, from those of half as many."""
    half, length = side // 2, plane.shape[axis]
    lying = plane if axis == 0 else plane.T
    padded = np.empty((length + 2 * half, lying.shape[1]), dtype=np.uint8, order="C" if axis == 0 else "F")
    padded[:half], padded[half : half + length], padded[half + length :] = lying[0], lying, lying[-1]
    reach = 1
    while 2 * reach <= side:
        padded = reduced(padded[:-reach], padded[reach:])
        reach *= 2
    out = reduced(padded[:length], padded[side - reach : side - reach + length])
    return out if axis == 0 else out.T


def _pieces(plane: Bytes, ink: Mask) -> Pieces:
    from scipy import ndimage

    labels, count = ndimage.label(ink, np.ones((3, 3)))
    inked = np.flatnonzero(ink)
    rows, columns = np.divmod(inked, ink.shape[1])
    which = labels.ravel()[inked] - 1
    table = np.zeros((6, count), dtype=np.int64)
    table[:2] = max(ink.shape)
    for axis, places in enumerate((rows, columns)):
        np.minimum.at(table[axis], which, places)
        np.maximum.at(table[2 + axis], which, places + 1)
    table[4] = np.bincount(which, minlength=count)
    np.maximum.at(table[5], which, plane.ravel()[inked].astype(np.int64))
    pieces = Pieces(table)
    height, width, area = pieces.height, pieces.width, pieces.area
    glyph = (height >= SHORTEST) & (height <= TALLEST) & (area >= height) & (area <= FULLEST * height * width + 3)
    order = np.flatnonzero(glyph)
    order = order[np.argsort(-pieces.peak[order], kind="stable")[:MOST_GLYPHS]]
    return pieces.chosen(order[np.argsort(pieces.left[order], kind="stable")])


def _in_lines(pieces: Pieces) -> Iterator[NDArray[np.intp]]:
    """Pieces of one line each, `PIECES` at least: every piece is followed by the nearest one to its right that fits."""
    count = len(pieces)
    if count < PIECES or _glyphs(pieces.width, SHORTEST) < GLYPHS:
        return
    parts = [slice(start, start + AT_ONCE) for start in range(0, count, AT_ONCE)]
    follower = np.concatenate([_followers(pieces.chosen(part), pieces) for part in parts])
    taken = np.zeros(len(follower), dtype=bool)
    for start in range(len(follower)):
        line, at = [], start
        while at >= 0 and not taken[at]:
            taken[at] = True
            line.append(at)
            at = int(follower[at])
        if len(line) >= PIECES:
            yield np.array(line)


def _followers(some: Pieces, pieces: Pieces) -> Integers:
    """(n,) the piece after each of some, -1 for none: near, of like height and brightness, on one base or top line."""
    height = some.height[:, None]
    gap = pieces.left - some.right[:, None]
    taller, lower = np.maximum(height, pieces.height), np.minimum(height, pieces.height)
    allowed = np.maximum(1.0, 0.1 * taller)
    on_base = np.abs(some.bottom[:, None] - pieces.bottom) <= allowed
    on_top = np.abs(some.top[:, None] - pieces.top) <= allowed
    fits = (gap >= -1) & (gap <= WIDEST_SPACE * taller) & (pieces.left > some.left[:, None]) & (on_base | on_top)
    fits &= (np.abs(some.peak[:, None] - pieces.peak) < PEAKS_APART) & (lower >= 0.6 * taller)
    nearest = np.where(fits, gap, np.iinfo(np.int64).max).argmin(1)
    return np.where(fits.any(1), nearest, -1)


def _box_of_text(line: Pieces, ink: Mask, *, faint: bool) -> Box | None:
    """The box around a line if it is text: enough glyphs, their strokes as many and as thin as those of letters."""
    if len(line) < (FAINT_PIECES if faint else PIECES):
        return None
    tall = float(np.median(line.height))
    glyphs = _glyphs(line.width, tall)
    if glyphs < (FAINT_GLYPHS if faint else GLYPHS):
        return None
    top, bottom = int(np.median(line.top)), int(np.median(line.bottom))
    left, right = int(line.left.min()), int(line.right.max())
    part = ink[top:bottom, left:right]
    strokes = max(1, int((part[:, 1:] & ~part[:, :-1]).sum() + part[:, 0].sum()))  # crossed along all rows
    thickness = float(line.area.sum()) / strokes / tall
    fill = float(line.area.sum() / (line.width * line.height).sum())
    if strokes / (bottom - top) / glyphs < STROKES_PER_GLYPH or thickness > THICKNESS or fill < FILL:
        return None
    return left, int(line.top.min()), right - 1, int(line.bottom.max()) - 1


def _glyphs(width: Integers, tall: float) -> float:
    """How many glyphs of a height the pieces are: letters that touch are one piece."""
    return float(np.maximum(1, np.rint(width / (0.7 * tall))).sum())


def _enlarged(box: Box, scale: int) -> Box:
    x0, y0, x1, y1 = (scale * edge for edge in box)
    return x0, y0, x1 + scale - 1, y1 + scale - 1


def _merged(boxes: list[Box]) -> tuple[Box, ...]:
    """Boxes that overlap, as one; from top to bottom."""
    apart: list[Box] = []
    for box in boxes:
        joined = box
        while touching := [other for other in apart if _overlap(joined, other)]:
            apart = [other for other in apart if other not in touching]
            sides = list(zip(joined, *touching, strict=True))
            joined = min(sides[0]), min(sides[1]), max(sides[2]), max(sides[3])
        apart.append(joined)
    return tuple(sorted(apart, key=lambda box: (box[1], box[0])))


def _overlap(one: Box, other: Box) -> bool:
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]


# --- marks -----------------------------------------------------------------------------------------------------------


def _tinted(image: Bytes, within: Mask) -> Mask:
    """Pixels of a colour that the image as a whole does not have; a grey map may be tinted."""
    from scipy import ndimage

    bright = image.max(-1)
    spread = bright - image.min(-1)
    saturation = spread / np.maximum(bright, 1)
    shown = within & (bright > COLOURED)
    usual = float(np.median(saturation[shown])) if shown.any() else 0.0
    core = (spread > COLOURED) & (saturation > usual + TINT_APART)
    return np.asarray(ndimage.binary_dilation(core, np.ones((3, 3), dtype=bool))) if core.any() else core


def _standing(clip: Bytes) -> Mask:
    """Thin bright pixels that do not change from frame to frame where what lies around does."""
    from scipy import ndimage

    least = clip.min(0)
    deviation = clip.std(0, dtype=np.float32)
    thin = (least - _opened(least, THICKEST_STROKE + 1)) > MARK_CONTRAST
    still = thin & (deviation < STILL)
    if not still.any():
        return still
    around = ndimage.uniform_filter(np.where(still, 0, deviation), 15)
    share = ndimage.uniform_filter((~still).astype(np.float32), 15)
    labels, _ = ndimage.label(still & (around > MOVING * np.maximum(share, 1e-6)), np.ones((3, 3)))
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0  # what is no mark
    return np.asarray(sizes[labels] >= SMALLEST_MARK)
