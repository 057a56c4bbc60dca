"""The site's own words: what each stands for, what was taken in under it, and taking a new label map over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from federated.errors import DataError, cannot_read
from federated.files import write_whole
from federated.label_map import LabelMap, Relation, read_label_map
from federated.manifest import Frozen
from federated.vocabulary import Vocabulary
from site_agent.archive import Archive
from site_agent.home import SiteHome

TAKEN = (
    "SELECT word, coalesce(label, ''), count(*) FROM clips JOIN frames ON frames.clip = clips.id "
    "WHERE clips.batch IS NOT NULL GROUP BY 1, 2"
)


@dataclass(frozen=True)
class Taken:
    """Images that were taken in under a word, and the code that they were labelled with."""

    word: str
    label: str
    images: int


class Word(Frozen):
    """A word of the site.

    Attributes:
        relation: to `code`; ``code`` where the word is one itself, ``format`` where the form of the images explains it.
        code: the concept that the word is compared with.
        label: the concept that its images are labelled with, and its `meaning`.
        images: taken in so far.
        note: for people.
    """

    word: str
    relation: Relation | Literal["code", "format"]
    code: str
    label: str
    meaning: str
    images: int
    note: str = ""


class Taking(Frozen):
    """What taking a new label map over changed, in words of the site."""

    before: int
    version: int
    added: tuple[str, ...]
    changed: tuple[str, ...]
    dropped: tuple[str, ...]


def words_of(home: SiteHome) -> list[Word]:
    """Words with a line, in its order, then those that images were taken in under without one."""
    vocabulary, label_map = home.image_vocabulary, home.label_map
    taken = words_taken(home.archive)
    return [*_with_lines(label_map, vocabulary, taken), *_without_lines(label_map, vocabulary, taken)]


def words_taken(archive: Archive) -> list[Taken]:
    """Words of the images in closed batches, sorted; images without one are left out."""
    found: dict[tuple[str, str], int] = defaultdict(int)
    for sealed, label, images in archive.catalogue.rows(TAKEN):
        found[archive.name(sealed), label] += images
    return [Taken(word, label, images) for (word, label), images in sorted(found.items()) if word]


def take_over(home: SiteHome, path: Path) -> Taking:
    """Puts a label map in the place of the one here, or changes nothing.

    Raises:
        DataError: it is wrong, its version does not grow with its lines, or images were taken in under a word that
            it gives another concept.
    """
    old, new = home.label_map, read_label_map(path, home.image_vocabulary)
    if new.lines != old.lines and new.version <= old.version:
        raise DataError(
            f"is version {new.version} with other lines than version {old.version}, which is in use",
            where=str(path),
            cure=f"give it version {old.version + 1}",
        )
    _check_taken(old, new, home.image_vocabulary, words_taken(home.archive), str(path))
    write_whole(home.labels_path, _bytes(path))  # as it is, with its comments
    return _taking(old, new)


def _with_lines(label_map: LabelMap, vocabulary: Vocabulary, taken: Sequence[Taken]) -> list[Word]:
    words = []
    for line in label_map.lines:
        label = label_map.code_for(line.word, vocabulary)
        images = sum(one.images for one in taken if label_map.line(one.word) is line)
        words.append(
            Word(
                word=line.word,
                relation=line.relation,
                code=line.code,
                label=label,
                meaning=vocabulary.meaning(label),
                images=images,
                note=line.note,
            )
        )
    return words


def _without_lines(label_map: LabelMap, vocabulary: Vocabulary, taken: Sequence[Taken]) -> list[Word]:
    return [
        Word(
            word=one.word,
            relation="code" if one.word.strip() == one.label else "format",
            code=one.label,
            label=one.label,
            meaning=vocabulary.meaning(one.label),
            images=one.images,
        )
        for one in taken
        if label_map.line(one.word) is None
    ]


def _check_taken(old: LabelMap, new: LabelMap, vocabulary: Vocabulary, taken: Sequence[Taken], where: str) -> None:
    for one in taken:
        line = new.line(one.word)
        if line is not None and new.code_for(one.word, vocabulary) != one.label:
            what = f"gives '{one.word}' the label '{new.code_for(one.word, vocabulary)}'"
        elif line is None and old.line(one.word) is not None and one.word.strip() != one.label:
            what = f"has no line for '{one.word}'"
        else:
            continue
        raise DataError(
            f"{what}, but {one.images} images of that word are here as '{one.label}'",
            where=where,
            cure="leave the line as it was, and use another word for images to come",
        )


def _taking(old: LabelMap, new: LabelMap) -> Taking:
    pairs = [(line.word, old.line(line.word), line) for line in new.lines]
    return Taking(
        before=old.version,
        version=new.version,
        added=tuple(word for word, before, _ in pairs if before is None),
        changed=tuple(
            word
            for word, before, line in pairs
            if before is not None and (before.code, before.relation) != (line.code, line.relation)
        ),
        dropped=tuple(line.word for line in old.lines if new.line(line.word) is None),
    )


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(cannot_read(path, error).what, where=str(path)) from error
