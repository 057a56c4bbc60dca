from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from federated.audit.blocks import blocks_of, unchanged
from federated.contract import Tensors
from federated.manifest import ExpertCard, unpack_tensors

SITES = ("ada", "ben", "cem")


def _blocks(built: Any, **changes: Any) -> Any:
    tensors = unpack_tensors(built.tensors, built.manifest)
    return blocks_of(built.manifest.model_copy(update=changes), tensors)


def test_an_arrival_with_new_labels_changes_no_earlier_block(federation: Any) -> None:
    before, after = _blocks(federation.release(SITES[:2])), _blocks(federation.release())
    assert set(after) - set(before) == {"cem"}
    for site, block in before.items():
        assert after[site] == block
        assert unchanged(block, after[site]) == []
    assert set(federation.release(SITES[:2]).manifest.labels) != set(federation.release().manifest.labels)


@pytest.mark.parametrize(
    ("tensor", "part"),
    [("class_sums", "class sums"), ("weights", "weights"), ("gram.ada", "Gram matrix")],
)
def test_the_part_that_changed_is_named(federation: Any, tensor: str, part: str) -> None:
    built = federation.release()
    tensors: Tensors = unpack_tensors(built.tensors, built.manifest)
    changed = tensors[tensor].copy()
    changed[(0,) * changed.ndim] = np.nextafter(changed[(0,) * changed.ndim], np.inf)
    before, after = blocks_of(built.manifest, tensors), blocks_of(built.manifest, tensors | {tensor: changed})
    assert {site: unchanged(before[site], after[site]) for site in before} == {"ada": [part], "ben": [], "cem": []}


def test_labels_and_networks_are_held_against_each_other(federation: Any) -> None:
    cards = [
        ExpertCard(site="ada", contribution="sha256:" + digit * 64, architecture="mlp", labels=("a4c",))
        for digit in "01"
    ]
    one, other = (_blocks(federation.release(), experts=(card,))["ada"] for card in cards)
    assert unchanged(one, other) == ["expert network"]
    assert unchanged(one, one.model_copy(update={"labels": ("plax",)})) == ["labels"]


def test_what_one_of_both_does_not_carry_is_not_judged(federation: Any) -> None:
    block = _blocks(federation.release())["ada"]
    assert unchanged(block, block.model_copy(update={"gram": None, "expert": None})) == []


def test_gram_matrices_of_single_labels_are_held_against_each_other(nested: Any) -> None:
    block = _blocks(nested.release())["cem"]
    (label,) = block.own_grams
    other = block.model_copy(update={"own_grams": {label: "sha256:" + "0" * 64}})
    assert unchanged(block, other) == [f"Gram matrix of '{label}' alone"]
    assert unchanged(block, block.model_copy(update={"own_grams": {}})) == []
