"""What is left of a label map after its clean-up."""

from __future__ import annotations

import numpy as np

from shared_models.mask_components import holes, large_pieces, largest_piece, largest_pieces


def _map(*rows: str) -> np.ndarray:
    return np.array([[int(value) for value in row] for row in rows], dtype=np.uint8)


def test_the_largest_piece_of_each_structure_stays() -> None:
    before = _map("1100022", "1100000", "0000220", "1000220", "0000000")
    after = _map("1100000", "1100000", "0000220", "0000220", "0000000")
    assert np.array_equal(largest_pieces(before, (1, 2)), after)


def test_large_pieces_stay_where_a_share_is_given() -> None:
    before = _map("1111100011", "0000000000", "1000000000")
    after = _map("1111100011", "0000000000", "0000000000")
    assert np.array_equal(largest_pieces(before, (1,), least=0.4), after)
    assert np.array_equal(large_pieces(before == 1, 0.2), before == 1)
    assert not large_pieces(before == 2, 0.2).any()


def test_structures_that_are_not_named_stay_as_they_are() -> None:
    before = _map("1010", "0000", "2020")
    assert np.array_equal(largest_pieces(before, (2,)), _map("1010", "0000", "2000"))


def test_holes_are_filled_and_what_lies_inside_stays() -> None:
    before = _map("11111", "10121", "11111")
    assert np.array_equal(largest_pieces(before, (1, 2)), _map("11111", "11121", "11111"))


def test_corners_do_not_hold_together() -> None:
    assert largest_piece(_map("110", "001", "001") == 1).sum() == 2


def test_an_empty_map_stays_empty() -> None:
    empty = np.zeros((4, 4), dtype=np.uint8)
    assert not largest_pieces(empty, (1, 2)).any()
    assert not largest_piece(empty == 1).any()
    assert not holes(empty == 1).any()


def test_the_given_map_is_left_alone() -> None:
    before = _map("101")
    largest_pieces(before, (1,))
    assert np.array_equal(before, _map("101"))
