"""The images of a demonstration: a folder with an index of its own, and what follows from it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from federated.errors import DataError
from federated.vocabulary import Vocabulary, plain_vocabulary
from site_agent.sources.index import Row, parse_columns, read_index

INDEX = "index.csv"
FRONT_END = "texture"


@dataclass(frozen=True)
class Material:
    """Where the images lie and whose they are.

    Attributes:
        index: the index file.
        columns: names of its columns, as given to ``--columns``.
        sites: federation name -> the index's own word for the site.
        arriving: federation names of the sites that arrive, in order; the images of the others only test.
        labels: the index's own word -> code.
        taught: site -> codes of its images that may train.
        vocabulary: of the federation.
        about: what they are.
        names: code -> what is shown in its place.
        kind: one word that every table and picture bears, or none.
        words: site -> what some of the index's words stand for there, where that is another code than `labels` gives.
    """

    index: Path
    columns: str
    sites: Mapping[str, str]
    arriving: tuple[str, ...]
    labels: Mapping[str, str]
    taught: Mapping[str, tuple[str, ...]]
    vocabulary: Vocabulary
    about: str
    names: Mapping[str, str]
    kind: str = ""
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def testing(self) -> tuple[str, ...]:
        """Sites that never arrive."""
        return tuple(name for name in self.sites if name not in self.arriving)


def folder_material(folder: Path, columns: str) -> Material:
    """The images of a folder with an index, or of the index itself; sites with the fewest labels arrive first.

    Raises:
        DataError: no index, no site column, fewer than two sites, or nothing to train on.
    """
    rows = read_index(folder, parse_columns(columns))
    index = folder if folder.is_file() else folder / INDEX
    if not all(row.site for row in rows):
        raise DataError(
            "does not say the site of every image",
            where=str(index),
            cure="name the column: --columns site=NAME",
        )
    return _material(index, columns, rows, f"{len(rows)} lines of {index}")


def _material(index: Path, columns: str, rows: Sequence[Row], about: str) -> Material:
    sites = {plain_name(word): word for word in dict.fromkeys(row.site for row in rows)}
    labels = {word: plain_code(word) for word in dict.fromkeys(row.label for row in rows)}
    codes = sorted(labels.values())
    if len(sites) < len({row.site for row in rows}) or len(set(codes)) < len(codes):
        raise DataError("two sites or labels differ in case or punctuation only", where=str(index), cure="rename one")
    if len(sites) < 2:
        raise DataError("names one site only", where=str(index), cure="a federation needs two: --columns site=NAME")
    taught = {
        name: tuple(sorted({labels[row.label] for row in rows if row.site == word and row.fold != "test"}))
        for name, word in sites.items()
    }
    arriving = sorted((name for name in sites if taught[name]), key=lambda name: (len(taught[name]), name))
    if not arriving:
        raise DataError("puts every image into the test split", where=str(index), cure="leave some to be trained on")
    return Material(
        index=index,
        columns=columns,
        sites=sites,
        arriving=tuple(arriving),
        labels=labels,
        taught=taught,
        vocabulary=plain_vocabulary("demo", codes),
        about=about,
        names={code: code for code in codes},
    )


def plain_name(word: str) -> str:
    """A word as a federation name: small letters, digits, ``_ . -``."""
    return re.sub(r"[^a-z0-9_.-]+", "-", word.lower()).strip("_.-")[:63] or "site"


def plain_code(word: str) -> str:
    """A word as a label code: letters, digits, ``_ . + -``."""
    return re.sub(r"[^A-Za-z0-9_.+-]+", "-", word).strip("_.+-")[:64] or "label"


def arrival_order(material: Material, order: str) -> tuple[str, ...]:
    """Sites as asked for, or as the images suggest.

    Raises:
        DataError: the order does not name every site that arrives once.
    """
    asked = tuple(plain_name(name) for name in order.split(",") if name.strip())
    if asked and sorted(asked) != sorted(material.arriving):
        raise DataError(
            f"'{order}' does not name every site once",
            where="--order",
            cure=f"sites: {','.join(sorted(material.arriving))}",
        )
    return asked or material.arriving
