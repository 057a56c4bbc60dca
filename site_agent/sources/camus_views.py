"""What both releases of CAMUS have in common: two apical views a patient, each over half a beat, and a text on it.

Label maps hold 0 background, 1 left ventricle, 2 myocardium, 3 left atrium. The text counts frames from 1, and the end
of diastole may come after that of systole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from site_agent.sources.plausible import PERCENT, RATES_HZ, YEARS, believed, sex, volumes, whole
from site_agent.sources.source import Facts, Item, Opened, Refused, Relation
from site_agent.sources.volume_folder import fitting
from site_agent.sources.volumes import Placed, Volume, opened
from site_agent.sources.walk import name_below, walk

LABELS: tuple[tuple[str, str, Relation], ...] = (("2CH", "399232001", "same"), ("4CH", "399214001", "same"))
VIEWS = tuple(word for word, _, _ in LABELS)
MOMENTS = ("ED", "ES")
QUALITIES = frozenset({"good", "medium", "poor"})
MASK_NAME = "camus"
MAX_TEXT = 2**16  # bytes


@dataclass(frozen=True)
class Release:
    """How one of them names its files.

    Attributes:
        sequence: the word for half a beat.
        suffixes: of images, the likelier first.
        read: a file's header.
    """

    sequence: str
    suffixes: tuple[str, ...]
    read: Callable[[Path], Volume]


@dataclass(frozen=True)
class View:
    """What lies beside the images of a view.

    Attributes:
        word: which images: of the whole sequence, or of one of `MOMENTS`.
        text: with its numbers, if it is there.
        masks: words and files of label maps.
    """

    word: str
    text: Path | None
    masks: tuple[tuple[str, Path], ...]


def views_of(root: Path, folder: Path, release: Release, patient: str, fold: str | None) -> Iterator[Item | Refused]:
    """The items of a patient: a clip a view, or two stills where there is none.

    Args:
        root: below which names are told.
        folder: of the patient.
        release: whose names are used.
        patient: as the hospital's own word.
        fold: that is asked for.
    """
    files: dict[str, Path] = {}
    for found in walk(folder):
        if isinstance(found, Refused):
            yield Refused(name_below(root, found.path), found.path, found.reason)
        else:
            files[found.name] = found
    for view in VIEWS:
        words = (release.sequence, *MOMENTS)
        images, masks = (_files(files, release, f"{folder.name}_{view}", words, end) for end in ("", "_gt"))
        chosen = [release.sequence] if release.sequence in images else list(images)
        for word in chosen:
            text = files.get(f"Info_{view}.cfg")
            beside = tuple((each, path) for each, path in masks.items() if word in {release.sequence, each})
            yield Item(
                name=name_below(root, images[word]),
                path=images[word],
                companions=(*([text] if text else []), *(path for _, path in beside)),
                patient=patient,
                clip=f"{patient}/{view}",
                label=view,
                fold=fold,
                known=View(word, text, beside),
            )
        if not chosen:
            yield Refused(f"{name_below(root, folder)} {view}", folder, "has no images of this view")


def _files(files: Mapping[str, Path], release: Release, stem: str, words: tuple[str, ...], end: str) -> dict[str, Path]:
    """Files of a view by word."""
    named = {word: [f"{stem}_{word}{end}{suffix}" for suffix in release.suffixes] for word in words}
    return {word: files[name] for word, names in named.items() for name in names[::-1] if name in files}


def open_view(item: Item, release: Release) -> Opened:
    """The frames, with label maps on those of them that have any.

    Raises:
        DataError: as of `Source.open`.
    """
    view: View = item.known
    volume = release.read(item.path)
    doubts: list[str] = []
    said = read_text(view.text, doubts)
    frames = _moments(said, volume.count, doubts) if view.word == release.sequence else {view.word: 0}
    masks = _masks(view, volume, frames, release, doubts)
    return opened(volume, _facts(said, frames, doubts), masks)


def read_text(path: Path | None, doubts: list[str]) -> dict[str, str]:
    """Values of a text by key; nothing, and a doubt, where it cannot be read."""
    if path is None:
        doubts.append("the text with its numbers is not there")
        return {}
    try:
        with path.open("rb") as file:
            lines = file.read(MAX_TEXT).decode("utf-8-sig", errors="replace").splitlines()
    except OSError:
        doubts.append("the text with its numbers cannot be read")
        return {}
    pairs = (line.partition(":") for line in reversed(lines))
    return {key.strip(): value.strip() for key, _, value in pairs}


def _moments(said: Mapping[str, str], count: int, doubts: list[str]) -> dict[str, int]:
    """Frames from 0 of the moments that are told and lie in the sequence."""
    told = whole("number of frames", said.get("NbFrame", ""), (1, 10**6), doubts)
    if told is not None and told != count:
        doubts.append(f"has {count} frames where its text says {told}")
    found = {word: whole(word, said.get(word, ""), (1, count), doubts) for word in MOMENTS}
    frames = {word: number - 1 for word, number in found.items() if number is not None}
    if len(frames) == 2 and len(set(frames.values())) == 1 and count > 1:
        doubts.append("end-diastole and end-systole are the same frame: both left out")
        return {}
    return frames


def _masks(view: View, volume: Volume, frames: Mapping[str, int], release: Release, doubts: list[str]) -> list[Placed]:
    """Label maps of all frames, or where there are none those of the two moments."""
    placed = []
    for word, path in view.masks:
        whole_sequence = word == release.sequence
        if not whole_sequence and word not in frames:
            doubts.append(f"its label map {word} lies on no frame that is told: left out")
            continue
        on = tuple(range(volume.count)) if whole_sequence else (frames[word],)
        if found := fitting(word, path, volume, on, release.read, doubts):
            placed.append(found._replace(name=MASK_NAME))
            if whole_sequence:
                break
    return placed


def _facts(said: Mapping[str, str], frames: Mapping[str, int], doubts: list[str]) -> Facts:
    large, small = volumes(said.get("LVedv", ""), said.get("LVesv", ""), doubts)
    fraction = believed("ejection fraction", said.get("EF") or said.get("LVef", ""), PERCENT, doubts)
    age = believed("age", said.get("Age", ""), YEARS, doubts)
    quality = said.get("ImageQuality", "").lower()
    return Facts(
        rate_hz=believed("frames a second", said.get("FrameRate", ""), RATES_HZ, doubts),
        ejection_fraction=fraction,
        end_diastolic_ml=large,
        end_systolic_ml=small,
        end_diastole=frames.get("ED"),
        end_systole=frames.get("ES"),
        measures={} if age is None else {"age_years": age},
        words=sex(said.get("Sex", "")) | ({"image_quality": quality} if quality in QUALITIES else {}),
        masked=True,
        doubts=tuple(doubts),
    )
