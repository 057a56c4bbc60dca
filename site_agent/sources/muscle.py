"""Sweeps along the thigh: ``<group>/<patient>/<visit>/<video>.mp4`` with a JSON file that says where each leg begins.

The layout of the published study of muscle view retrieval. A section of a video, one leg each, is a clip of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from federated.errors import DataError
from site_agent.sources.images import open_cine
from site_agent.sources.source import MAX_FRAMES, Item, Opened, Pixels, Refused, Relation
from site_agent.sources.walk import name_below, walk

GROUPS, VISITS = ("CNS", "TETANUS"), ("T1", "T2", "T3")
VIDEO, ABOUT = ".mp4", ".json"
MAX_JSON = 2**20  # bytes
UNKNOWN = "n"  # a section of neither leg
LABELS: tuple[tuple[str, str, Relation], ...] = (("l", "THIGH-L", "same"), ("r", "THIGH-R", "same"))


@dataclass(frozen=True)
class Section:
    """Frames of a video from the first to the last, both inside, and which leg they show: l, r or "" for neither."""

    first: int
    last: int
    leg: str


class MuscleSource:
    """The folder with those of the groups."""

    name = "muscle"
    about = "sweeps along the thigh: <group>/<patient>/T1/<video>.mp4 with a JSON file of its sections"
    labels = LABELS
    needs_sector = False

    def recognises(self, root: Path) -> bool:
        """A video with its JSON file where this layout has them."""
        return any(path.with_suffix(VIDEO).is_file() for path in root.glob(f"*/*/T[123]/*{ABOUT}"))

    def scan(self, root: Path) -> Iterator[Item | Refused]:
        """An item a section."""
        for path in walk(root):
            name = name_below(root, path if isinstance(path, Path) else path.path)
            if isinstance(path, Refused):
                yield replace(path, name=name)
            elif path.suffix.lower() == VIDEO:
                yield from _items(path, name)
            elif path.suffix.lower() == ABOUT and _is_placed(name) and not path.with_suffix(VIDEO).is_file():
                yield Refused(name, path, "is of a video that is not there")

    def open(self, item: Item) -> Opened:
        """The section's frames alone.

        Raises:
            DataError: as of `Source.open`.
        """
        section: Section = item.known
        opened = open_cine(item.path)
        doubts: tuple[str, ...] = ()
        last = section.last
        if opened.count is not None and section.first >= opened.count:
            raise DataError(f"begins at frame {section.first} of a video of {opened.count}")
        if opened.count is not None and last >= opened.count:
            doubts = (f"its section ends at frame {last} of a video of {opened.count}: it is cut short",)
            last = opened.count - 1
        words = dict(zip(("diagnosis", "visit"), _group_and_visit(item.name), strict=True))
        facts = replace(opened.facts, words={name: word for name, word in words.items() if word}, doubts=doubts)

        def frames() -> Iterator[Pixels]:
            yield from islice(opened.frames(), section.first, last + 1)

        return replace(opened, count=last + 1 - section.first, facts=facts, frames=frames, first=section.first)


def _items(path: Path, name: str) -> Iterator[Item | Refused]:
    """The sections of a video."""
    parts = name.split("/")
    if not _is_placed(name):
        yield Refused(name, path, f"does not lie in <group>/<patient>/<visit>/, visits being {', '.join(VISITS)}")
        return
    about = path.with_suffix(ABOUT)
    if not about.is_file():
        yield Refused(name, path, "has no JSON file that says where its sections are")
        return
    found = _sections(about)
    if isinstance(found, str):
        yield Refused(name_below(path.parents[3], about), about, found)
        return
    for number, section in enumerate(found, start=1):
        title = f"{name}, section {number}"
        if isinstance(section, str):
            yield Refused(title, about, section)
            continue
        yield Item(
            name=title,
            path=path,
            companions=(about,),
            patient="/".join(parts[:2]),
            clip=title,
            label=section.leg,
            known=section,
        )


def _is_placed(name: str) -> bool:
    """Whether a file lies where the layout has videos."""
    parts = name.split("/")
    return len(parts) == 4 and parts[2] in VISITS


def _sections(path: Path) -> list[Section | str] | str:
    """Of a JSON file; a line where it, or one of its sections, cannot be read."""
    try:
        if path.stat().st_size > MAX_JSON:
            return f"has more than {MAX_JSON} bytes"
        said = json.loads(path.read_text(encoding="utf-8-sig"))
        listed = said["annotations"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "cannot be read as a list of sections"
    if not isinstance(listed, list) or not listed:
        return "names no section"
    return [_section(each) for each in listed]


def _section(said: Any) -> Section | str:
    """One that can be, or why it cannot."""
    if not isinstance(said, dict):
        return "is no section"
    first, last, leg = (said.get(name) for name in ("start_frame_idx", "end_frame_idx", "label"))
    if type(first) is not int or type(last) is not int or not 0 <= first <= last < MAX_FRAMES:
        return "does not say from which frame to which"
    if leg not in (*(word for word, _, _ in LABELS), UNKNOWN):
        return f"is labelled neither l nor r nor {UNKNOWN}"
    return Section(first, last, "" if leg == UNKNOWN else leg)


def _group_and_visit(name: str) -> tuple[str, str]:
    """As the path says it; a group that is none of the study's is not told."""
    group, _, visit, _ = name.split("/", 3)
    return group if group in GROUPS else "", visit
