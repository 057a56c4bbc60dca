"""How often burnt-in text is found where it was planted, how often where there is none, and in what time.

Frames are the phantom's, of patients by whom no threshold was chosen; names, dates and numbers are drawn into the
sector. Real images are those beside the checkout; a person has looked at every one that was flagged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from benchmarks.claims import Claim, Measured, Row, at_least, at_most, told
from benchmarks.phantom_transfer_report import interval
from benchmarks.real_data import BREAST, GALLERY, LUNG
from shared_models.phantom.machines import MACHINES, Machine, without_marks
from shared_models.phantom.overlays import lettering
from shared_models.phantom.patients import draw_patient
from shared_models.phantom.study import Acquisition
from shared_models.phantom.views import VIEWS
from shared_models.sector import find_sector
from site_agent.intake.burnt_in import Box, find_marks, find_text

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]

FIRST_SEED = 20_000
CLIP_FRAMES = 8
WORDS = (
    "OKONKWO ADAEZE",
    "Lindqvist, Per",
    "23.04.1961",
    "MRN 4711-0815",
    "ID:00481516",
    "St. Eligius Hosp",
    "2024-02-29 14:22",
    "Smith John",
    "DOB 04/23/61",
)
HEIGHTS = (6, 8, 11, 15, 20, 28, 40)
COLOURS = {"white": (255, 255, 255), "yellow": (255, 255, 0), "green": (0, 255, 0), "grey": (170, 170, 170)}
STYLES = ("plain", "on black", "outlined", "as JPEG", "letters of dots")
TALLEST = 0.12  # share of the image's height
GROUNDS = {"dark": (0, 30), "middling": (30, 80), "bright": (80, 256)}
SIDES = (112, 256, 512)
REPEATS = 40
BRIGHT = 100
# of the flagged images of the breast set, those in which letters can be read by eye
READ_BY_EYE = frozenset(
    {
        "2_benign_0817_s.png",
        "malignant_0364_r.png",
        "benign_0052.png",
        "benign_0134.png",
        "benign_0229.png",
        "benign (2).png",
    }
)
NO_B_MODE = ("doppler", "mmode")


@dataclass(frozen=True)
class Planted:
    """One text in one frame, and whether it was found."""

    height: int
    colour: str
    style: str
    ground: str
    found: bool


def measure(*, quick: bool) -> Measured:
    """Recall, false alarms and times."""
    shots = list(_shots(1 if quick else 26))
    generator = np.random.default_rng(FIRST_SEED)
    planted = [one for image, sector in shots[:: 3 if quick else 2] for one in _plant_all(image, sector, generator)]
    clips = list(_clips(4 if quick else 40, generator))
    false = sum(bool(find_text(image, sector)) for image, sector in shots)
    rows = (
        *_recall_rows(planted),
        *_clip_rows(clips),
        _share_row("False alarms", "phantom frames without text", false, len(shots)),
        *_real_rows(),
        *_mark_rows(),
        *_time_rows(*shots[0]),
    )
    return Measured(rows=rows, claims=_claims(planted, false / len(shots), rows), notes=(PLANTED, CHOSEN_ON))


PLANTED = (
    "Text was planted once a frame, height and colour, in a style and with words by chance, where 98 % of it lay in "
    "the sector; it counts as found where a box overlaps it. Dark, middling and bright are the mean grey level of what "
    "lay beneath: under 30, 30 to 80, over 80. Intervals are Wilson's, as if texts in one frame were independent."
)
CHOSEN_ON = (
    "Thresholds were chosen on phantom frames of other patients and on the real images themselves: for these, false "
    "alarms are those of the images that guided the choice. Flagged images of the breast set were looked at by eye; "
    "how many others of them show letters that were missed was not counted."
)


def _shots(each: int) -> Iterator[tuple[Bytes, Mask]]:
    """A frame and its sector, `each` of every machine, over all views, without and with contrast."""
    views = list(VIEWS)
    for place, machine in enumerate(MACHINES):
        for number in range(each):
            patient = draw_patient(FIRST_SEED + 100 * place + number)
            held = Acquisition(patient, views[number % len(views)], machine, contrast=number >= len(views))
            for frame in held.frames([number / each]):
                yield frame.image, held.scanner.sector


def _plant_all(image: Bytes, sector: Mask, generator: np.random.Generator) -> Iterator[Planted]:
    for height in HEIGHTS:
        for colour, ink in COLOURS.items():
            style, words = STYLES[generator.integers(len(STYLES))], WORDS[generator.integers(len(WORDS))]
            box = _place(_stamp(words, height), sector, generator) if height <= TALLEST * len(image) else None
            if box is None:
                continue
            drawn = plant(image, words, box, height, ink, style)
            ground = _ground(image[box[1] : box[3] + 1, box[0] : box[2] + 1])
            yield Planted(height, colour, style, ground, _is_found(box, find_text(drawn, sector)))


def _ground(beneath: Bytes) -> str:
    grey = float(beneath.mean())
    return next(name for name, (low, high) in GROUNDS.items() if low <= grey < high)


def _is_found(box: Box, found: tuple[Box, ...]) -> bool:
    return any(x0 <= box[2] and box[0] <= x1 and y0 <= box[3] and box[1] <= y1 for x0, y0, x1, y1 in found)


# --- drawing ---------------------------------------------------------------------------------------------------------


def _stamp(words: str, height: int) -> tuple[int, int]:
    """Height and width of the words, capitals of `height` pixels."""
    from PIL import ImageFont

    left, top, right, bottom = ImageFont.load_default(size=_size(height)).getbbox(words)
    return int(bottom - top), int(right - left)


def _size(height: int) -> int:
    return max(8, round(height / 0.72))  # of the font, whose capitals are 0.72 of it


def _place(stamp: tuple[int, int], sector: Mask, generator: np.random.Generator) -> Box | None:
    """A box in the sector, by chance; None where none was met with."""
    tall, wide = stamp
    room = sector.shape[0] - tall - 2, sector.shape[1] - wide - 2
    if min(room) < 1:
        return None
    for _ in range(60):
        y, x = 1 + int(generator.integers(room[0])), 1 + int(generator.integers(room[1]))
        if sector[y : y + tall, x : x + wide].mean() > 0.98:
            return x, y, x + wide - 1, y + tall - 1
    return None


def plant(image: Bytes, words: str, box: Box, height: int, colour: tuple[int, int, int], style: str) -> Bytes:
    """(H, W, 3), the image with the words in the box."""
    from PIL import Image, ImageDraw, ImageFont

    if style == "letters of dots":
        return _dotted(image, words, box, height, colour)
    font = ImageFont.load_default(size=_size(height))
    picture = Image.fromarray(image).convert("RGB")
    pen = ImageDraw.Draw(picture)
    left, top, _, _ = font.getbbox(words)
    at = box[0] - left, box[1] - top
    if style == "on black":
        pen.rectangle((box[0] - 2, box[1] - 2, box[2] + 2, box[3] + 2), fill=(0, 0, 0))
    edge = max(1, _size(height) // 16) if style == "outlined" else 0
    pen.text(at, words, font=font, fill=colour, stroke_width=edge, stroke_fill=(0, 0, 0))
    if style == "as JPEG":
        file = BytesIO()
        picture.save(file, "JPEG", quality=80)
        picture = Image.open(file)
    return np.asarray(picture)


def _dotted(image: Bytes, words: str, box: Box, height: int, colour: tuple[int, int, int]) -> Bytes:
    shape = lettering(words, height)
    out = np.repeat(image[..., None], 3, axis=-1)
    part = out[box[1] : box[1] + shape.shape[0], box[0] : box[0] + shape.shape[1]]
    cover = shape[: part.shape[0], : part.shape[1], None]
    part[:] = np.rint(part * (1 - cover) + cover * np.array(colour)).astype(np.uint8)
    return out


# --- rows ------------------------------------------------------------------------------------------------------------


def _share_row(table: str, what: str, right: int, of: int) -> Row:
    low, high = interval(right, of)
    share = {"images" if "alarm" in table else "texts": of, "found": right, "%": round(100 * right / of, 1)}
    return {"table": table, "of": what, **share, "95 % (Wilson)": f"{100 * low:.1f} to {100 * high:.1f}"}


def _recall_rows(planted: list[Planted]) -> Iterator[Row]:
    groups: dict[str, Callable[[Planted], str]] = {
        "height of capitals, pixels": lambda one: str(one.height),
        "colour": lambda one: one.colour,
        "style": lambda one: one.style,
        "what lies beneath": lambda one: one.ground,
    }
    order = [*map(str, HEIGHTS), *COLOURS, *STYLES, *GROUNDS]
    for title, group in groups.items():
        for name in sorted({group(one) for one in planted}, key=order.index):
            some = [one.found for one in planted if group(one) == name]
            yield _share_row("Planted text found", f"{title}: {name}", sum(some), len(some))
    yield _share_row("Planted text found", "all", sum(one.found for one in planted), len(planted))


def _clips(count: int, generator: np.random.Generator) -> Iterator[tuple[bool, bool, bool]]:
    """Whether grey text of 11 pixels is found in the first frame, in the clip, and a false alarm in the clip alone."""
    machines = [name for name, machine in MACHINES.items() if machine.image_size[0] >= 400]
    for number in range(count):
        patient = draw_patient(FIRST_SEED + 5000 + number)
        held = Acquisition(patient, list(VIEWS)[number % len(VIEWS)], machines[number % len(machines)])
        images = [frame.image for frame in held.frames(np.arange(CLIP_FRAMES) / CLIP_FRAMES)]
        sector, words = held.scanner.sector, WORDS[generator.integers(len(WORDS))]
        box = _place(_stamp(words, 11), sector, generator)
        if box is None:
            continue
        drawn = np.stack([plant(image, words, box, 11, COLOURS["grey"], "plain") for image in images])
        still, moving = (_is_found(box, find_text(some, sector)) for some in (drawn[0], drawn))
        yield still, moving, bool(find_text(np.stack(images), sector))


def _clip_rows(clips: list[tuple[bool, bool, bool]]) -> Iterator[Row]:
    names = (
        "first frame alone",
        f"clip of {CLIP_FRAMES} frames",
        f"the same clips without text ({CLIP_FRAMES} frames)",
    )
    for place, name in enumerate(names):
        table = "Grey text, 11 pixels, in clips" if place < 2 else "False alarms"
        yield _share_row(table, name, sum(clip[place] for clip in clips), len(clips))


def _real_rows() -> Iterator[Row]:
    inside = outside = with_sector = 0
    for path in _pictures(GALLERY):
        image = _read(path)
        sector = None if any(word in path.name for word in NO_B_MODE) else find_sector(image)
        if sector is not None:
            with_sector += 1
            inside += bool(find_text(image, sector.mask()))
            outside += bool(find_text(image, ~sector.mask()))
    yield _share_row("False alarms", "gallery, B-mode, inside the sector that is found", inside, with_sector)
    for name, folder in (("lung", LUNG / "frames"), ("breast", BREAST)):
        flagged = [path.name for path in _pictures(folder) if _flagged(path)]
        false = [each for each in flagged if each not in READ_BY_EYE]
        yield _share_row("False alarms", f"{name}, whole images, no letters by eye", len(false), len(_pictures(folder)))
    yield _share_row("Real text found", "gallery, B-mode: images with text outside the sector", outside, with_sector)


def _flagged(path: Path) -> bool:
    image = _read(path)
    return bool(find_text(image, np.ones(image.shape[:2], dtype=bool)))


def _pictures(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*.png")) if "mask" not in str(path.relative_to(folder))]


def _read(path: Path) -> Bytes:
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _mark_rows() -> Iterator[Row]:
    """All machines together; what one draws is where its images differ from those of one that draws nothing."""
    still = found = echoes = taken = 0
    for place, machine in enumerate(MACHINES.values()):
        marked, sector = _beat(machine, place)
        bare, _ = _beat(without_marks(machine), place)
        drawn = (marked != bare).any(axis=0)
        stands = (marked != bare).all(axis=0) & (marked.min(axis=0) >= BRIGHT) & sector
        marks = find_marks(marked, sector)
        still, found = still + int(stands.sum()), found + int((marks & stands).sum())
        echoes, taken = echoes + int((sector & ~drawn).sum()), taken + int((marks & ~drawn).sum())
    table = "Grey marks inside the sector, clips of all machines"
    yield {"table": table, "pixels": "bright marks that stand still", "of": still, "taken away, %": 100 * found / still}
    yield {"table": table, "pixels": "echoes", "of": echoes, "taken away, %": 100 * taken / echoes}


def _beat(machine: Machine, place: int) -> tuple[Bytes, Mask]:
    held = Acquisition(draw_patient(FIRST_SEED + 9000 + place), "A4C", machine)
    return np.stack([f.image for f in held.frames(np.arange(CLIP_FRAMES) / CLIP_FRAMES)]), held.scanner.sector


def _time_rows(image: Bytes, sector: Mask) -> Iterator[Row]:
    from PIL import Image

    for side in SIDES:
        small = np.asarray(Image.fromarray(image).resize((side, side)))
        within = np.asarray(Image.fromarray(sector).resize((side, side)))
        yield {
            "table": "Time of a call, ms, median",
            "image": f"{side}x{side}",
            "grey still": round(_median_ms(small, within), 2),
            f"grey clip of {CLIP_FRAMES}": round(_median_ms(np.repeat(small[None], CLIP_FRAMES, axis=0), within), 2),
        }


def _median_ms(frames: Bytes, within: Mask) -> float:
    times = []
    for _ in range(REPEATS):
        begin = perf_counter()
        find_text(frames, within)
        times.append(perf_counter() - begin)
    return 1000 * float(np.median(times))


def _claims(planted: list[Planted], false: float, rows: tuple[Row, ...]) -> tuple[Claim, ...]:
    readable = [
        one.found for one in planted if one.height >= 8 and not (one.ground == "bright" and one.colour == "grey")
    ]
    times = {row["image"]: row["grey still"] for row in rows if "image" in row}
    ms = times["256x256"]
    assert isinstance(ms, float)
    return (
        at_least(
            "burnt-in text of 8 pixels and more found, but for grey on bright", float(np.mean(readable)), "", 0.95
        ),
        told("all planted text found", float(np.mean([one.found for one in planted])), ""),
        at_most("phantom frames without text flagged", false, "", 0.01),
        at_most("time to look for text in 256x256 pixels", ms, "ms", 5),
    )
