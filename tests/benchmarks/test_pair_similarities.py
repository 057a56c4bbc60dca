"""Similarities compared in small: every one has a row, and the weight that counts is the one with the highest Dice."""

from __future__ import annotations

import pytest

from benchmarks import pair_similarities
from benchmarks.pair_similarities import (
    QUICK,
    VOLUMES,
    WEIGHTS,
    Tried,
    best_of,
    measure,
    pairs_of_kind,
    still_row,
    tried,
)
from shared_models.registration.registration_loss import RegistrationLoss
from shared_models.registration.similarity import SIMILARITIES


def test_every_similarity_is_compared_on_every_kind() -> None:
    found = measure(quick=True)
    assert set(WEIGHTS) == set(SIMILARITIES)
    for kind in QUICK.kinds:
        names = [row["similarity"] for row in found.rows if f"alone, {kind}:" in str(row["table"])]
        assert names == ["none: as aligned", *WEIGHTS]


def test_the_weight_with_the_highest_dice_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def of_weight(_pairs: object, _kind: str, loss: RegistrationLoss, _steps: int) -> Tried:
        return Tried(loss.weight, 50 - abs(loss.weight - 1.0), None, 0.0, 1.0)

    monkeypatch.setattr(pair_similarities, "tried", of_weight)
    assert best_of([], VOLUMES, "local_ncc", 1).weight == 1.0


def test_scores_are_of_the_field_after_the_alignment() -> None:
    pairs = pairs_of_kind(VOLUMES, QUICK)
    still = still_row(pairs, VOLUMES)
    found = tried(pairs, VOLUMES, RegistrationLoss("mse", 1e6), 2)  # so smooth that nothing moves
    assert found.dice == pytest.approx(still["Dice, %"], abs=0.1)
    assert found.error_mm == pytest.approx(still["end point, mm"], abs=0.05)
    assert found.folded == 0
