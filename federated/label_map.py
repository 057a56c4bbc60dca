"""What a hospital's own words stand for: a table that people at the site write, checked, and with a version.

A word may say the same as a concept, more (*narrower*: every image of that word shows the concept) or less (*broader*:
not every image of that word shows it). It is never matched by how it is spelt; only a word that is itself a code needs
no line.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from federated.canonical import canonical, digest
from federated.errors import DataError, cannot_read
from federated.faults import first_fault
from federated.files import write_whole
from federated.hierarchy import nearest_above
from federated.toml_text import toml_as_json
from federated.vocabulary import Code, Vocabulary

Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120, pattern=r"^[^\p{C}]*$")]
Relation = Literal["same", "narrower", "broader"]
MAX_LINES = 1024


class Line(BaseModel):
    """One word of a hospital.

    Attributes:
        word: as its index, file or folder names have it; case and space around it do not count.
        code: the concept that it is compared with.
        relation: what the word is to the concept.
        note: for people, as in who asked whom.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    word: Word
    code: Code
    relation: Relation
    note: Annotated[str, StringConstraints(max_length=500)] = ""


class LabelMap(BaseModel):
    """The lines of ``labels.toml``. `version` grows with every change; 0 is the map without lines."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    version: Annotated[int, Field(ge=0, le=10**6)] = 0
    lines: Annotated[tuple[Line, ...], Field(max_length=MAX_LINES)] = ()

    @model_validator(mode="after")
    def _words_are_unique(self) -> LabelMap:
        seen: set[str] = set()
        for line in self.lines:
            if _key(line.word) in seen:
                raise ValueError(f"the word '{line.word}' has two lines")
            seen.add(_key(line.word))
        if self.lines and not self.version:
            raise ValueError("version must be 1 or more")
        return self

    @property
    def digest(self) -> str:
        """Of what the words stand for: version and notes are left out."""
        lines = sorted([_key(line.word), line.code, line.relation] for line in self.lines)
        return digest(canonical(lines))

    def line(self, word: str) -> Line | None:
        """The line of a word, if it has one."""
        return next((line for line in self.lines if _key(line.word) == _key(word)), None)

    def merged(self, base: Iterable[tuple[str, str, Relation]]) -> LabelMap:
        """With what comes with a format (word, code, relation), for the words that have no line here."""
        more = tuple(
            Line(word=word, code=code, relation=relation) for word, code, relation in base if self.line(word) is None
        )
        return LabelMap(version=max(self.version, 1), lines=(*self.lines, *more)) if more else self

    def code_for(self, word: str, vocabulary: Vocabulary) -> str:
        """Code of the concept that an image of that word is labelled with.

        Raises:
            DataError: the word has no line and is no code, or nothing is wide enough for what is broader.
        """
        line = self.line(word)
        if line is None or (line.code not in vocabulary.codes and word.strip() in vocabulary.codes):
            return vocabulary.require(word.strip(), where="")
        return _meant(line, vocabulary)

    def check(self, vocabulary: Vocabulary) -> None:
        """Whether every line can be followed.

        Raises:
            DataError: a code is none of the vocabulary, or nothing is wide enough for what is broader.
        """
        for line in self.lines:
            _meant(line, vocabulary)


def read_label_map(path: Path, vocabulary: Vocabulary) -> LabelMap:
    """A map from TOML: ``version``, and ``[[lines]]`` with word, code, relation and note.

    Raises:
        DataError: the file cannot be read as such, or does not fit the vocabulary.
    """
    try:
        found = LabelMap.model_validate_json(toml_as_json(path.read_bytes()))
        found.check(vocabulary)
    except OSError as error:
        raise DataError(cannot_read(path, error).what, where=str(path)) from error
    except ValidationError as error:
        raise DataError(first_fault(error), where=str(path)) from error
    except ValueError as error:
        raise DataError(f"cannot be read ({error})", where=str(path)) from error
    except DataError as error:
        raise DataError(f"{error.where}: {error.what}", where=str(path), cure=error.cure) from error
    return found


def write_label_map(label_map: LabelMap, path: Path) -> None:
    """The map as TOML."""
    write_whole(path, tomli_w.dumps(label_map.model_dump(mode="json", exclude_defaults=True)).encode())


def _key(word: str) -> str:
    return word.strip().casefold()


def _meant(line: Line, vocabulary: Vocabulary) -> str:
    where = f"line of '{line.word}'"
    if line.code not in vocabulary.codes:
        raise DataError(
            f"'{line.code}' is no concept of the vocabulary '{vocabulary.name}'",
            where=where,
            cure=vocabulary.suggestion(line.code),
        )
    return line.code if line.relation != "broader" else _wider(line, vocabulary, where)


def _wider(line: Line, vocabulary: Vocabulary, where: str) -> str:
    """The nearest concept above all parents: what is broader than a concept may be so in the way of any of them."""
    parents = next(concept.parents for concept in vocabulary.concepts if concept.code == line.code)
    found = nearest_above(vocabulary, parents)
    if found is None:
        named = "; ".join(f"{code} = {vocabulary.meaning(code)}" for code in parents)
        raise DataError(
            f"no one concept lies above '{line.code}'",
            where=where,
            cure=f"name what is meant, and say that it is the same: {named}" if named else "name a wider concept",
        )
    return found
