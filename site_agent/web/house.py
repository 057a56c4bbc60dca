"""All pages of a hospital behind their gate."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from federated.web.exchange import Answer, Route, Seen
from federated.web.limits import Buckets
from federated.web.site import site
from site_agent.web import data, decisions, departures, experts, pending, releases

if TYPE_CHECKING:
    from federated.web.access import Access
    from federated.web.door import Door
    from federated.web.gate import Gate
    from site_agent.home import SiteHome

VIEWER, APPROVER = "viewer", "approver"
ROLES = (VIEWER, APPROVER)
NAV = (
    ("/", "My data"),
    ("/pending", "Waiting"),
    ("/left", "What left"),
    ("/experts", "What experts say"),
    ("/decisions", "Answers"),
    ("/releases", "Releases"),
)
Page = Callable[["SiteHome", Seen], Answer]
SHOWN: tuple[tuple[str, Page], ...] = (
    ("/", data.data),
    ("/pending", pending.waiting),
    ("/pending/{digest}", pending.draft),
    ("/left", departures.left),
    ("/left/{digest}", departures.receipt),
    ("/left/{digest}/receipt.json", departures.receipt_file),
    ("/left/{digest}/proof.json", departures.proof_file),
    ("/experts", experts.experts),
    ("/decisions", decisions.decisions),
    ("/decisions/{number}", decisions.decision),
    ("/releases", releases.releases),
    ("/releases/{number}", releases.release),
)
SIGNED: tuple[tuple[str, Callable[[SiteHome, Buckets, Seen], Answer]], ...] = (
    ("/pending/{digest}/approve", pending.approve),
    ("/pending/{digest}/reject", pending.reject),
)
CHOSEN: tuple[tuple[str, Page], ...] = (
    ("/releases/{number}/evaluate", releases.evaluate),
    ("/releases/{number}/choose", releases.choose),
)
DONE = (*SIGNED, *CHOSEN)
GUESSES, GUESSES_RATE = 5.0, 1 / 60  # wrong passphrases at once, and a second after that


def hospital(home: SiteHome, access: Access, door: Door) -> Gate:
    """The pages of one site.

    Args:
        home: the site's.
        access: who is let in, as viewer or as approver.
        door: where they are reached.
    """
    guesses = Buckets(GUESSES, GUESSES_RATE)
    routes = [
        *(Route(path, VIEWER, partial(page, home)) for path, page in SHOWN),
        Route("/pending/{digest}/draft", APPROVER, partial(pending.whole, home)),
        *(Route(path, APPROVER, partial(page, home, guesses), ("POST",)) for path, page in SIGNED),
        *(Route(path, APPROVER, partial(page, home), ("POST",)) for path, page in CHOSEN),
    ]
    return site(home.config.site, routes, access, door=door, nav=NAV, packages=("site_agent.web",))
