"""The federation's labels: a flat, versioned list of concepts, each a code in a scheme with its meaning.

A site's own names are mapped to these codes when images are taken in; an unknown label is refused there, never guessed.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Annotated, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from federated.errors import DataError
from federated.faults import LABEL, first_fault
from federated.files import write_whole

Code = Annotated[str, StringConstraints(pattern=LABEL)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=120)]


class Concept(BaseModel):
    """One label: a code, the scheme it belongs to, and what it means.

    Attributes:
        parents: codes of the concepts right above it; an answer that is not sure of it goes up to the first.
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

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes in the vocabulary's order."""
        return tuple(concept.code for concept in self.concepts)

    def require(self, label: str, *, where: str) -> str:
        """The label itself, if the vocabulary knows it.

        Raises:
            DataError: the label is not in the vocabulary.
        """
        if label not in self.codes:
            raise DataError(
                f"label '{label}' is not in the vocabulary '{self.name}' ({', '.join(self.codes)})",
                where=where,
                cure="map it in [labels] of config.toml; or the coordinator appends it, and the next release brings it",
            )
        return label

    def extends(self, other: Vocabulary) -> bool:
        """Whether this vocabulary only appends to the other."""
        return self.concepts[: len(other.concepts)] == other.concepts


def plain_vocabulary(name: str, labels: list[str], scheme: str = "local") -> Vocabulary:
    """A vocabulary whose meanings are the labels themselves."""
    return Vocabulary(name=name, concepts=tuple(Concept(code=label, scheme=scheme, meaning=label) for label in labels))


def read_vocabulary(path: Path) -> Vocabulary:
    """A vocabulary from TOML: ``name`` and ``[[concepts]]`` with code, scheme, meaning.

    Raises:
        DataError: the file cannot be read as such.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return Vocabulary.model_validate_json(json.dumps(content))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError) as error:
        raise DataError(f"cannot be read ({error})", where=str(path)) from error
    except ValidationError as error:
        raise DataError(first_fault(error), where=str(path)) from error


def write_vocabulary(vocabulary: Vocabulary, path: Path) -> None:
    """The vocabulary as TOML."""
    write_whole(path, tomli_w.dumps(vocabulary.model_dump(mode="json")).encode())
