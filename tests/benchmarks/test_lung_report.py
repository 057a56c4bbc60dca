"""From answers to claims: gaps are told apart by patients and by splits, and the words say what was found."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.claims import Claim
from benchmarks.lung_methods import FUSED, JOINT_RIDGE, LOOSE
from benchmarks.lung_report import HELD_BACK, OURS, UNKNOWN, Line, summarise

GRADED = FUSED["graded"]
SPLITS, PATIENTS = 6, 30


def _lines(ours: float, ridge: float, refused: tuple[float, float] = (0.0, 0.0), calibrated: int = 30) -> list[Line]:
    """Clips that our default and the joint ridge answer rightly with the given chances, drawn afresh for every clip."""
    rng = np.random.default_rng(0)
    lines = []
    for question, chance in zip((HELD_BACK, UNKNOWN), refused, strict=True):
        for seed in range(SPLITS):
            for patient in range(PATIENTS):
                right, other = (int(draw < chance) for draw, chance in zip(rng.random(2), (ours, ridge), strict=True))
                answers = {
                    OURS: "ab"[right],
                    GRADED: "ab"[right],
                    LOOSE["none"]: "ab"[right],
                    JOINT_RIDGE: "ab"[other],
                }
                strange = rng.random() < chance
                name = f"p{patient}"
                facts = (question, seed, "north", name, name, "b")
                lines.append(Line(*facts, answers, dict.fromkeys(answers, strange), 1 - strange, calibrated))
    return lines


def _claim(claims: tuple[Claim, ...], words: str) -> Claim:
    return next(claim for claim in claims if words in claim.claim)


def test_a_large_gap_is_told_apart_and_a_method_is_not_told_apart_from_its_twin() -> None:
    measured = summarise(_lines(0.9, 0.5))
    gap = _claim(measured.claims, JOINT_RIDGE)
    assert gap.value == pytest.approx(40, abs=8)
    assert "(told apart)" in gap.claim
    note = next(note for note in measured.notes if note.startswith(HELD_BACK))
    assert f"better than {JOINT_RIDGE} (+" in note
    assert f"right as often as {GRADED}, {LOOSE['none']} on every patient." in note


def test_a_gap_within_noise_is_not_told_apart() -> None:
    measured = summarise(_lines(0.75, 0.74))
    assert "(not told apart)" in _claim(measured.claims, JOINT_RIDGE).claim


def test_a_loss_is_called_a_loss() -> None:
    note = next(n for n in summarise(_lines(0.5, 0.9)).notes if n.startswith(HELD_BACK))
    assert f"worse than {JOINT_RIDGE} (-" in note


@pytest.mark.parametrize(
    ("refused", "calibrated", "words"),
    [
        ((0.03, 0.6), 30, "refusing tells the unknown from the known"),
        ((0.1, 0.1), 30, "a refusal says little about unknown labels"),
        ((0.0, 0.0), 8, "too few at times for a refusal or a lower weight at α = 0.05, which needs 19"),
    ],
)
def test_refusals_in_words(refused: tuple[float, float], calibrated: int, words: str) -> None:
    measured = summarise(_lines(0.8, 0.8, refused, calibrated))
    assert words in measured.notes[-1]


def test_wrong_refusals_are_held_to_alpha() -> None:
    claim = _claim(summarise(_lines(0.8, 0.8, (0.2, 0.2))).claims, "wrongly refused")
    assert claim.value == pytest.approx(20, abs=7)
    assert claim.holds is False


def test_p_values_are_ranked_against_the_known() -> None:
    rows = summarise(_lines(0.8, 0.8, (0.0, 1.0))).rows
    auroc = [row["AUROC of the largest p-value, known against these"] for row in rows if "asked about" in row]
    assert auroc == [None, 1.0, 1.0]
