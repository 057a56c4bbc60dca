"""Long lists, a part at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode

ROWS = 50


class Pager(NamedTuple):
    """One part of a list, counted from 1, with what its links keep of the address."""

    total: int
    page: int
    rows: int
    keep: tuple[tuple[str, str], ...] = ()

    @property
    def pages(self) -> int:
        """How many parts there are, at least one."""
        return max(1, -(-self.total // self.rows))

    @property
    def start(self) -> int:
        """Index of the first row, from nought."""
        return (self.page - 1) * self.rows

    @property
    def first(self) -> int:
        """The first row's number, from one."""
        return min(self.total, self.start + 1)

    @property
    def last(self) -> int:
        """The last row's number."""
        return min(self.total, self.start + self.rows)

    @property
    def part(self) -> slice:
        """What to take of the list."""
        return slice(self.start, self.start + self.rows)

    def link(self, page: int) -> str:
        """The address of another part."""
        return "?" + urlencode([*self.keep, ("page", str(page))])


def pager(total: int, query: Mapping[str, str], *, rows: int = ROWS) -> Pager:
    """The part of a list that an address asks for; what is no number, or too large, is the nearest that there is."""
    asked = query.get("page", "1")
    number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else 1
    keep = tuple((name, value) for name, value in query.items() if name != "page")
    one = Pager(total, 1, rows, keep)
    return one._replace(page=min(max(1, number), one.pages))
