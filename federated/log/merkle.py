"""Merkle trees over entries, with proofs that an entry is there and that nothing before it changed.

RFC 6962, section 2.1 (hashes and proofs) and RFC 9162, section 2.1 (how proofs are verified). A tree is never held as a
whole: whoever asks for a root or a proof hands in a function that gives hashes of complete subtrees.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

from federated.errors import ContractError

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
LONGEST_PROOF = 64  # hashes: of trees of less than 2^63 entries
Subtrees = Callable[[int, int], bytes]
"""(level, index) -> hash of the index-th subtree of 2^level entries, which must be complete."""


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256 of 0x00 and the entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256 of 0x01 and both children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def complete(hashes: Sequence[bytes]) -> bytes:
    """Hash of a complete subtree from those of its 2^n equal parts."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=True)]
    return row[0]


def root(size: int, subtrees: Subtrees) -> bytes:
    """Of a tree of so many entries."""
    return _hash_of(0, size, subtrees) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, subtrees: Subtrees) -> list[bytes]:
    """PATH(m, D[n]): hashes beside the way from an entry up to the root, lowest first.

    Raises:
        ValueError: there is no such entry in a tree of this size.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} entries has no entry {index}")
    path: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _left(end - begin)
        if index < middle:
            path.append(_hash_of(middle, end, subtrees))
            end = middle
        else:
            path.append(_hash_of(begin, middle, subtrees))
            begin = middle
    return path[::-1]


def consistency_proof(old: int, size: int, subtrees: Subtrees) -> list[bytes]:
    """PROOF(m, D[n]): what shows that a tree of `old` entries is the beginning of one of `size`; empty from nothing.

    Raises:
        ValueError: the older tree is the larger one.
    """
    if not 0 <= old <= size:
        raise ValueError(f"a tree of {size} entries does not go on from one of {old}")
    if old in (0, size):
        return []
    proof: list[bytes] = []
    begin, end, whole = 0, size, True
    while old != end:
        middle = begin + _left(end - begin)
        if old <= middle:
            proof.append(_hash_of(middle, end, subtrees))
            end = middle
        else:
            proof.append(_hash_of(begin, middle, subtrees))
            begin, whole = middle, False
    if not whole:
        proof.append(_hash_of(begin, end, subtrees))
    return proof[::-1]


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that a leaf's hash and an inclusion proof lead to (RFC 9162, 2.1.3.2).

    Raises:
        ContractError: the proof is of another length than one for this entry and size.
    """
    if not 0 <= index < size:
        raise ContractError(f"a tree of {size} entries has no entry {index}", where="inclusion proof")
    inner = (index ^ (size - 1)).bit_length()
    if len(proof) != inner + (index >> inner).bit_count():
        raise ContractError(f"has {len(proof)} hashes, which is not what entry {index} of {size} needs", where="proof")
    found = leaf
    for height, sibling in enumerate(proof):
        right = height >= inner or index >> height & 1
        found = node_hash(sibling, found) if right else node_hash(found, sibling)
    return found


def check_consistency(old: int, old_root: bytes, size: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Whether a tree is the beginning of another (RFC 9162, 2.1.4.2).

    Raises:
        ContractError: it is not, as far as the proof shows.
    """
    where = "consistency proof"
    if not 0 <= old <= size:
        raise ContractError(f"a tree of {size} entries does not go on from one of {old}", where=where)
    if old in (0, size):
        if proof:
            raise ContractError("has hashes where none are needed", where=where)
        if (old == 0 and old_root != EMPTY_ROOT) or (old == size and old_root != new_root):
            raise ContractError(f"two trees of {old} entries have different roots", where=where)
        return
    if _roots_from_consistency(old, old_root, size, proof) != (old_root, new_root):
        raise ContractError(f"the {old} entries seen before are not the first of these {size}", where=where)


def _roots_from_consistency(old: int, old_root: bytes, size: int, proof: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The roots of both trees, as a proof has them."""
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    node, last = old - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    if not path:
        raise ContractError("is empty", where="consistency proof")
    older = newer = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ContractError("is too long", where="consistency proof")
        if node & 1 or node == last:
            older, newer = node_hash(sibling, older), node_hash(sibling, newer)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            newer = node_hash(newer, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise ContractError("is too short", where="consistency proof")
    return older, newer


class Growing:
    """A tree of which only the right edge is kept, so that a root takes no more memory than a proof."""

    def __init__(self) -> None:
        self.size = 0
        self._edge: list[bytes] = []  # hashes of complete subtrees, largest first

    def add(self, leaves: Iterable[bytes]) -> None:
        """Hashes of further entries."""
        for leaf in leaves:
            found, place = leaf, self.size
            while place & 1:
                found, place = node_hash(self._edge.pop(), found), place >> 1
            self._edge.append(found)
            self.size += 1

    @property
    def root(self) -> bytes:
        """Of all so far."""
        if not self._edge:
            return EMPTY_ROOT
        found = self._edge[-1]
        for left in self._edge[-2::-1]:
            found = node_hash(left, found)
        return found


def _left(count: int) -> int:
    """The largest power of two below a count."""
    return 1 << (count - 1).bit_length() - 1


def _hash_of(begin: int, end: int, subtrees: Subtrees) -> bytes:
    """MTH(D[begin:end]) of a range that a node of the tree spans."""
    count = end - begin
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return subtrees(level, begin >> level)
    middle = begin + _left(count)
    return node_hash(_hash_of(begin, middle, subtrees), _hash_of(middle, end, subtrees))
