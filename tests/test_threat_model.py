"""What the threat model claims of lies and liars is shown by tests that are there."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from federated.audit.limits import LIMITS

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
LEAST = 20


def _section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def _rows() -> list[list[str]]:
    """Who, how, what catches it, the test."""
    lines = [line for line in _section("Who lies, and what catches it").splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


@cache
def _tests_in(path: Path) -> frozenset[str]:
    body = ast.parse(path.read_text(encoding="utf-8")).body if path.is_file() else []
    return frozenset(each.name for each in body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))


def test_there_are_liars_enough_of_every_kind() -> None:
    rows = _rows()
    assert len({how for _, how, _, _ in rows}) == len(rows) >= LEAST
    assert len({test for *_, test in rows}) >= LEAST
    assert {"coordinator", "site", "inside the hospital", "an auditor's token", "a browser"} <= {
        who for who, *_ in rows
    }


@pytest.mark.parametrize(("who", "how", "caught", "test"), _rows())
def test_each_lie_is_told_and_caught_in_a_test(who: str, how: str, caught: str, test: str) -> None:
    path, _, name = test.strip("`").partition("::")
    assert name in _tests_in(ROOT / path)
    assert all((who, how, caught))


def test_what_cannot_be_caught_is_said_in_the_same_words_as_on_the_auditors_page() -> None:
    told = " ".join(_section("What cannot be caught").split())
    assert [limit.title for limit in LIMITS if f"- **{limit.title}** {limit.words}" not in told] == []
    assert told.count("- **") == len(LIMITS)
