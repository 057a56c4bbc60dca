"""The lists that a dossier prints: each test that they name is there, and the threat model agrees with them."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from federated.audit.dossier.promises import Requirement, Risk, requirements, risks

ROOT = Path(__file__).resolve().parents[4]
PAGE = ROOT / "docs" / "threat-model.md"
ATTACK = re.compile(r"^- (\*\*.+?)(?=\n- |\n\n|\Z)", re.MULTILINE | re.DOTALL)
OPEN = re.compile(r"^\d+\. (.+?)(?=\n\d+\. |\n\n|\Z)", re.MULTILINE | re.DOTALL)


@cache
def _tests_of(path: Path) -> frozenset[str]:
    body = ast.parse(path.read_text(encoding="utf-8")).body if path.is_file() else []
    return frozenset(each.name for each in body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))


def _section(title: str) -> str:
    text = PAGE.read_text(encoding="utf-8")
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def _told(words: str) -> list[Risk]:
    return [risk for risk in risks() if any(part in _flat(words) for part in risk.page)]


def _flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("each", [*requirements(), *risks()], ids=lambda each: each.id)
def test_every_test_that_is_named_exists(each: Requirement | Risk) -> None:
    for name in each.tests:
        path, _, function = name.partition("::")
        assert function in _tests_of(ROOT / path), name


def test_names_are_used_once() -> None:
    for names in ([risk.id for risk in risks()], [each.id for each in requirements()]):
        assert len(names) == len(set(names)) > 10


def test_what_is_met_is_shown_by_a_test() -> None:
    assert all(risk.tests for risk in risks() if risk.state == "met")
    states = [risk.state for risk in risks()]
    assert states == sorted(states, reverse=True)
    assert {"open", "met"} == set(states)


@pytest.mark.parametrize("risk", risks(), ids=lambda risk: risk.id)
def test_the_threat_model_names_every_risk(risk: Risk) -> None:
    page = _flat(PAGE.read_text(encoding="utf-8"))
    assert not [part for part in risk.page if part not in page]


def test_every_attack_of_the_threat_model_is_a_risk() -> None:
    attacks = ATTACK.findall(_section("Attacks that are answered"))
    assert len(attacks) > 5
    assert not [_flat(attack)[:60] for attack in attacks if not _told(attack)]


def test_every_open_point_of_the_threat_model_is_an_open_risk() -> None:
    points = OPEN.findall(_section("What is not defended yet"))
    points += [point for title in ("The fence", "What cannot be caught") for point in ATTACK.findall(_section(title))]
    assert len(points) > 25
    wrong = [point[:60] for point in points if not any(risk.state == "open" for risk in _told(point))]
    assert not wrong
