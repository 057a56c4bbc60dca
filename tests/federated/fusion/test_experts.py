"""Experts are told apart by name, labels merge by code, and what somebody did not ask stays unasked."""

from __future__ import annotations

import numpy as np
import pytest

from federated.errors import ContractError
from federated.fusion.experts import Consulted, merged_labels, stacked, together

HELD = {"amber": ("b", "a"), "beryl": ("a", "c", "d")}


def _consulted(names: tuple[str, ...], images: int, *, means: int | None = None, seed: int = 0) -> Consulted:
    rng = np.random.default_rng(seed)
    labels = tuple(HELD[name] for name in names)
    return Consulted(
        names,
        labels,
        rng.standard_normal((images, len(names), 3)),
        tuple(rng.standard_normal((images, len(held))) for held in labels),
        None if means is None else rng.standard_normal((images, len(names), means)),
    )


def test_labels_merge_by_code_in_the_order_in_which_experts_brought_them() -> None:
    assert merged_labels([("b", "a"), ("a", "c", "b"), ("d",)]) == ("b", "a", "c", "d")
    assert _consulted(("amber", "beryl"), 1).merged == ("b", "a", "c", "d")


def test_everybody_was_asked_where_nothing_else_is_said() -> None:
    consulted = _consulted(("amber", "beryl"), 4)
    assert consulted.present.all()
    assert consulted.present.shape == (4, 2)


def test_some_rows_are_the_same_rows_of_every_part() -> None:
    consulted = _consulted(("amber", "beryl"), 5, means=7)
    chosen = consulted.rows(np.array([3, 1]))
    assert chosen.discrepancy is not None
    assert consulted.discrepancy is not None
    assert np.array_equal(chosen.features, consulted.features[[3, 1]])
    assert np.array_equal(chosen.logits[1], consulted.logits[1][[3, 1]])
    assert np.array_equal(chosen.discrepancy, consulted.discrepancy[[3, 1]])


def test_narrower_networks_are_filled_up_with_zeros() -> None:
    wide = stacked([np.ones((2, 3), dtype=np.float32), np.full((2, 1), 5, dtype=np.float32)])
    assert wide.dtype == np.float32
    assert wide.tolist() == [[[1.0, 1.0, 1.0], [5.0, 0.0, 0.0]]] * 2


def test_a_site_that_lacked_an_expert_did_not_ask_it() -> None:
    early, late = _consulted(("amber",), 2), _consulted(("beryl", "amber"), 3, seed=1)
    joined = together(HELD, [early, late])
    assert joined.names == ("amber", "beryl")
    assert joined.present.tolist() == [[True, False]] * 2 + [[True, True]] * 3
    assert np.array_equal(joined.features[:2, 0], early.features[:, 0])
    assert np.array_equal(joined.features[2:], late.features[:, ::-1])
    assert np.array_equal(joined.logits[1][2:], late.logits[0])
    assert not joined.features[:2, 1].any()


def test_what_does_not_go_together_is_refused() -> None:
    one, other = _consulted(("amber",), 2), _consulted(("amber",), 2, means=4)
    with pytest.raises(ContractError, match=r"discrepancy: is of 1 of 2 parts"):
        together(HELD, [one, other])
    with pytest.raises(ContractError, match=r"amber: is not the expert of that name"):
        together({"amber": ("a",)}, [one])


def test_shapes_are_held_against_each_other() -> None:
    good = _consulted(("amber", "beryl"), 2)
    with pytest.raises(ContractError, match="logits: is"):
        Consulted(good.names, good.labels, good.features, good.logits[::-1])
    with pytest.raises(ContractError, match="features: is"):
        Consulted(good.names, good.labels, good.features[:, :1], good.logits)
    with pytest.raises(ContractError, match="no list of experts"):
        Consulted(("amber", "amber"), good.labels, good.features, good.logits)
    with pytest.raises(ContractError, match="occurs twice"):
        Consulted(good.names, (("a", "a"), good.labels[1]), good.features, good.logits)
    with pytest.raises(ContractError, match="no expert was asked"):
        Consulted(good.names, good.labels, good.features, good.logits, asked=np.zeros((2, 2), dtype=np.bool_))
