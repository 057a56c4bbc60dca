"""Rank correlation against scipy's, its extremes, and intervals that widen with fewer patients."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from federated.errors import ContractError
from federated.faithfulness import Faithfulness, faithfulness, rank_correlation

RNG = np.random.default_rng(3)
SHOWN = RNG.normal(size=(60, 5))
PATIENTS = tuple(f"p{row // 4}" for row in range(60))


def _values(found: Faithfulness) -> list[float | None]:
    return [found.per_image.value, found.pooled.value]


def test_what_falls_as_much_as_was_shown_is_faithful() -> None:
    found = faithfulness(SHOWN, -(SHOWN**3), PATIENTS)
    assert _values(found) == pytest.approx([1.0, 1.0])
    assert (found.images, found.patients) == (60, 15)
    turned = faithfulness(SHOWN, SHOWN, PATIENTS)
    assert _values(turned) == pytest.approx([-1.0, -1.0])


def test_the_size_of_an_effect_has_no_sign() -> None:
    signs = np.where(RNG.random(SHOWN.shape) < 0.5, -1.0, 1.0)
    shares = np.abs(SHOWN)
    assert faithfulness(shares, signs * shares, PATIENTS, against="size").pooled.value == pytest.approx(1.0)
    assert abs(faithfulness(shares, signs * shares, PATIENTS).pooled.value or 1.0) < 0.2


def test_it_is_spearman_with_ties() -> None:
    one, other = RNG.integers(0, 4, size=(2, 20, 6)).astype(float)
    rows = [spearmanr(a, b).statistic for a, b in zip(one, other, strict=True)]
    assert rank_correlation(one, other) == pytest.approx(rows)
    found = faithfulness(one, -other, ("p",) * 20)
    assert found.per_image.value == pytest.approx(np.mean(rows))
    assert found.pooled.value == pytest.approx(spearmanr(one.ravel(), other.ravel()).statistic)
    assert found.pooled.low is None  # one patient has no interval


def test_an_image_that_is_all_equal_has_no_correlation_of_its_own() -> None:
    shown = SHOWN.copy()
    shown[:10] = 0.0
    found = faithfulness(shown, -SHOWN, PATIENTS)
    assert found.images == 50
    assert found.per_image.value == pytest.approx(1.0)
    assert 0.5 < (found.pooled.value or 0) < 1
    nothing = faithfulness(np.zeros((6, 3)), np.ones((6, 3)), tuple("abcdef"))
    assert (_values(nothing), nothing.images) == ([None, None], 0)


def test_a_label_that_goes_away_is_the_largest_loss() -> None:
    effect = -SHOWN.copy()
    effect[np.arange(60), SHOWN.argmax(axis=1)] = -np.inf
    assert faithfulness(SHOWN, effect, PATIENTS).per_image.value == pytest.approx(1.0)


def test_the_interval_is_by_patient_and_the_same_every_time() -> None:
    noisy = SHOWN + 1.5 * RNG.normal(size=SHOWN.shape)
    found = faithfulness(noisy, -SHOWN, PATIENTS)
    assert found == faithfulness(noisy, -SHOWN, PATIENTS)
    assert found != faithfulness(noisy, -SHOWN, PATIENTS, seed=1)
    for figure in (found.per_image, found.pooled):
        bounds = [bound for bound in (figure.low, figure.value, figure.high) if bound is not None]
        assert len(bounds) == 3
        assert bounds == sorted(set(bounds))
    copies = faithfulness(noisy.repeat(9, axis=0), -SHOWN.repeat(9, axis=0), np.repeat(PATIENTS, 9).tolist())
    assert copies.pooled.low == pytest.approx(found.pooled.low, abs=1e-9)  # more images of a patient tell no more


def test_golden_numbers() -> None:
    found = faithfulness(SHOWN, -SHOWN[:, ::-1], PATIENTS, draws=200)
    figures = (found.per_image.value, found.per_image.low, found.per_image.high, found.pooled.value)
    assert figures == pytest.approx((-0.0666667, -0.2267083, 0.0950417, 0.1911963), abs=1e-6)


def test_what_does_not_go_together_is_one_line() -> None:
    with pytest.raises(ContractError, match="do not go together"):
        faithfulness(SHOWN, SHOWN[:, :2], PATIENTS)
    with pytest.raises(ContractError, match="do not go together"):
        faithfulness(SHOWN, SHOWN, PATIENTS[:-1])
    with pytest.raises(ContractError, match="a value is not a number"):
        faithfulness(SHOWN, np.full_like(SHOWN, np.nan), PATIENTS)
