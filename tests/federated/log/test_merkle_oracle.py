"""The same trees by another implementation, pymerkle, which is used here and nowhere else."""

from __future__ import annotations

import pytest
from pymerkle import InmemoryTree, verify_consistency

from federated.log.merkle import (
    Subtrees,
    check_consistency,
    complete,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root,
)

SIZE = 150
ENTRIES = [b"entry %d" % number for number in range(SIZE)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


@pytest.fixture(scope="module")
def oracle() -> InmemoryTree:
    tree = InmemoryTree(algorithm="sha256")
    for entry in ENTRIES:
        tree.append_entry(entry)
    return tree


def _subtrees() -> Subtrees:
    return lambda level, index: complete(LEAVES[index << level : (index + 1) << level])


def test_every_root_is_the_same(oracle: InmemoryTree) -> None:
    assert all(root(size, _subtrees()) == oracle.get_root(size) for size in range(1, SIZE + 1))


@pytest.mark.parametrize("size", [1, 2, 3, 64, 65, 127, SIZE])
def test_every_inclusion_proof_is_the_same(oracle: InmemoryTree, size: int) -> None:
    for index in range(size):
        leaf, *path = oracle.prove_inclusion(index + 1, size).path
        assert leaf == LEAVES[index]
        assert sorted(path) == sorted(inclusion_proof(index, size, _subtrees()))


@pytest.mark.parametrize("size", [2, 3, 64, 65, 127, SIZE])
def test_its_consistency_proofs_hold_between_our_roots_and_ours_between_its(oracle: InmemoryTree, size: int) -> None:
    for old in range(1, size):
        before, after = root(old, _subtrees()), root(size, _subtrees())
        verify_consistency(before, after, oracle.prove_consistency(old, size))
        proof = consistency_proof(old, size, _subtrees())
        check_consistency(old, oracle.get_root(old), size, oracle.get_root(size), proof)
