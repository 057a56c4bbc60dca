"""What experts drew, as examples: working images of the site with label maps of a federation's structures.

Every frame that has a mask counts, also those of a clip that are no cases of the catalogue.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from federated.errors import DataError
from federated.vocabulary import builtin_vocabulary
from site_agent.catalogue import Case
from site_agent.intake.examination import LEARNT_FROM
from site_agent.intake.preparation import evenly

if TYPE_CHECKING:
    from site_agent.archive import Archive
    from site_agent.home import SiteHome

Gray = NDArray[np.uint8]
Moment = Literal["", "ED", "ES"]
Example = TypeVar("Example")

# SNOMED CT, as the vocabulary of chambers has them
LV, MYOCARDIUM, LA, RV, RA, AORTA = "87878005", "49848007", "82471001", "53085002", "73829009", "15825003"
STRUCTURES: Mapping[str, Mapping[int, str]] = {
    "camus": {1: LV, 2: MYOCARDIUM, 3: LA},
    "index": {2: LV, 3: MYOCARDIUM, 4: LA, 5: RV, 6: RA, 7: AORTA},
}
MASK, AT = "mask.", ".at"
NO_STRUCTURE = "show none of the structures asked for"
NO_IMAGE = "lie on a frame that is not kept here"
HOW = "name label maps in the column 'mask' of index.csv, or take in a data set that has them; then ingest again"
CLIPS = (
    "SELECT clips.id, item, patient, coalesce(label, ''), clips.clip, fold_of, clips.batch, view, word, source, "
    "spacing_y, spacing_x FROM (SELECT pseudonym, fold AS fold_of FROM patients) JOIN clips ON patient = pseudonym "
    "WHERE clips.batch IS NOT NULL"
)
FRAMES = "SELECT clip, number, sha256, phase FROM frames"


@dataclass(frozen=True)
class MaskedCase:
    """An image with the structures that an expert drew.

    Attributes:
        case: of the catalogue; of a frame that is none there, made like one, whose `sha256` is of the file's key and
            the frame's number: nothing may be kept under it, since forgetting would not find it.
        image: (H, W) grey levels.
        mask: (H, W) 0 for none, 1 to C in the order of the structures asked for.
        spacing_mm: side of a pixel, where it is known.
        view: code of the heart's views, "" where it is not known.
        moment: end of diastole or of systole, where the frame is one.
        labelled: the values, out of 1 to C, of structures that masks of this kind can show; the others may be in the
            image without being drawn.
    """

    case: Case
    image: Gray
    mask: Gray
    spacing_mm: float | None
    view: str
    moment: Moment
    labelled: tuple[int, ...]


@dataclass(frozen=True)
class Found(Generic[Example]):
    """Examples, and how many were left out: why -> frames."""

    cases: list[Example] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Clip:
    """A still or a clip of a closed batch, as the catalogue has it.

    Attributes:
        id, key, patient, label, clip, fold, batch: as of `Case`.
        view: code of the heart's views, or "".
        spacing_mm: side of a pixel of the working image, or None.
        frames: number in the source -> digest and phase of those that are cases.
    """

    id: int
    key: str
    patient: str
    label: str
    clip: str
    fold: str
    batch: str
    view: str
    spacing_mm: float | None
    frames: Mapping[int, tuple[str, Moment]]

    def case(self, number: int, place: int) -> Case:
        """A frame as a case."""
        made = hashlib.sha256(f"{self.key}:{number}".encode()).hexdigest()
        digest = self.frames.get(number, (made, ""))[0]
        about = self.id, self.key, digest, self.patient, self.label, self.clip
        return Case(*about, frame=number, place=place, fold=self.fold, batch=self.batch)

    def moment(self, number: int) -> Moment:
        """Of a frame."""
        return self.frames.get(number, ("", ""))[1]


def masked_cases(
    home: SiteHome,
    structures: Sequence[str],
    *,
    fold: str | None = None,
    batch: str | None = None,
    most: int | None = LEARNT_FROM,
) -> list[MaskedCase]:
    """Images with masks in the order in which they came, of one fold or batch if asked; none where these have none.

    Args:
        home: the site's.
        structures: codes, of which the first becomes 1.
        fold: train, validation, calibration or test.
        batch: by name.
        most: of the frames of a clip, evenly spaced, beside both ends of the beat; None for all.

    Raises:
        DataError: nothing of the site has a mask, or all masks are empty of the structures.
        ConsiliumError: working images are missing or damaged.
    """
    found = find_masked(home, structures, fold=fold, batch=batch, most=most)
    if not found.cases and not (_asked(fold, batch) and find_masked(home, structures).cases):
        raise _nothing(home.archive)
    return found.cases


def find_masked(
    home: SiteHome,
    structures: Sequence[str],
    *,
    fold: str | None = None,
    batch: str | None = None,
    most: int | None = LEARNT_FROM,
) -> Found[MaskedCase]:
    """As `masked_cases`, with what was left out, and nothing where there is nothing.

    Raises:
        ConsiliumError: working images are missing or damaged.
    """
    found: Found[MaskedCase] = Found()
    archive = home.archive
    for clip in clips_of(archive, fold=fold, batch=batch):
        for name in masks_of(archive, clip):
            values = STRUCTURES.get(name)
            if values is not None:
                _add(found, archive, clip, name, _table(values, structures), most)
    return found


def _add(found: Found[MaskedCase], archive: Archive, clip: Clip, name: str, table: Gray, most: int | None) -> None:
    labelled = tuple(sorted({int(value) for value in table} - {0}))
    for number, place, image, drawn in drawn_frames(archive, clip, name, found.left_out, most):
        mask = table[drawn]
        if not mask.any():
            found.left_out[NO_STRUCTURE] += 1
            continue
        about = clip.spacing_mm, clip.view, clip.moment(number)
        found.cases.append(MaskedCase(clip.case(number, place), image, mask, *about, labelled=labelled))


def drawn_frames(
    archive: Archive, clip: Clip, name: str, left_out: Counter[str], most: int | None = None
) -> Iterator[tuple[int, int, Gray, Gray]]:
    """Number, place, image and label map, as it was drawn, of frames that are kept; where one is not, it is counted.

    Of a clip as many as asked for, evenly spaced, and both ends of the beat.
    """
    places = {int(number): place for place, number in enumerate(archive.cache.read(clip.key, "numbers"))}
    numbers = [int(number) for number in archive.cache.read(clip.key, f"{MASK}{name}{AT}")]
    masks = archive.cache.read(clip.key, f"{MASK}{name}")
    left_out.update({NO_IMAGE: sum(number not in places for number in numbers)})
    there = [(number, mask) for number, mask in zip(numbers, masks, strict=True) if number in places]
    some = set(evenly(len(there), len(there) if most is None else most))
    kept = [each for row, each in enumerate(there) if row in some or clip.moment(each[0])]
    images = archive.cache.frames(clip.key, [places[number] for number, _ in kept])
    for (number, mask), image in zip(kept, images, strict=True):
        yield number, places[number], image, mask


def _table(values: Mapping[int, str], structures: Sequence[str]) -> Gray:
    """(256,) from values of a mask to 1 + the place among the structures; 0 for what is not asked for."""
    table = np.zeros(256, dtype=np.uint8)
    for value, code in values.items():
        if code in structures:
            table[value] = 1 + structures.index(code)
    return table


def masks_of(archive: Archive, clip: Clip) -> list[str]:
    """Names of the sets of masks of a clip."""
    names = archive.cache.names(clip.key)
    return [name.removeprefix(MASK) for name in names if name.startswith(MASK) and not name.endswith(AT)]


def clips_of(archive: Archive, *, fold: str | None = None, batch: str | None = None) -> list[Clip]:
    """Stills and clips of closed batches in the order in which they came."""
    chosen = {"fold_of": fold, "clips.batch": batch}
    wanted = {column: value for column, value in chosen.items() if value is not None}
    where = "".join(f" AND {column} = ?" for column in wanted)
    frames: dict[int, dict[int, tuple[str, Moment]]] = {}
    for clip, number, digest, phase in archive.catalogue.rows(FRAMES):
        frames.setdefault(clip, {})[number] = (digest, phase)
    rows = archive.catalogue.rows(f"{CLIPS}{where} ORDER BY clips.id", tuple(wanted.values()))
    return [_clip(archive, row, frames.get(row[0], {})) for row in rows]


def _clip(archive: Archive, row: Sequence[Any], frames: Mapping[int, tuple[str, Moment]]) -> Clip:
    number, key, patient, label, name, fold, batch, view, word, source, y, x = row
    spacing = None if y is None or x is None else (y + x) / 2  # working pixels are square to within a hundredth
    seen = _view(archive, view, word, source)
    return Clip(number, key, patient, label, name, fold, batch, seen, spacing, frames)


def view_of(home: SiteHome, case: Case) -> str:
    """The heart's view of a case by its code, also where the federation's labels are no views; "" if not known."""
    rows = home.archive.catalogue.rows("SELECT view, word, source FROM clips WHERE id = ?", (str(case.id),))
    return _view(home.archive, *rows[0]) if rows else ""


def _view(archive: Archive, view: str, word: bytes, source: str) -> str:
    """By the label, or by the hospital's own word: a code, or a word of the format."""
    views = _heart()
    said = archive.name(word).strip()
    return views.get(view) or views.get(said) or views.get(_words(source).get(said.casefold(), ""), "")


@cache
def _heart() -> dict[str, str]:
    """Code of a concept of the heart -> its view, whatever is said of contrast."""
    return {concept.code: concept.view or concept.code for concept in builtin_vocabulary("heart").concepts}


@cache
def _words(source: str) -> dict[str, str]:
    """What the words of a form of files stand for."""
    from site_agent.sources import sources

    return {word.casefold(): code for each in sources() if each.name == source for word, code, _ in each.labels}


def _asked(fold: str | None, batch: str | None) -> bool:
    return fold is not None or batch is not None


def _nothing(archive: Archive) -> DataError:
    """Why no image has a mask."""
    there = sorted({name for clip in clips_of(archive) for name in masks_of(archive, clip)})
    known = [name for name in there if name in STRUCTURES]
    if known:
        what, cure = f"all masks {NO_STRUCTURE}", "see whether these are the structures of this federation"
    elif there:
        what = f"has masks, but it is not known what their values stand for: {', '.join(there)}"
        cure = "name them in the column 'mask' of an index.csv, in the values that the manual lists"
    else:
        what, cure = "no image has a mask", HOW
    return DataError(what, where=str(archive.frames_path), cure=cure)
