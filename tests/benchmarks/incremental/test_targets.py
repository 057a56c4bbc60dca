"""What the closed form is held to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmarks.claims import Claim
from benchmarks.incremental.answers import Answers
from benchmarks.incremental.cell import Cell, play
from benchmarks.incremental.contestant import Start
from benchmarks.incremental.contestants import CLOSED_FORM, GATED, JOINT
from benchmarks.incremental.frequent import MostFrequent
from benchmarks.incremental.questions import compare
from benchmarks.incremental.suite import Suite
from benchmarks.incremental.targets import TARGETED, targets
from federated.faithfulness import Correlation, Faithfulness


def _claims(
    ours: Sequence[Answers], theirs: Sequence[Answers], order: float = 0.0, suite: str = "digits"
) -> dict[str, Claim]:
    played = {CLOSED_FORM: ours, GATED: theirs, JOINT: theirs}
    shown = {
        name: Faithfulness(
            per_image=Correlation(value=value, low=None, high=None),
            pooled=Correlation(value=None, low=None, high=None),
            images=1,
            patients=1,
        )
        for name, value in ((CLOSED_FORM, 0.8), (GATED, 0.3))
    }
    found = targets(suite, played, compare(played), {CLOSED_FORM: order}, shown)
    return {claim.claim.partition(" (cannot")[0]: claim for claim in found}


def test_a_closed_form_that_is_right_cheap_and_small_holds_them(suite: Suite, start: Start) -> None:
    blind = play(Cell("c", "cpu", 3, 0, "x"), suite, MostFrequent(start))
    wrong = replace(blind, right=np.zeros_like(blind.right), seconds=np.array([100.0, 200.0]))
    wrong = replace(wrong, sent={"first": np.array([10, 10]), "second": np.array([0, 10])})
    right = replace(blind, right=blind.known, seconds=np.array([1.0, 1.5]))
    right = replace(right, sent={"first": np.array([5, 5]), "second": np.array([0, 5])})
    claims = _claims([right], [wrong])
    assert all(claim.holds is not False for claim in claims.values())
    assert claims["digits: seconds of the last arrival, gated fusion of site heads (features) over closed form"].holds
    reverse = _claims([wrong], [right], order=0.1)
    assert not reverse["digits: closed form, deviation over orders of arrival"].holds
    assert not reverse[f"digits, all pairs: closed form minus {GATED}"].holds
    assert reverse[f"digits: bytes that a site shares, closed form over {GATED}"].value == 2.0
    assert not reverse[f"digits, seen pairs: closed form minus {JOINT}"].holds


def test_where_there_are_no_targets_it_is_told_how_it_does(suite: Suite, start: Start) -> None:
    cell = play(Cell("c", "cpu", 3, 0, "x"), suite, MostFrequent(start))
    cell = replace(cell, sent={"first": np.array([5, 5]), "second": np.array([0, 5])}, seconds=np.array([1.0, 2.0]))
    held, told = (_claims([cell], [cell], suite=name) for name in (TARGETED[0], "clouds"))
    assert [name.replace(TARGETED[0], "clouds") for name in held] == list(told)
    everywhere = ("deviation over orders of arrival", "refused of what its site taught")
    assert [name for name, claim in told.items() if claim.holds is not None] == [
        f"clouds: closed form, {what}" for what in everywhere
    ]
