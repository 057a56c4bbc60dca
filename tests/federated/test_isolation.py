from __future__ import annotations

import itertools
import time

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from federated.isolation import TOO_MANY, Members, smallest_isolated


def _block(*patients: int, images: str = "") -> Members:
    return frozenset((f"p{patient}", images) for patient in patients)


def test_nothing_earlier_isolates_nobody() -> None:
    assert smallest_isolated(_block(*range(10)), [], 5) is None


def test_same_block_again_tells_nothing_new() -> None:
    assert smallest_isolated(_block(*range(10)), [_block(*range(10))], 5) is None


def test_withdraw_and_send_again_without_one_isolates_that_one() -> None:
    assert smallest_isolated(_block(*range(9)), [_block(*range(10))], 5) == 1


def test_symmetric_difference_counts_both_sides() -> None:
    earlier = [_block(*range(20))]
    assert smallest_isolated(_block(*range(2, 22)), earlier, 5) == 4
    assert smallest_isolated(_block(*range(3, 23)), earlier, 5) is None


def test_difference_to_a_sum_of_earlier_blocks_is_found() -> None:
    earlier = [_block(*range(10)), _block(*range(10, 20))]
    assert smallest_isolated(_block(*range(19)), earlier, 5) == 1
    assert smallest_isolated(_block(*range(20)), earlier, 5) is None


def test_last_piece_of_a_whole_that_left_before_is_found() -> None:
    earlier = [_block(*range(20)), _block(*range(10))]
    assert smallest_isolated(_block(*range(10, 19)), earlier, 5) == 1


def test_returning_patients_in_large_blocks_are_no_difference() -> None:
    earlier = [_block(*range(10)), _block(0, 1, *range(20, 30))]
    assert smallest_isolated(_block(0, 5, 21, *range(40, 50)), earlier, 5) is None


def test_other_images_of_one_patient_isolate_that_patient() -> None:
    first = _block(*range(10), images="a")
    again = (first - _block(3, images="a")) | _block(3, images="b")
    assert smallest_isolated(again, [first], 5) == 1


def test_small_block_alone_is_not_a_difference() -> None:
    assert smallest_isolated(_block(1, 2), [_block(*range(10, 20))], 5) is None


def test_refuses_rather_than_trying_for_ever() -> None:
    pairs = [_block(2 * patient, 2 * patient + 1) for patient in range(40)]
    earlier = [*pairs, _block(*range(0, 80, 2)), _block(*range(0, 40, 2))]
    start = time.perf_counter()
    assert smallest_isolated(_block(*range(1, 80, 2)) | _block(100), earlier, 40) == TOO_MANY
    assert time.perf_counter() - start < 10


blocks = st.sets(st.integers(0, 6), min_size=1, max_size=7).map(lambda patients: _block(*patients))


@given(blocks, st.lists(blocks, max_size=3), st.integers(1, 5))
@settings(max_examples=150, deadline=None)
def test_no_small_combination_is_missed(new: Members, earlier: list[Members], limit: int) -> None:
    """Against every combination with coefficients -2 ... 2."""
    patients = sorted(frozenset().union(new, *earlier))
    row = np.array([patient in new for patient in patients], dtype=float)
    rows = np.array([[patient in block for patient in patients] for block in earlier], dtype=float)
    rows = rows.reshape(len(earlier), len(patients))
    if np.linalg.matrix_rank(np.vstack([rows, row])) == (np.linalg.matrix_rank(rows) if earlier else 0):
        assert smallest_isolated(new, earlier, limit) is None
        return
    combined = row + np.array(list(itertools.product((-2, -1, 0, 1, 2), repeat=len(earlier)))) @ rows
    others = combined[np.any((combined == 0) & (row == 1), axis=1)]
    smallest = min((int(np.count_nonzero(line)) for line in others), default=limit)
    found = smallest_isolated(new, earlier, limit)
    assert (limit if found is None else found) <= smallest


def test_blocks_that_share_nobody_with_the_new_one_do_not_count() -> None:
    """Each of theirs is cut into many small groups, of which too many would have to be tried."""
    others = [_block(*range(start, 2000, step)) for step in range(7, 40) for start in (1000, 1003)]
    again = [_block(*range(20)), _block(*range(2, 20))]
    assert smallest_isolated(_block(*range(4, 20)), [*others, *again], 5) == 2
