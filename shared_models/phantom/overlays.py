"""What machines draw over their images: trace, ticks, grey bar, logo, text and marks. The sector stays geometry."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter, zoom

from shared_models.phantom.machines import Mark
from shared_models.phantom.scanner import Scanner

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

# rows of three dots from the top, each an octal digit
# fmt: off
_FONT = {
    "0": "75557", "1": "26227", "2": "71747", "3": "71717", "4": "55711", "5": "74717", "6": "74757", "7": "71111",
    "8": "75757", "9": "75717", "A": "25755", "B": "65656", "C": "34443", "D": "65556", "E": "74647", "F": "74644",
    "G": "34553", "H": "55755", "I": "72227", "J": "11152", "K": "55655", "L": "44447", "M": "57755", "N": "65555",
    "O": "25552", "P": "65644", "Q": "25573", "R": "65655", "S": "34216", "T": "72222", "U": "55557", "V": "55552",
    "W": "55775", "X": "55255", "Y": "55222", "Z": "71247", ".": "00002", "%": "51245", "-": "00700", "/": "11244",
    ":": "02020", "+": "02720", " ": "00000",
}
# fmt: on
_KEY_PLACES = (
    (0.06, 0.07),
    (0.94, 0.07),
    (0.06, 0.93),
    (0.94, 0.93),
    (0.05, 0.5),
    (0.95, 0.5),
    (0.3, 0.05),
    (0.7, 0.05),
)
_KEY_SIZE = 0.05
_BEATS_SHOWN = 2.4


class Canvas:
    """Ink over an image: `grey` (H, W) and how much of it covers what lies below, 0 to 1."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.grey = np.zeros(size, np.float32)
        self.cover = np.zeros(size, np.float32)

    def put(self, top: int, left: int, shape: Floats, grey: Floats | float) -> None:
        """`shape` (h, w), 0 to 1, with its top left corner there; what falls outside is lost."""
        height, width = self.grey.shape
        t, b = max(top, 0), min(top + shape.shape[0], height)
        first, end = max(left, 0), min(left + shape.shape[1], width)
        if t >= b or first >= end:
            return
        part = shape[t - top : b - top, first - left : end - left]
        ink = np.broadcast_to(np.asarray(grey, np.float32), shape.shape)[t - top : b - top, first - left : end - left]
        self.grey[t:b, first:end] = np.where(part > 0, ink, self.grey[t:b, first:end])
        self.cover[t:b, first:end] = np.maximum(self.cover[t:b, first:end], part)

    def centred(self, row: float, column: float, shape: Floats, grey: Floats | float) -> None:
        """The same with its middle there."""
        self.put(round(row - shape.shape[0] / 2), round(column - shape.shape[1] / 2), shape, grey)

    def over(self, image: Bytes) -> Bytes:
        """(H, W) the image with the ink on it."""
        if not self.cover.any():
            return image.copy()
        return np.rint(image * (1 - self.cover) + self.grey * self.cover).astype(np.uint8)


def electrocardiogram(phase: ArrayLike, es_phase: float) -> Floats:
    """Voltage (R = 1) at a phase: a sum of Gaussians for P, Q, R, S and T as in McSharry et al. 2003.

    R falls on end-diastole, phase 0; T ends with systole.
    """
    waves = (
        (-0.17, 0.12, 0.025),
        (-0.028, -0.12, 0.009),
        (0, 1, 0.011),
        (0.03, -0.2, 0.011),
        (es_phase - 0.06, 0.25, 0.04),
    )
    phase = np.asarray(phase, np.float64)[..., None]
    centre, height, width = np.array(waves).T
    apart = (phase - centre + 0.5) % 1 - 0.5
    return np.asarray((height * np.exp(-0.5 * (apart / width) ** 2)).sum(-1), np.float32)


def lettering(text: str, tall: float) -> Floats:
    """(h, w) of lines of text in letters of 3 x 5 dots, `tall` pixels high; unknown letters are blank.

    Dots are whole pixels; letters under five pixels are shrunk to a blur, as text burnt into a larger image is.
    """
    lines = text.upper().split("\n")
    dots = np.zeros((7 * len(lines), 4 * max(map(len, lines))), np.float32)
    for i, line in enumerate(lines):
        for j, letter in enumerate(line):
            rows = [[int(row) >> bit & 1 for bit in (2, 1, 0)] for row in _FONT.get(letter, "00000")]
            dots[7 * i : 7 * i + 5, 4 * j : 4 * j + 3] = rows
    if tall < 5:
        return np.clip(zoom(gaussian_filter(dots, 2 / max(tall, 1)), max(tall, 1) / 5, order=1), 0, 1).astype(
            np.float32
        )
    dot = round(tall / 5)
    drawn = np.kron(dots, np.ones((dot, dot), np.float32))
    return drawn if dot == 1 else np.clip(1.4 * gaussian_filter(drawn, 0.3 * dot), 0, 1)


def symbol(kind: int, side: int) -> Floats:
    """(side, side) of one of five shapes: square, disc, triangle, cross, ring."""
    v, u = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    radius = np.hypot(u, v)
    shapes: tuple[Mask, ...] = (
        np.ones((side, side), bool),
        radius <= 1.05,
        np.abs(u) <= (v + 1) / 2 + 0.05,
        (np.abs(u) < 0.35) | (np.abs(v) < 0.35),
        (radius <= 1.05) & (radius > 0.55),
    )
    return shapes[kind % len(shapes)].astype(np.float32)


def _pixels(fraction: float, whole: int, least: int = 1) -> int:
    return max(least, round(fraction * whole))


def _row_of_depth(scanner: Scanner, depth: float) -> float:
    """The row in which a depth below the middle of the face lies."""
    return (depth - float(scanner.pixel_mm[0, 0, 1])) / scanner.spacing_mm


def _text(canvas: Canvas, mark: Mark, scanner: Scanner, bpm: float) -> None:
    words = mark.text.format(
        depth=f"{scanner.depth_mm / 10:.0f}",
        rate=f"{scanner.machine.frame_rate_hz:.0f}",
        bpm=f"{bpm:.0f}",
        frequency=f"{scanner.machine.frequency_mhz:.1f}",
    )
    height, width = scanner.size
    shape = lettering(words, mark.size * height)
    canvas.put(round(mark.place[1] * height), round(mark.place[0] * width), shape, mark.grey)


def _ticks(canvas: Canvas, mark: Mark, scanner: Scanner, bpm: float) -> None:  # noqa: ARG001
    """One each centimetre, longer each five, in a column or, at place 0, along the right edge of the sector."""
    height, width = scanner.size
    long = _pixels(mark.size, height)
    for depth in range(10 * int(np.ceil(scanner.start_mm / 10)), int(scanner.depth_mm) + 1, 10):
        length = 2 * long if depth % 50 == 0 else long
        row, column = _row_of_depth(scanner, depth), mark.place[0] * width
        if mark.place[0] == 0:
            half = np.deg2rad(scanner.machine.width_deg / 2)
            reach = scanner.machine.radius_mm + depth
            row = _row_of_depth(scanner, reach * np.cos(half) - scanner.machine.radius_mm)
            column = reach * np.sin(half) / scanner.spacing_mm + width / 2 + 2 * long
        canvas.centred(row, column, np.ones((max(1, long // 4), length), np.float32), mark.grey)


def _bar(canvas: Canvas, mark: Mark, scanner: Scanner, bpm: float) -> None:  # noqa: ARG001
    height, width = scanner.size
    rows, columns = _pixels(mark.size, height, 4), _pixels(mark.size / 9, height, 2)
    greys = np.linspace(mark.grey, 0, rows, dtype=np.float32)[:, None].repeat(columns, 1)
    canvas.centred(mark.place[1] * height, mark.place[0] * width, np.ones((rows, columns), np.float32), greys)


def _logo(canvas: Canvas, mark: Mark, scanner: Scanner, bpm: float) -> None:  # noqa: ARG001
    height, width = scanner.size
    side = _pixels(mark.size, height, 4)
    shape = np.maximum(symbol(4, side), symbol(3, side) * (symbol(1, side) > 0))
    canvas.centred(mark.place[1] * height, mark.place[0] * width, shape, mark.grey)


def _focus(canvas: Canvas, mark: Mark, scanner: Scanner, bpm: float) -> None:  # noqa: ARG001
    shape = symbol(2, _pixels(mark.size, scanner.size[0], 3)).T
    row = _row_of_depth(scanner, scanner.machine.focus_mm)
    canvas.centred(row, mark.place[0] * scanner.size[1], shape, mark.grey)


_DRAWN: dict[str, Callable[[Canvas, Mark, Scanner, float], None]] = {
    "text": _text,
    "ticks": _ticks,
    "bar": _bar,
    "logo": _logo,
    "focus": _focus,
}


def _key(canvas: Canvas, mark: Mark | None, key: int | None, size: tuple[int, int]) -> None:
    """The mark of orientation; a key moves it to one of eight places in one of five shapes."""
    if mark is None and key is None:
        return
    height, width = size
    side = _pixels(mark.size if mark else _KEY_SIZE, height, 3)
    own = mark.place if mark else _KEY_PLACES[0]
    place = own if key is None else _KEY_PLACES[key % len(_KEY_PLACES)]
    shape = symbol(1 if key is None else key, side)
    canvas.centred(place[1] * height, place[0] * width, shape, mark.grey if mark else 220)


def trace(now: float, es_phase: float, size: tuple[int, int]) -> Mask:
    """(h, w) of the ECG up to `now` (in beats), what the sweep before left to its right, and the cursor at the gap."""
    height, width = size
    sweep, cursor = divmod(now, _BEATS_SHOWN)
    column = np.arange(width) * (_BEATS_SHOWN / width)
    fine = column[:, None] + np.linspace(0, _BEATS_SHOWN / width, 9)  # the R wave is narrower than a column may be
    beat = fine + np.where(column <= cursor, sweep, sweep - 1)[:, None] * _BEATS_SHOWN
    row = (1.0 - electrocardiogram(beat, es_phase)) * 0.78 * (height - 1)
    low, high = row.min(1), row.max(1)
    thick = max(0.5, height / 50)
    rows = np.arange(height)[:, None]
    mask = (rows >= low - thick) & (rows <= high + thick)
    mask[:, (column > cursor) & (column < cursor + 0.12)] = False
    at = min(int(cursor / _BEATS_SHOWN * width), width - 1)
    mask[height // 4 :, at : at + max(1, width // 200)] = True
    return mask


def _ecg(canvas: Canvas, mark: Mark, size: tuple[int, int], now: float, es_phase: float) -> None:
    height, width = size
    box = (_pixels(0.09, height, 8), _pixels(mark.size, width, 16))
    shape = trace(now, es_phase, box).astype(np.float32)
    canvas.centred(mark.place[1] * height, mark.place[0] * width, shape, mark.grey)


def draw(
    images: Bytes,
    scanner: Scanner,
    phases: ArrayLike,
    es_phase: float = 0.35,
    *,
    heart_rate_bpm: float = 70.0,
    overlay_key: int | None = None,
) -> Bytes:
    """(T, H, W) copies of the frames with the machine's marks on them.

    Args:
        images: (T, H, W) as the scanner made them.
        scanner: which made them.
        phases: (T,) of the frames; the trace goes on from beat to beat where a phase is less than the one before.
        es_phase: of end-systole.
        heart_rate_bpm: that the text tells.
        overlay_key: puts the mark of orientation at a place and in a shape of its own for each value: tied to the view,
            this is the shortcut that a model must not learn. None leaves the mark where the machine has it.

    Raises:
        ValueError: the images are not those of the scanner, or their number is not that of the phases.
    """
    moments = np.asarray(phases, np.float64).ravel()
    if images.shape != (len(moments), *scanner.size):
        raise ValueError(f"images of shape {images.shape} where {(len(moments), *scanner.size)} was expected")
    still = Canvas(scanner.size)
    marks = scanner.machine.marks
    for mark in marks:
        if mark.kind in _DRAWN:
            _DRAWN[mark.kind](still, mark, scanner, heart_rate_bpm)
    _key(still, next((m for m in marks if m.kind == "key"), None), overlay_key, scanner.size)
    out = np.stack([still.over(image) for image in images])
    begin = np.random.default_rng([scanner.seed, 2]).integers(0, 12)
    beats = np.unwrap(moments, period=1) + begin
    for mark in marks:
        if mark.kind == "ecg":
            for index, now in enumerate(beats):
                canvas = Canvas(scanner.size)
                _ecg(canvas, mark, scanner.size, float(now), es_phase)
                out[index] = canvas.over(out[index])
    return out
