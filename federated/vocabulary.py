"""The federation's labels: a list of concepts that only grows, each a code in a scheme with its meaning.

Concepts may lie above others: what that says of an image is in `federated.hierarchy`. A site's own names are mapped to
these codes when images are taken in (`federated.label_map`); an unknown label is refused there, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from functools import cache
from graphlib import CycleError
from importlib.resources import as_file, files
from itertools import combinations
from pathlib import Path
from typing import Annotated, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from federated.errors import DataError
from federated.faults import LABEL, first_fault, shown
from federated.files import write_whole
from federated.hierarchy import closure
from federated.toml_text import toml_as_json

Code = Annotated[str, StringConstraints(pattern=LABEL)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=120)]
BUILTIN = ("heart", "chambers", "muscle", "lung", "breast", "digits")
PRIVATE = "99CONSILIUM"  # the scheme of codes that are nobody else's
CONTRAST, ANY = "+contrast", "+any"
NUMBERS = {"two": "2", "three": "3", "four": "4", "five": "5"}
NEAREST = 3  # concepts named to a person whose word is unknown


class Concept(BaseModel):
    """One label: a code, the scheme it belongs to, and what it means.

    Attributes:
        parents: codes of the concepts right above it.
        view: code of the view that it is an image of; itself where empty.
        contrast: whether a contrast agent fills the ventricle: ``no``, ``yes``, or ``any`` where that is left open.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    code: Code
    scheme: Text
    meaning: Text
    parents: tuple[Code, ...] = Field(default=(), max_length=8)
    view: Code | Literal[""] = ""
    contrast: Literal["no", "yes", "any"] = "no"


class View(BaseModel):
    """A view of a file's ``[[views]]``, which stands for three concepts.

    Attributes:
        name: the short name, as in ``A4C``.
        parents: codes of the views that it is a kind of.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Code
    code: Code
    scheme: Text
    meaning: Text
    parents: tuple[Code, ...] = Field(default=(), max_length=7)

    def plain(self) -> Concept:
        """The view without contrast, under its own code."""
        meaning, above = f"{self.meaning} ({self.name})", (self.code + ANY, *self.parents)
        return Concept(code=self.code, scheme=self.scheme, meaning=meaning, parents=above)

    def filled(self) -> Concept:
        """The view with contrast in the left ventricle."""
        above = (self.code + ANY, *(parent + CONTRAST for parent in self.parents))
        return self._variant(CONTRAST, "with contrast", above, "yes")

    def either(self) -> Concept:
        """The view, whether with contrast or without."""
        return self._variant(ANY, "with or without contrast", tuple(parent + ANY for parent in self.parents), "any")

    def _variant(self, end: str, words: str, parents: tuple[str, ...], contrast: Literal["yes", "any"]) -> Concept:
        return Concept(
            code=self.code + end,
            scheme=PRIVATE,
            meaning=f"{self.meaning}, {words} ({self.name}{end})",
            parents=parents,
            view=self.code,
            contrast=contrast,
        )


class Vocabulary(BaseModel):
    """Concepts in a fixed order; later versions may only append."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Text
    concepts: tuple[Concept, ...] = Field(min_length=1, max_length=256)

    @model_validator(mode="after")
    def _codes_are_unique(self) -> Vocabulary:
        if len(set(self.codes)) != len(self.codes):
            raise ValueError("a code occurs twice")
        return self

    @model_validator(mode="after")
    def _parents_are_known(self) -> Vocabulary:
        codes = set(self.codes)
        for concept in self.concepts:
            if strangers := {*concept.parents, concept.view or concept.code} - codes:
                raise ValueError(
                    f"'{concept.code}' has the parent or view '{min(strangers)}', which is no concept here"
                )
            if len(set(concept.parents)) != len(concept.parents):
                raise ValueError(f"'{concept.code}' names a parent twice")
        return self

    @model_validator(mode="after")
    def _nothing_lies_above_itself(self) -> Vocabulary:
        try:
            closure(self._parents())
        except CycleError as error:
            raise ValueError(f"concepts lie above themselves: {', '.join(error.args[1])}") from error
        return self

    def __hash__(self) -> int:
        """Of little, since hashing every concept would cost more than what is kept by the hash."""
        return hash((self.name, len(self.concepts)))

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes in the vocabulary's order."""
        return tuple(concept.code for concept in self.concepts)

    def meaning(self, code: str) -> str:
        """What a code stands for.

        Raises:
            DataError: the vocabulary has no such concept.
        """
        known = {concept.code: concept.meaning for concept in self.concepts}
        return known[self.require(code, where="vocabulary")]

    def require(self, label: str, *, where: str) -> str:
        """The label itself, if the vocabulary knows it.

        Raises:
            DataError: the label is not in the vocabulary; the nearest concepts are named.
        """
        if label not in self.codes:
            raise DataError(
                f"label '{shown(label)}' is not in the vocabulary '{self.name}'",
                where=where,
                cure=f"{self.suggestion(label)}; map it in the site's labels.toml (consilium site labels FILE), or the "
                "coordinator appends it and the next release brings it",
            )
        return label

    def suggestion(self, word: str) -> str:
        """The concepts that a word looks most like, for a person."""
        return "nearest are " + "; ".join(f"{concept.code} = {concept.meaning}" for concept in self.nearest(word))

    def nearest(self, word: str) -> list[Concept]:
        """The three concepts whose code or meaning looks most like a word; in the vocabulary's order where alike."""
        return sorted(self.concepts, key=lambda concept: -_likeness(word, concept))[:NEAREST]

    def extends(self, other: Vocabulary) -> bool:
        """Whether this vocabulary only appends to the other, and what its labels say of each other stays as it was.

        A new concept below two that excluded each other would change what images labelled before have said.
        """
        count, above = len(other.concepts), closure(self._parents())
        appended = self.concepts[count:]
        return self.concepts[:count] == other.concepts and all(
            _met(pair, above, other.codes) for concept in appended for pair in _pairs(above[concept.code], other.codes)
        )

    def _parents(self) -> dict[str, tuple[str, ...]]:
        return {concept.code: concept.parents for concept in self.concepts}


class _VocabularyFile(BaseModel):
    """What a file holds: views, which come first, and concepts."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Text
    views: tuple[View, ...] = ()
    concepts: tuple[Concept, ...] = ()

    def vocabulary(self) -> Vocabulary:
        """All views without contrast, then all with it, then all with that left open, then the concepts."""
        plain, filled, either = ([form(view) for view in self.views] for form in (View.plain, View.filled, View.either))
        return Vocabulary(name=self.name, concepts=(*plain, *filled, *either, *self.concepts))


def _pairs(above: frozenset[str], among: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    return combinations([code for code in among if code in above], 2)


def _met(pair: tuple[str, str], above: Mapping[str, frozenset[str]], among: tuple[str, ...]) -> bool:
    """Whether one of the two lies above the other, or both lie above one of these concepts."""
    return any(set(pair) <= above[code] | {code} for code in among)


def _likeness(word: str, concept: Concept) -> float:
    """From 0 to 1, of a word to a concept's code, its meaning or the short name that ends it in brackets."""
    long, _, short = concept.meaning.rpartition("(")
    texts = (concept.code, concept.meaning, long, short.rstrip(")"))
    return max(SequenceMatcher(None, _spelt(word), _spelt(text)).ratio() for text in texts)


def _spelt(text: str) -> str:
    """Small letters, hyphens as spaces, small numbers as digits."""
    words = text.lower().replace("-", " ").split()
    return " ".join(NUMBERS.get(word, word) for word in words)


def plain_vocabulary(name: str, labels: list[str], scheme: str = "local") -> Vocabulary:
    """A vocabulary whose meanings are the labels themselves."""
    return Vocabulary(name=name, concepts=tuple(Concept(code=label, scheme=scheme, meaning=label) for label in labels))


def read_vocabulary(path: Path) -> Vocabulary:
    """A vocabulary from TOML: ``name``, then ``[[views]]`` or ``[[concepts]]`` with code, scheme, meaning and parents.

    Raises:
        DataError: the file cannot be read as such.
    """
    try:
        return _VocabularyFile.model_validate_json(toml_as_json(path.read_bytes())).vocabulary()
    except ValidationError as error:
        raise DataError(first_fault(error), where=str(path)) from error
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read ({error})", where=str(path)) from error


@cache
def builtin_vocabulary(name: str) -> Vocabulary:
    """A vocabulary that comes with the program, one of `BUILTIN`.

    Raises:
        DataError: there is none of that name.
    """
    if name not in BUILTIN:
        raise DataError(f"there is no built-in vocabulary '{name}'; there are {', '.join(BUILTIN)}", where="vocabulary")
    with as_file(files("federated") / "vocabularies" / f"{name}.toml") as path:
        return read_vocabulary(path)


def write_vocabulary(vocabulary: Vocabulary, path: Path) -> None:
    """The vocabulary as TOML, every concept by itself."""
    write_whole(path, tomli_w.dumps(vocabulary.model_dump(mode="json", exclude_defaults=True)).encode())
