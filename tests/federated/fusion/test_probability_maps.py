"""Maps of several experts become one, and every site's share is told."""

from __future__ import annotations

import numpy as np
import pytest

from federated.errors import ContractError
from federated.fusion.probability_maps import ExpertMap, fuse_maps, shares_of

SIDE = 6


def _said(structures: tuple[str, ...], *values: np.ndarray) -> ExpertMap:
    seen = np.stack(values)
    return ExpertMap(structures, np.concatenate([1 - seen.sum(axis=0, keepdims=True), seen]).astype(np.float32))


def _left(value: float) -> np.ndarray:
    found = np.zeros((SIDE, SIDE))
    found[:, : SIDE // 2] = value
    return found


def _right(value: float) -> np.ndarray:
    return _left(value)[:, ::-1]


ADA = _said(("lv",), _left(0.9))
BEN = _said(("lv", "la"), _left(0.6), _right(0.8))


def test_one_expert_alone_is_what_it_says() -> None:
    found = fuse_maps({"ben": BEN}, {"ben": 0.3})
    assert found.structures == ("lv", "la")
    assert np.allclose(found.probabilities, BEN.probabilities, atol=1e-6)
    assert found.shares == {"lv": {"ben": 1.0}, "la": {"ben": 1.0}}


def test_weights_say_whose_map_counts() -> None:
    found = fuse_maps({"ada": ADA, "ben": BEN}, {"ada": 0.75, "ben": 0.25})
    assert found.probabilities[1, 0, 0] == pytest.approx(0.75 * 0.9 + 0.25 * 0.6)
    assert found.shares["lv"]["ada"] == pytest.approx(0.75 * 0.9 / (0.75 * 0.9 + 0.25 * 0.6))
    assert sum(found.shares["lv"].values()) == pytest.approx(1)


def test_a_site_says_nothing_of_what_it_does_not_label() -> None:
    """Ada calls the atrium background, which it was taught to, and that takes nothing away from what Ben says."""
    found = fuse_maps({"ada": ADA, "ben": BEN}, {"ada": 1.0, "ben": 0.1})
    assert found.probabilities[2, 0, -1] == pytest.approx(0.8)
    assert found.shares["la"] == {"ben": 1.0}
    assert found.labels[0, -1] == 2


def test_a_foreign_site_is_not_heard_unless_all_are() -> None:
    found = fuse_maps({"ada": ADA, "ben": BEN}, {"ada": 0.0, "ben": 1.0})
    assert found.probabilities[1, 0, 0] == pytest.approx(0.6)
    assert found.shares["lv"] == {"ada": 0.0, "ben": 1.0}
    both = fuse_maps({"ada": ADA, "ben": BEN}, {"ada": 0.0, "ben": 0.0})
    assert both.probabilities[1, 0, 0] == pytest.approx(0.75)


def test_where_experts_claim_more_than_there_is_it_is_shared() -> None:
    over = fuse_maps({"ada": ADA, "cem": _said(("la",), _left(0.9))}, {"ada": 1.0, "cem": 1.0})
    assert over.probabilities[:, 0, 0] == pytest.approx([0, 0.5, 0.5])
    assert over.probabilities.sum(axis=0) == pytest.approx(np.ones((SIDE, SIDE)))


def test_shares_are_in_proportion_and_alike_where_nobody_counts() -> None:
    assert shares_of({"ada": 0.9, "ben": 0.3}) == pytest.approx({"ada": 0.75, "ben": 0.25})
    assert shares_of({"ada": 0.0, "ben": 0.0}) == {"ada": 0.5, "ben": 0.5}


def test_what_nobody_sees_has_no_shares() -> None:
    assert fuse_maps({"ada": _said(("lv",), _left(0.0))}, {"ada": 1.0}).shares == {"lv": {}}


def test_what_cannot_be_fused() -> None:
    small = ExpertMap(("lv",), np.full((2, 3, 3), 0.5, np.float32))
    with pytest.raises(ContractError, match="no expert"):
        fuse_maps({}, {})
    with pytest.raises(ContractError, match="2 sizes"):
        fuse_maps({"ada": ADA, "ben": small}, {"ada": 1.0, "ben": 1.0})
    with pytest.raises(ContractError, match="add up"):
        fuse_maps({"ada": ExpertMap(("lv",), 2 * ADA.probabilities)}, {"ada": 1.0})
    with pytest.raises(ContractError, match="2 maps of 2 structures"):
        fuse_maps({"ada": ExpertMap(("lv", "la"), ADA.probabilities)}, {"ada": 1.0})
