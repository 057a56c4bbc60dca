"""The auditor's pages as one house."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from federated.audit.limits import LIMITS
from federated.audit_pages.answers import answers
from federated.audit_pages.decisions import decision, decisions
from federated.audit_pages.experts import expert, experts
from federated.audit_pages.log import entry, log, verification
from federated.audit_pages.overview import overview
from federated.audit_pages.releases import release, releases
from federated.audit_pages.room import Room
from federated.audit_pages.weights import table, weights
from federated.web.access import Access
from federated.web.door import Door
from federated.web.exchange import Answer, Rendered, Route, Seen
from federated.web.gate import Gate
from federated.web.site import site

ROLES = ("reader",)
NAV = (
    ("/", "Overview"),
    ("/experts", "Experts"),
    ("/weights", "Weights"),
    ("/answers", "Answers"),
    ("/decisions", "Decisions"),
    ("/releases", "Releases"),
    ("/log", "Log"),
    ("/verification", "Verification"),
    ("/limits", "Limits"),
)
PAGES: dict[str, Callable[[Room, Seen], Answer]] = {
    "/": overview,
    "/experts": experts,
    "/experts/{site}": expert,
    "/weights": weights,
    "/weights.csv": table,
    "/answers": answers,
    "/decisions": decisions,
    "/decisions/{number}": decision,
    "/releases": releases,
    "/releases/{number}": release,
    "/log": log,
    "/log/{number}": entry,
    "/verification": verification,
}


def audit_house(room: Room, access: Access, door: Door) -> Gate:
    """Everything is to be read, and nothing can be sent."""
    routes = [Route(path, "reader", partial(page, room)) for path, page in PAGES.items()]
    routes.append(Route("/limits", "reader", _limits))
    title = f"Audit of {room.index.federation}"
    return site(title, routes, access, door=door, nav=NAV, packages=("federated.audit_pages",))


def _limits(_: Seen) -> Answer:
    context = {"heading": "What a sound record shows, and what it cannot", "limits": LIMITS}
    return Rendered("audit_limits.html", context)
