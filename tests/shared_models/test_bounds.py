from __future__ import annotations

import pytest

from shared_models.bounds import MOST_CHANNELS, MOST_VALUES, require_room, require_sizes


@pytest.mark.parametrize("size", [True, 3.0, "3", None])
def test_what_is_no_whole_number_is_a_type_error(size: object) -> None:
    with pytest.raises(TypeError, match=r"a net of side .* which is no whole number"):
        require_sizes("a net", side=(size, range(1, 9)))


def test_sizes_at_the_ends_are_taken_and_no_further_ones() -> None:
    require_sizes("a net", side=(1, range(1, 9)), width=(8, range(1, 9)))
    for size in (0, 9):
        with pytest.raises(ValueError, match=f"a net of width {size}; 1 to 8 are taken"):
            require_sizes("a net", side=(2, range(1, 9)), width=(size, range(1, 9)))


def test_there_is_room_for_so_much() -> None:
    require_room("a net", MOST_CHANNELS, MOST_VALUES)
    with pytest.raises(ValueError, match=f"{MOST_CHANNELS + 1} channels at its widest"):
        require_room("a net", MOST_CHANNELS + 1, 1)
    with pytest.raises(ValueError, match=f"{MOST_VALUES + 1} numbers an image"):
        require_room("a net", 1, MOST_VALUES + 1)
