"""What a benchmark says: rows it measured, and claims about them that hold or do not."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict

Value = str | int | float | bool | None
Row = dict[str, Value]


class Frozen(BaseModel):
    """Base of what is written down."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Claim(Frozen):
    """One number against its target; `holds` is None where the number is only told."""

    claim: str
    value: float
    unit: str
    target: str
    holds: bool | None


class Measured(Frozen):
    """What a benchmark returns. Rows of one `table` share their columns; `notes` are paragraphs for the reader."""

    rows: tuple[Row, ...]
    claims: tuple[Claim, ...]
    notes: tuple[str, ...] = ()


class Result(Frozen):
    """A measurement with where it comes from, as it is written down."""

    name: str
    quick: bool
    commit: str
    machine: dict[str, str]
    rows: tuple[Row, ...]
    claims: tuple[Claim, ...]
    notes: tuple[str, ...]


def at_most(claim: str, value: float, unit: str, limit: float) -> Claim:
    """A claim that a value does not exceed a limit."""
    return Claim(claim=claim, value=value, unit=unit, target=f"≤ {limit:g}", holds=value <= limit)


def at_least(claim: str, value: float, unit: str, limit: float) -> Claim:
    """A claim that a value reaches a limit."""
    return Claim(claim=claim, value=value, unit=unit, target=f"≥ {limit:g}", holds=value >= limit)


def told(claim: str, value: float, unit: str) -> Claim:
    """A number without a target."""
    return Claim(claim=claim, value=value, unit=unit, target="", holds=None)


def read_result(path: Path) -> Result:
    """A result that a benchmark has written."""
    return Result.model_validate_json(path.read_text(encoding="utf-8"))


def write_result(result: Result, path: Path) -> None:
    """Write a result, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")
    draft.replace(path)
