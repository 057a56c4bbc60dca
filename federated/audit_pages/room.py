"""What all of the auditor's pages are given, and how they find what is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from federated.audit.bundle import Bundle
from federated.audit_pages.index import Index, Release
from federated.keys import TrustFile
from federated.web.exchange import Missing, Seen

PER_PAGE = 40  # experts, hospitals or releases of one plot


@dataclass(frozen=True)
class Room:
    """A bundle, its index, and the keys that somebody outside vouches for, if any were given."""

    index: Index
    bundle: Bundle
    trust: TrustFile | None

    @cached_property
    def first(self) -> int:
        """Number of the first release."""
        return min(self.index.numbers.values(), default=0)

    @cached_property
    def last(self) -> int:
        """Number of the newest release."""
        return max(self.index.numbers.values(), default=0)

    def chosen(self, seen: Seen) -> Release:
        """The release that an address names by its number; else the newest that summaries tell of, else the newest.

        Raises:
            Missing: there is no such release, or none at all.
        """
        asked = seen.query.get("release", "")
        if asked:
            return self.numbered(asked)
        places = self.index.told_of or self.index.places
        found = self.index.release(places[-1]) if places else None
        if found is None:
            raise Missing("The bundle holds no release.")
        return found

    def numbered(self, asked: str) -> Release:
        """A release by its number.

        Raises:
            Missing: there is none.
        """
        if asked.isascii() and asked.isdigit() and len(asked) < 10:
            found = self.index.rows("SELECT place FROM releases WHERE number = ? ORDER BY place", int(asked))
            release = self.index.release(found[0][0]) if found else None
            if release is not None:
                return release
        raise Missing(f"The bundle holds no release {asked}.")

    def choice(
        self, release: Release, keep: Mapping[str, str] | None = None, site: str | None = None
    ) -> dict[str, Any]:
        """What the form that chooses a release shows: what else the address keeps, and the releases beside it.

        Args:
            release: that is shown.
            keep: fields of the address.
            site: a site that the releases beside it have to hold.
        """
        before, after = self.index.beside(release.place, site)
        bounds = {"first": self.first, "last": self.last}
        return {"number": release.number, **bounds, "before": before, "after": after, "keep": dict(keep or {})}


def percent(share: float | None) -> str:
    """A share, for a person."""
    if share is None:
        return "–"
    return "< 1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"
