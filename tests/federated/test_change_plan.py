"""A plan is read as it was written or refused in one line; what differs between two releases is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.canonical import digest
from federated.change_plan import (
    DIFFERENCES,
    MAX_PLAN_BYTES,
    Change,
    Criterion,
    Measure,
    changed_sites,
    changes,
    parse_plan,
    read_plan_bytes,
)
from federated.errors import ConsiliumError, ContractError
from federated.manifest import ExpertCard
from federated.vocabulary import plain_vocabulary

PLAN = b"""
version = 1
federation = "test"
name = "first-year"
may_change = ["sites-added", "hyperparameters"]

[[criteria]]
measure = "balanced-accuracy"
each = "site"
at_least = 0.7

[[criteria]]
measure = "drop"
at_most = 0.02
"""


def test_a_plan_is_named_by_its_bytes() -> None:
    planned = parse_plan(PLAN, federation="test")
    assert (planned.digest, planned.plan.may_change) == (digest(PLAN), ("sites-added", "hyperparameters"))
    assert [(each.measure, each.limit, each.subject) for each in planned.plan.criteria] == [
        ("balanced-accuracy", ">= 0.7", "each site"),
        ("drop", "<= 0.02", "all"),
    ]
    assert parse_plan(PLAN + b"\n", federation="test").digest != planned.digest


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"version = 1", b"version = 2", "version"),
        (b'"test"', b'"lung"', "is of federation 'lung', this is 'test'"),
        (b'"sites-added"', b'"anything"', "may_change"),
        (b"at_least = 0.7", b"", "neither at_least nor at_most"),
        (b"at_least = 0.7", b"at_least = 0.7\nat_most = 0.6", "larger than at_most"),
        (b"at_least = 0.7", b"at_least = nan", "criteria"),
        (b'"balanced-accuracy"', b'"changed-sites"', "not counted at one site"),
        (b'each = "site"', b'label = "a4c"', "not counted of one label"),
        (b'each = "site"', b'each = "site"\nsite = "ada"', "names one site and each"),
        (b'"drop"', b'"recall"', "needs a label"),
        (b'"hyperparameters"', b'"sites-added"', "twice"),
        (b"[[criteria]]", b"[[others]]", "criteria: is missing"),
        (b"federation", b"federation = ", "cannot be read as TOML"),
        (PLAN, b"\xff", "cannot be read as TOML"),
        (PLAN, b" " * (MAX_PLAN_BYTES + 1), "at most 65536"),
    ],
)
def test_a_plan_that_cannot_be_held_is_one_line(old: bytes, new: bytes, reason: str) -> None:
    assert old in PLAN
    with pytest.raises(ContractError, match=reason) as caught:
        parse_plan(PLAN.replace(old, new), federation="test")
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=300))
def test_whatever_comes_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(ContractError) as caught:
        parse_plan(data, federation="test")
    assert "\n" not in str(caught.value)


def test_a_file_is_read_as_far_as_a_plan_may_go(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_bytes(PLAN)
    assert read_plan_bytes(path) == PLAN
    path.write_bytes(b" " * (MAX_PLAN_BYTES + 1))
    with pytest.raises(ConsiliumError, match="longer than"):
        read_plan_bytes(path)
    with pytest.raises(ConsiliumError, match="cannot be read"):
        read_plan_bytes(tmp_path / "none.toml")


@pytest.mark.parametrize(("found", "met"), [(0.7, True), (0.9, True), (0.95, False), (0.69, False), (None, False)])
def test_limits_are_part_of_what_is_allowed(found: float | None, met: bool) -> None:
    assert Criterion(measure="answered", at_least=0.7, at_most=0.9).met(found) == met


def test_a_release_of_the_same_changes_nothing(federation: Any) -> None:
    made = federation.candidate().manifest
    assert changes(made, made) == changes(None, made) == ()
    assert changed_sites(made, made) == []


def test_a_site_that_came_brings_its_labels(federation: Any) -> None:
    before, after = (federation.candidate(names).manifest for names in (("ada", "ben"), ("ada", "ben", "cem")))
    assert {"sites-added", "labels-added"} <= set(changes(before, after))
    assert {"sites-removed", "labels-removed"} <= set(changes(after, before))
    assert (changed_sites(before, after), changed_sites(after, before)) == ([], ["cem"])
    assert not {"contributions", "rule", "settings", "vocabulary"} & set(changes(before, after))


@pytest.mark.parametrize(
    ("change", "update"),
    [
        ("task", {"task": "contour"}),
        ("rule", {"rule": "nearest-mean"}),
        ("settings", {"alpha": 0.2}),
        ("vocabulary", {"vocabulary": plain_vocabulary("views", ["plax"])}),
        ("labels-removed", {"labels": ("plax",)}),
    ],
)
def test_what_differs_alone_is_named_alone(federation: Any, change: Change, update: dict[str, Any]) -> None:
    made = federation.candidate().manifest
    assert changes(made, made.model_copy(update=update)) == (change,)


def test_other_parts_of_a_manifest_are_told_apart(federation: Any) -> None:
    made = federation.candidate().manifest
    ridge = made.hyperparameters.model_copy(update={"ridge": 9.0})
    mode = made.hyperparameters.model_copy(update={"mode": "isolated"})
    card = made.front_end.model_copy(update={"digest": digest(b"another")})
    sites = (made.sites[0].model_copy(update={"contributions": (digest(b"x"),)}), *made.sites[1:])
    expert = {"site": "ada", "contribution": digest(b"e"), "architecture": "linear", "labels": ("plax",)}
    updates: dict[Change, dict[str, Any]] = {
        "hyperparameters": {"hyperparameters": ridge},
        "settings": {"hyperparameters": mode},
        "front-end": {"front_end": card},
        "contributions": {"sites": sites},
        "experts": {"experts": (ExpertCard.model_validate(expert),)},
    }
    for change, update in updates.items():
        assert changes(made, made.model_copy(update=update)) == (change,), change
    assert set(updates) <= set(DIFFERENCES)


def test_the_plan_of_the_docs_is_one() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "coordinator.md").read_text(encoding="utf-8")
    (block,) = [part for part in text.split("```toml\n")[1:] if "[[criteria]]" in part]
    plan = parse_plan(block.partition("```")[0].encode(), federation="cardio").plan
    assert [each.measure for each in plan.criteria] == ["balanced-accuracy", "drop", "recall", "calibrated-sites"]
    told = {name for name in (*DIFFERENCES, *get_args(Measure)) if f"`{name}`" in text}
    assert told == {*DIFFERENCES, *get_args(Measure)}
