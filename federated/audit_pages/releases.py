"""Releases: what each is made of, under which settings, and what changed since the one before."""

from __future__ import annotations

from federated.audit.bundle import Head
from federated.audit_pages.index import Release
from federated.audit_pages.room import PER_PAGE, Room, percent
from federated.change_plan import changes
from federated.errors import ConsiliumError
from federated.pages.paging import pager
from federated.web.exchange import Rendered, Seen


def releases(room: Room, seen: Seen) -> Rendered:
    """All of them, the newest first."""
    pages = pager(len(room.index.places), seen.query, rows=PER_PAGE)
    context = {
        "heading": "Releases",
        "rows": [_row(one) for one in room.index.releases(pages.start, pages.rows)],
        "pager": pages,
    }
    return Rendered("audit_releases.html", context)


def _row(one: Release) -> dict[str, object]:
    facts = one.facts
    return {
        "number": one.number,
        "digest": one.digest,
        "rule": facts["rule"],
        "labels": len(facts["labels"]),
        "sites": len(facts["sites"]),
        "contributions": f"{facts['contributions']:,}",
        "patients": f"{facts['patients']:,}",
        "balanced": percent(facts["balanced"]),
    }


def release(room: Room, seen: Seen) -> Rendered:
    """One of them."""
    found = room.numbered(seen.path["number"])
    facts, log = found.facts, "SELECT number, at, event, plan, approvals FROM entries WHERE subject = ? ORDER BY number"
    head = room.bundle.head(found.digest)
    settings = [
        ("rule", facts["rule"]),
        ("front end", facts["front_end"]),
        ("how foreign sites are silenced", facts["weighting"]),
        ("level of refusal (alpha)", f"{facts['alpha']:g}"),
        ("temperature", f"{facts['temperature']:.4g}"),
        ("patients counted", f"{facts['patients']:,}"),
        ("right at hospitals' own clips", percent(facts["balanced"])),
    ]
    context = {
        "heading": f"Release {found.number}",
        "release": found,
        "settings": settings,
        "entries": room.index.rows(log, found.digest),
        "before": room.index.numbers.get(facts["previous"]) if facts["previous"] else None,
        "changes": _changes(room, head),
        "sites": facts["sites"][:PER_PAGE],
        "more": max(0, len(facts["sites"]) - PER_PAGE),
    }
    return Rendered("audit_release.html", context)


def _changes(room: Room, head: Head) -> list[str] | None:
    """What is another than in the release before, in words; None where that one is not here."""
    previous = head.manifest.previous
    if previous is None or previous not in room.index.numbers:
        return None
    try:
        return [str(each) for each in changes(room.bundle.head(previous).manifest, head.manifest)]
    except ConsiliumError:
        return None
