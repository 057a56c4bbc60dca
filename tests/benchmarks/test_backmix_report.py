"""Tables and claims of runs that are made up."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from benchmarks.backmix_images import MACHINES_AWAY, NONE, OTHERS, SAME
from benchmarks.backmix_report import (
    BLANKED,
    OUT,
    UNMARKED,
    Key,
    Run,
    claims,
    difference,
    less,
    rows,
    spread,
)
from benchmarks.backmix_training import METHODS, Answers, Focus
from benchmarks.results import tables

WHERE = (SAME, OTHERS, NONE, MACHINES_AWAY)


def run(inside: float, outside: float, energy: float = 50.0) -> Run:
    answers = {name: Answers(inside if name == SAME else outside, inside - 1) for name in WHERE}
    look = Focus(energy, energy, energy, energy, 40.0)
    return Run(answers, {SAME: look, MACHINES_AWAY: look})


def runs(gain: float = 20.0) -> dict[Key, list[Run]]:
    """Three seeds with every mask, two with fewer; BackMix gains about so much elsewhere."""
    found: dict[Key, list[Run]] = {}
    for name in [*(method.name for method in METHODS[:-1]), BLANKED, UNMARKED]:
        more = gain if name == "BackMix" else 0.0
        found[name, 1.0] = [run(90, 50 + seed + more + (seed if more else 0), 50 + more + seed) for seed in range(3)]
    for method in METHODS[1:]:
        found[method.name, 0.1] = [run(90, 52 + seed) for seed in range(2)]
    return found


def test_an_interval_is_students() -> None:
    values = np.array([3.0, 5.0, 1.0, 4.0])
    found, wanted = difference(values), ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.mean, found.low, found.high) == pytest.approx((3.25, wanted.low, wanted.high))
    assert difference(np.array([2.0])).low == -np.inf
    assert str(found) == "+3.2 [+0.5, +6.0]"


def test_differences_are_paired_by_seed() -> None:
    found = less(runs(), ("BackMix", 1.0), ("none", 1.0), OUT)
    assert found.mean == pytest.approx(21)
    assert less(runs(), ("BackMix", 0.1), ("none", 1.0), OUT).mean == pytest.approx(2)  # the first two seeds
    assert less(runs(), ("BackMix", 1.0), ("none", 1.0), SAME).mean == 0


def test_what_seeds_explain_is_no_gain() -> None:
    for gain, holds in ((20.0, True), (0.5, False)):
        found = {claim.claim: claim for claim in claims(runs(gain))}
        assert found[f"BackMix less none, {OUT}, lower end of the interval"].holds is holds
        assert found["%E of Grad-CAM, BackMix less none, lower end of the interval"].holds is True
    assert found[f"wBackMix with 10% of masks less none, {OUT}, mean"].value == pytest.approx(2)


def test_tables_hold_every_method_and_share() -> None:
    found = tables(rows(runs()))
    titles = list(found)
    assert titles[0].startswith("Accuracy, %, every image with a mask, 3 seeds")
    assert [row["background"] for row in found[titles[0]]] == [
        *(method.name for method in METHODS[:-1]),
        BLANKED,
        UNMARKED,
    ]
    assert found[titles[0]][0][OUT] == "51.0 (1.0)"
    assert {row["less"] for row in found[titles[1]]} == {name for name, share in runs() if share == 1} - {"BackMix"}
    assert [row["background"] for row in found[titles[2]]] == [method.name for method in METHODS[1:]]
    assert "q = 0.5" in titles[3]
    assert len(found[titles[3]]) == 2 * len(runs())


def test_one_seed_has_no_deviation() -> None:
    assert spread([3.0]) == "3.0"
    assert spread([3.0, 5.0]) == "4.0 (1.4)"
