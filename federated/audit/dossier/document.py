"""A dossier as what it is made of: sections of lines and tables, whichever way it is written out."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from federated.audit.dossier.guidelines import ITEMS
from federated.manifest import Frozen

NOT_STATED = "not stated"


def _known(items: tuple[str, ...]) -> tuple[str, ...]:
    if unknown := [item for item in items if item not in ITEMS]:
        raise ValueError(f"no item of a guideline that was looked up: {unknown[0]}")
    return items


Items = Annotated[tuple[str, ...], AfterValidator(_known)]


class Line(Frozen):
    """One fact.

    Attributes:
        topic: what it is about.
        text: None where nobody stated it, which is printed as such.
        source: from where it is known, or where it would be.
        items: of reporting guidelines that ask for it.
    """

    topic: str
    text: str | None
    source: str
    items: Items = ()

    @property
    def said(self) -> str:
        """The fact, or that it was not stated."""
        return NOT_STATED if self.text is None else self.text


class Grid(Frozen):
    """A table.

    Attributes:
        rows: the first cell names its row.
        numbers: the columns to be set to the right.
        empty: what is said where there is no row.
        items: as of a line.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...] = ()
    empty: str = "Nothing."
    items: Items = ()

    @property
    def headline(self) -> str:
        """The title, with the items that ask for the table."""
        return f"{self.title} ({', '.join(self.items)})" if self.items else self.title


class Section(Frozen):
    """One part of the dossier."""

    title: str
    about: str
    lines: tuple[Line, ...] = ()
    grids: tuple[Grid, ...] = ()
    notes: tuple[str, ...] = ()


class Dossier(Frozen):
    """All of it.

    Attributes:
        release: number of the release that it is about.
        signatures: whose signatures were checked, in words.
        left_out: what bears no signature that counts, and stands nowhere here.
    """

    federation: str
    release: Annotated[int, Field(ge=1)]
    digest: str
    signatures: str
    left_out: tuple[str, ...] = ()
    sections: tuple[Section, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """Topics that nobody stated."""
        return tuple(line.topic for section in self.sections for line in section.lines if line.text is None)
