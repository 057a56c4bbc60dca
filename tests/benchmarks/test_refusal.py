"""Figures of one made-up problem, and the whole measurement on it."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import refusal
from benchmarks.refusal import (
    ALPHA,
    CONTENDERS,
    NOT_HERE,
    OTHER_SITE,
    POWER,
    UNKNOWN,
    WRONG,
    answered,
    refusals,
)
from benchmarks.refusal_experts import LEARNED, USED, contenders, experts
from benchmarks.refusal_reasons import LABEL, MACHINE
from tests.benchmarks.refusal_toys import TAUGHT, toy

STRANGE = "no such thing: noise"


@pytest.fixture(scope="module")
def found() -> refusal.Found:
    return answered(toy(patients=120))


def test_every_score_is_asked_every_question(found: refusal.Found) -> None:
    for name in CONTENDERS:
        asked = {column for table, row, column in found if table == "areas" and row == name}
        assert asked == {OTHER_SITE, NOT_HERE, UNKNOWN, STRANGE}
    assert {row for table, row, _ in found if table == "captions"} == {MACHINE, LABEL}
    assert all(0 <= value <= 100 for value in found.values())


def test_what_lies_apart_is_told_apart_and_refused(found: refusal.Found) -> None:
    for name in (USED, LEARNED, "Mahalanobis"):
        assert found["areas", name, UNKNOWN] > 95
        assert found["areas", name, STRANGE] > 99
        assert found["refused", name, WRONG] < 15
        assert found["refused", name, UNKNOWN] > 60
        assert found["refused", name, STRANGE] == 100


def test_wrong_refusals_keep_to_alpha_on_average() -> None:
    shares = []
    for seed in range(8):
        known = experts(toy(seed))
        shares.append(refusals(known, contenders(known)[USED])[WRONG])
    assert np.mean(shares) < ALPHA + 0.04
    assert np.mean(shares) > 0


def test_a_score_that_says_nothing_refuses_as_many_of_each_and_an_order_decides_ties() -> None:
    known = experts(toy())
    random = np.random.default_rng(0)
    shares = refusals(known, {site: lambda look: random.normal(size=len(look.features)) for site in TAUGHT})
    assert shares["area of the largest p"] == pytest.approx(0.5, abs=0.15)
    assert shares[POWER] == pytest.approx(ALPHA, abs=0.1)
    assert shares[UNKNOWN] < 0.1


def test_few_patients_are_pooled_and_where_these_are_few_nobody_is_refused() -> None:
    few = experts(toy(patients=20))
    assert refusals(few, contenders(few)[USED])[STRANGE] == 0.0
    more = experts(toy(patients=40))
    assert max(len(more.one_a_patient(site, 2)) for site in TAUGHT) < 19
    assert refusals(more, contenders(more)[USED])[STRANGE] > 0.9


def test_a_question_that_only_some_problems_can_ask_has_its_column() -> None:
    parts = [{("areas", "GEN", "a"): 50.0}, {("areas", "GEN", "b"): 60.0, ("refused", "GEN", "c"): 1.0}]
    assert refusal._columns(parts, "areas") == ["a", "b"]
    row = refusal._area_row(
        "x", [part | {("passed", *key[1:]): 1.0 for key in part} for part in parts], "GEN", ["a", "b"]
    )
    assert (row["a"], row["b"]) == ("50.0 (0.0) / 1.0 (0.0)", "60.0 (0.0) / 1.0 (0.0)")


def test_the_whole_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    made = lambda seed, *, quick: toy(seed, patients=60 if quick else 61)  # noqa: E731
    monkeypatch.setattr(refusal, "PROBLEMS", dict.fromkeys(refusal.QUICK, made))
    measured = refusal.measure(quick=True)
    tables = {str(row["table"]) for row in measured.rows}
    assert len(tables) == 2 * len(refusal.QUICK) + 1
    scores = [row["score"] for row in measured.rows if str(row["table"]).startswith("phantom: one site's")]
    assert tuple(scores) == CONTENDERS
    assert sum("score in use" in claim.claim for claim in measured.claims) == len(refusal.QUICK)
