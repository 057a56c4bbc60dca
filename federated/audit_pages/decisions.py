"""One answer taken apart: a bar of everybody's share, each hospital's qualification, what would be without each."""

from __future__ import annotations

from typing import Any

from federated.audit.explain import Explanation
from federated.audit.wording import sentences
from federated.audit_pages.room import PER_PAGE, Room, percent
from federated.pages.gauges import gauge
from federated.pages.paging import pager
from federated.pages.plots import DIFFER, KINDS, NOBODY, REST, Part, Value, bar, stacked_bar
from federated.pages.svg import Svg
from federated.web.exchange import Missing, Rendered, Seen

STANDINGS = ("sites know", "nobody knows", "sites disagree")


def decisions(room: Room, seen: Seen) -> Rendered:
    """All that were opened or predicted; `standing` chooses among them."""
    asked = seen.query.get("standing", "")
    standing = asked if asked in STANDINGS else ""
    where, values = ("WHERE standing = ?", (standing,)) if standing else ("", ())
    total = room.index.count(f"SELECT count(*) FROM decisions {where}", *values)  # noqa: S608 - one of two texts of ours
    pages = pager(total, seen.query)
    listed = (
        f"SELECT id, name, site, label, best, standing, release FROM decisions {where} ORDER BY id LIMIT ? OFFSET ?"  # noqa: S608
    )
    context = {
        "heading": "Decisions",
        "standings": STANDINGS,
        "standing": standing,
        "pager": pages,
        "rows": room.index.rows(listed, *values, pages.rows, pages.start),
        "numbers": room.index.numbers,
    }
    return Rendered("audit_decisions.html", context)


def decision(room: Room, seen: Seen) -> Rendered:
    """One of them.

    Raises:
        Missing: there is none of this number.
    """
    asked = seen.path["number"]
    found = room.index.decision(int(asked)) if asked.isascii() and asked.isdigit() and len(asked) < 12 else None
    if found is None:
        raise Missing("There is no such decision.")
    source, site, explained = found
    accounts = sorted(explained.sites, key=lambda one: -(one.evidence or 0.0))
    context = {
        "heading": explained.label or "Nothing was answered",
        "decision": explained,
        "number": room.index.numbers.get(explained.release),
        "source": source,
        "site": site,
        "entry": room.index.entry_of(source),
        "bar": shares(explained),
        "effects": effects(explained),
        "accounts": [_account(explained, one) for one in accounts[:PER_PAGE]],
        "more": max(0, len(accounts) - PER_PAGE),
        "sentences": sentences(explained)[:SENTENCES],
    }
    return Rendered("audit_decision.html", context)


SENTENCES = 60


def shares(found: Explanation) -> Svg:
    """Everybody's share of the evidence: the first hospitals by name, the others together, then what is nobody's."""
    known = sorted(((one.evidence or 0.0, one.site) for one in found.sites), reverse=True)
    parts = [
        Part(site, share, kind, percent(share)) for (share, site), kind in zip(known, KINDS, strict=False) if share
    ]
    others = sum(share for share, _ in known[len(KINDS) :])
    rest = (
        ("other experts", others, REST),
        ("kept back", found.other, REST),
        ("nobody knows", found.prior, NOBODY),
        ("sites disagree", found.disagreement, DIFFER),
    )
    parts += [Part(name, share, kind, percent(share)) for name, share, kind in rest if share]
    return stacked_bar(parts, title=f"Whose the evidence for {found.best} is")


def effects(found: Explanation) -> Svg | None:
    """What the score would lose or gain without each expert, where the rule was fitted again."""
    told = [(one.without.effect, one.site) for one in found.sites if one.without is not None]
    told.sort(key=lambda one: -abs(one[0]))
    values = [Value(site, effect, f"{effect:+.3f}", "s1" if effect < 0 else "s7") for effect, site in told[:12]]
    return bar(values, title=f"Change of the score of {found.best} without each expert") if values else None


def _account(found: Explanation, one: Any) -> dict[str, Any]:
    return {
        "site": one.site,
        "p": one.p,
        "gauge": gauge(
            one.p,
            title=f"p-value of {one.site}",
            kind="s0" if one.qualified is not False else "nobody",
            limit=found.alpha,
        ),
        "qualified": one.qualified,
        "weight": f"{one.weight:.3f}",
        "contribution": f"{one.contribution:.3f}",
        "evidence": percent(one.evidence) if one.evidence is not None else "kept back",
        "effect": None if one.without is None else f"{one.without.effect:+.3f}",
        "without": None if one.without is None else (one.without.best or "nobody"),
    }
