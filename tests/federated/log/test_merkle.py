from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.errors import ContractError
from federated.log.merkle import (
    EMPTY_ROOT,
    Growing,
    Subtrees,
    check_consistency,
    complete,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    root_from_inclusion,
)

ENTRIES = [
    bytes.fromhex(each)
    for each in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
"""Of the first so many entries: the tree by which implementations of Certificate Transparency are tested."""
INCLUSION = {  # (entry, size) -> proof, of the same tree
    (0, 1): (),
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 3): ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",),
    (1, 5): (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}
CONSISTENCY = {  # (old, size) -> proof, of the same tree
    (1, 1): (),
    (1, 8): INCLUSION[0, 8],
    (6, 8): (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 5): (
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}
LARGEST = 70
sizes = st.integers(1, LARGEST)


def _leaves(size: int) -> list[bytes]:
    return [leaf_hash(number.to_bytes(2, "big")) for number in range(size)]


def _over(leaves: list[bytes]) -> Subtrees:
    return lambda level, index: complete(leaves[index << level : (index + 1) << level])


def _by_definition(leaves: list[bytes]) -> bytes:
    """MTH as RFC 6962 writes it."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else EMPTY_ROOT
    half = 1
    while 2 * half < len(leaves):
        half *= 2
    return node_hash(_by_definition(leaves[:half]), _by_definition(leaves[half:]))


def _published(size: int) -> Subtrees:
    return _over([leaf_hash(entry) for entry in ENTRIES[:size]])


def test_published_roots() -> None:
    assert tuple(root(size, _published(size)).hex() for size in range(1, 9)) == ROOTS


@pytest.mark.parametrize("entry_and_size", INCLUSION)
def test_published_inclusion_proofs(entry_and_size: tuple[int, int]) -> None:
    entry, size = entry_and_size
    proof = inclusion_proof(entry, size, _published(size))
    assert tuple(each.hex() for each in proof) == INCLUSION[entry_and_size]
    assert root_from_inclusion(leaf_hash(ENTRIES[entry]), entry, size, proof).hex() == ROOTS[size - 1]


@pytest.mark.parametrize("old_and_size", CONSISTENCY)
def test_published_consistency_proofs(old_and_size: tuple[int, int]) -> None:
    old, size = old_and_size
    proof = consistency_proof(old, size, _published(size))
    assert tuple(each.hex() for each in proof) == CONSISTENCY[old_and_size]
    check_consistency(old, bytes.fromhex(ROOTS[old - 1]), size, bytes.fromhex(ROOTS[size - 1]), proof)


def test_a_tree_of_nothing_has_the_digest_of_nothing() -> None:
    assert root(0, _over([])) == EMPTY_ROOT == Growing().root


@given(st.integers(0, LARGEST))
def test_roots_are_as_defined_whole_or_grown(size: int) -> None:
    leaves, growing = _leaves(size), Growing()
    growing.add(leaves)
    assert root(size, _over(leaves)) == growing.root == _by_definition(leaves)
    assert growing.size == size


@given(st.data(), sizes)
def test_every_entry_is_proved_and_no_other(data: st.DataObject, size: int) -> None:
    leaves = _leaves(size)
    index = data.draw(st.integers(0, size - 1))
    proof, top = inclusion_proof(index, size, _over(leaves)), _by_definition(leaves)
    assert root_from_inclusion(leaves[index], index, size, proof) == top
    assert root_from_inclusion(leaf_hash(b"another"), index, size, proof) != top
    other = data.draw(st.integers(0, size - 1))
    if other != index:
        assert not _leads_to(top, leaves[index], other, size, proof)


def _leads_to(top: bytes, leaf: bytes, index: int, size: int, proof: list[bytes]) -> bool:
    try:
        return root_from_inclusion(leaf, index, size, proof) == top
    except ContractError:
        return False


@given(st.data(), sizes)
def test_what_grew_is_proved_and_what_changed_is_not(data: st.DataObject, size: int) -> None:
    leaves = _leaves(size)
    old = data.draw(st.integers(0, size))
    before, after = _by_definition(leaves[:old]), _by_definition(leaves)
    proof = consistency_proof(old, size, _over(leaves))
    check_consistency(old, before, size, after, proof)
    if old:
        changed = data.draw(st.integers(0, old - 1))
        forged = [*leaves[:changed], leaf_hash(b"forged"), *leaves[changed + 1 :]]
        with pytest.raises(ContractError):
            check_consistency(old, before, size, _by_definition(forged), consistency_proof(old, size, _over(forged)))


@given(st.data(), st.integers(2, LARGEST))
def test_a_proof_with_anything_changed_proves_nothing(data: st.DataObject, size: int) -> None:
    leaves = _leaves(size)
    old = data.draw(st.integers(1, size - 1))
    before, after = _by_definition(leaves[:old]), _by_definition(leaves)
    proof = consistency_proof(old, size, _over(leaves))
    place = data.draw(st.integers(0, len(proof) - 1))
    flipped = bytes([proof[place][0] ^ 1]) + proof[place][1:]
    for wrong in ([*proof[:place], flipped, *proof[place + 1 :]], proof[:-1], [*proof, proof[0]], []):
        with pytest.raises(ContractError):
            check_consistency(old, before, size, after, wrong)


@pytest.mark.parametrize(
    ("old", "old_root", "size", "new_root", "proof"),
    [
        (0, ROOTS[0], 3, ROOTS[2], ()),
        (3, ROOTS[2], 3, ROOTS[3], ()),
        (3, ROOTS[2], 3, ROOTS[2], (ROOTS[0],)),
        (0, EMPTY_ROOT.hex(), 3, ROOTS[2], (ROOTS[0],)),
        (5, ROOTS[4], 3, ROOTS[2], ()),
        (-1, ROOTS[4], 3, ROOTS[2], ()),
    ],
)
def test_trees_that_do_not_go_on_from_each_other(
    old: int, old_root: str, size: int, new_root: str, proof: tuple[str, ...]
) -> None:
    with pytest.raises(ContractError):
        check_consistency(
            old, bytes.fromhex(old_root), size, bytes.fromhex(new_root), [bytes.fromhex(each) for each in proof]
        )


def test_a_proof_of_another_length_is_refused() -> None:
    proof = inclusion_proof(5, 8, _published(8))
    for wrong in (proof[:-1], [*proof, proof[0]]):
        with pytest.raises(ContractError, match="not what entry 5 of 8 needs"):
            root_from_inclusion(leaf_hash(ENTRIES[5]), 5, 8, wrong)
    with pytest.raises(ContractError, match="no entry 8"):
        root_from_inclusion(leaf_hash(ENTRIES[5]), 8, 8, proof)


@pytest.mark.parametrize("index", [-1, 8])
def test_what_is_not_there_has_no_proof(index: int) -> None:
    with pytest.raises(ValueError, match="has no entry"):
        inclusion_proof(index, 8, _published(8))


def test_a_larger_tree_is_no_beginning_of_a_smaller_one() -> None:
    with pytest.raises(ValueError, match="does not go on"):
        consistency_proof(8, 5, _published(8))
