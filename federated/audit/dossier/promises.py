"""The list of risks, and the list of requirements with the tests that show them, as they come with the program."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from federated.manifest import Frozen, Name

Text = Annotated[str, StringConstraints(min_length=1, max_length=400)]
TestId = Annotated[str, StringConstraints(pattern=r"^tests/[a-z0-9_/]+\.py::test_[a-z0-9_]+$")]


class Risk(Frozen):
    """One thing that may go wrong.

    Attributes:
        state: "met" where tests show what stands against it, "open" where nothing does, or not all of it.
        page: words of the threat model that stand for it.
        answer: what stands against it.
    """

    id: Name
    title: Text
    state: Literal["met", "open"]
    page: tuple[Text, ...] = Field(min_length=1)
    answer: Text
    tests: tuple[TestId, ...]


class Requirement(Frozen):
    """One promise; `asked_by` are items of guidelines that ask for just this."""

    id: Name
    text: Text
    asked_by: tuple[Text, ...]
    tests: tuple[TestId, ...] = Field(min_length=1)


class Risks(Frozen):
    """The whole list."""

    risk: tuple[Risk, ...]


class Requirements(Frozen):
    """The whole list."""

    requirement: tuple[Requirement, ...]


@cache
def risks() -> tuple[Risk, ...]:
    """Every risk that the threat model names, open ones first."""
    found = Risks.model_validate(_read("risks.toml"), strict=False).risk
    return tuple(sorted(found, key=lambda risk: risk.state != "open"))


@cache
def requirements() -> tuple[Requirement, ...]:
    """Every promise, in the order in which they are written down."""
    return Requirements.model_validate(_read("requirements.toml"), strict=False).requirement


def _read(name: str) -> dict[str, object]:
    return tomllib.loads(files("federated.audit.dossier").joinpath(name).read_text(encoding="utf-8"))
