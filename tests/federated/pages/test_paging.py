"""A list a part at a time: whatever an address asks for, a part that there is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated.pages.paging import pager


@given(st.integers(0, 500), st.text(max_size=12))
def test_whatever_is_asked_for_there_is_a_part(total: int, asked: str) -> None:
    found = pager(total, {"page": asked}, rows=50)
    assert 1 <= found.page <= found.pages
    rows = list(range(total))[found.part]
    assert len(rows) == (found.last - found.first + 1 if total else 0)
    assert rows == [] or (rows[0], rows[-1]) == (found.first - 1, found.last - 1)


def test_all_parts_are_the_list() -> None:
    parts = [list(range(123))[pager(123, {"page": str(page)}, rows=50).part] for page in (1, 2, 3)]
    assert [row for part in parts for row in part] == list(range(123))


@pytest.mark.parametrize(
    ("asked", "page"), [("", 1), ("0", 1), ("2", 2), ("99", 3), ("-1", 1), ("9" * 30, 1), ("²", 1)]
)
def test_the_nearest_part_that_there_is(asked: str, page: int) -> None:
    assert pager(123, {"page": asked}).page == page


def test_a_link_keeps_what_was_chosen() -> None:
    assert pager(123, {"site": "a&b", "page": "2"}).link(3) == "?site=a%26b&page=3"
