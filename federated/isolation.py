"""Whether sums over overlapping groups of patients can be combined into a sum over few of them.

Blocks that leave are sums over sets of patients. Whoever holds them can form any linear combination; one that vanishes
on all but a few patients tells what those few put in (withdraw a batch and send it again without one patient: the
difference is that patient). `smallest_isolated` finds the fewest patients that a new block would isolate in this way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Members = frozenset[tuple[str, str]]
"""A block: patients, each with a digest of the images used (or an empty string)."""

Array = NDArray[np.float64]
MAX_GROUPS = 5000
TOO_MANY = 0


def smallest_isolated(new: Members, earlier: Sequence[Members], limit: int) -> int | None:
    """Fewest patients, under `limit`, that some combination of `new` with `earlier` is about; None if there are none.

    Patients are gathered into atoms, the groups that no block tells apart. With N the new block's row over the atoms
    and B the earlier blocks' rows, a combination N - sum c_i B_i vanishes outside the atoms T if N restricted to the
    others lies in the row space of B restricted to them. This is monotone in T, so when it fails for all small atoms
    together nothing is isolated; otherwise groups of small atoms are tried one by one.

    Returns:
        The number of patients, `TOO_MANY` where over `MAX_GROUPS` groups would have to be tried, or None.
    """
    blocks = _connected(new, [block for block in dict.fromkeys(earlier) if block])
    sizes, rows = _atoms([new, *blocks])
    wanted, known = rows[0], rows[1:]
    small = [index for index, patients in enumerate(sizes) if len(patients) < limit]
    if _in_span(wanted, known) or not _in_span(np.delete(wanted, small), np.delete(known, small, axis=1)):
        return None
    found = limit
    for tried, group in enumerate(_groups(sizes, small, limit)):
        if tried == MAX_GROUPS:
            return TOO_MANY
        rest = np.delete(wanted, group)
        if rest.any() and _in_span(rest, np.delete(known, group, axis=1)):
            found = min(found, len(frozenset().union(*(sizes[index] for index in group))))
    return found if found < limit else None


def _connected(new: Members, blocks: Sequence[Members]) -> list[Members]:
    """The blocks that share patients with the new one, or with such a block: others take part in no combination."""
    reached, found, rest = new, list[Members](), list(blocks)
    while near := [block for block in rest if not reached.isdisjoint(block)]:
        found += near
        reached = reached.union(*near)
        rest = [block for block in rest if block not in near]
    return found


def _atoms(blocks: Sequence[Members]) -> tuple[list[frozenset[str]], Array]:
    """Patients of each atom, and a 0/1 matrix (blocks, atoms)."""
    atoms: dict[tuple[bool, ...], set[str]] = defaultdict(set)
    for member in sorted(frozenset().union(*blocks)):
        atoms[tuple(member in block for block in blocks)].add(member[0])
    matrix = np.array(list(atoms), dtype=np.float64).reshape(len(atoms), len(blocks))
    return [frozenset(patients) for patients in atoms.values()], matrix.T


def _in_span(row: Array, rows: Array) -> bool:
    if not row.any():
        return True
    if not rows.any():
        return False
    return bool(np.linalg.matrix_rank(np.vstack([rows, row])) == np.linalg.matrix_rank(rows))


def _groups(sizes: Sequence[frozenset[str]], small: Sequence[int], limit: int) -> Iterator[list[int]]:
    """Every non-empty group of small atoms with fewer than `limit` patients in all."""
    stack: list[tuple[list[int], frozenset[str], int]] = [([], frozenset(), 0)]
    while stack:
        group, patients, start = stack.pop()
        if group:
            yield group
        for position in range(start, len(small)):
            wider = patients | sizes[small[position]]
            if len(wider) < limit:
                stack.append(([*group, small[position]], wider, position + 1))
