"""Expert cards: labels, digests, where an expert is strong, where it must not be trusted; one expert over releases."""

from __future__ import annotations

from typing import Any

from federated.audit_pages import cards
from federated.audit_pages.index import Expert, Release
from federated.audit_pages.room import PER_PAGE, Room, percent
from federated.audit_pages.tally import unpacked
from federated.pages.gauges import gauge
from federated.pages.paging import pager
from federated.pages.plots import Value, bar, heat_map
from federated.pages.svg import Svg
from federated.web.exchange import Missing, Rendered, Seen

CARDS = 18


def experts(room: Room, seen: Seen) -> Rendered:
    """All experts of a release."""
    release = room.chosen(seen)
    total = len(release.facts["sites"])
    pages = pager(total, seen.query, rows=CARDS)
    found = room.index.experts(release.place, pages.start, CARDS)
    context = {
        "heading": f"Experts of release {release.number}",
        "release": release,
        "choice": room.choice(release),
        "cards": [shown(room, release, expert) for expert in found],
        "pager": pages,
        "few_patients": cards.FEW_PATIENTS,
        "few_clips": cards.FEW_CLIPS,
    }
    return Rendered("audit_experts.html", context)


def shown(room: Room, release: Release, expert: Expert) -> dict[str, Any]:
    """One card's content."""
    card, share = expert.card, expert.share
    return {
        "site": card.site,
        "card": card,
        "share": share,
        "share_shown": percent(share),
        "gauge": None if share is None else gauge(share, title=f"{card.site}: share of the evidence behind answers"),
        "strong": cards.strong(card),
        "warnings": warnings(room, release, expert),
        "calibration": cards.CALIBRATIONS[card.calibration],
        "gram": cards.GRAMS[card.gram],
        "patients": sum(card.patients.values()),
    }


def warnings(room: Room, release: Release, expert: Expert) -> list[tuple[str, list[str]]]:
    """Where an expert must not be trusted: what is meant, and the labels or hospitals."""
    card = expert.card
    found = [
        ("never saw", cards.unknown(card, release.facts["labels"])),
        ("knows from few patients only", cards.thin(card)),
        ("is answered badly at its own hospital", cards.weak(card)),
        ("is foreign to the images of", foreign(room, release, card.site)),
    ]
    if cards.uncalibrated(card):
        found.append(("is calibrated on", [cards.CALIBRATIONS[card.calibration]]))
    return [(what, names) for what, names in found if names]


def foreign(room: Room, release: Release, site: str) -> list[str]:
    """Hospitals before whose clips the expert is mostly not qualified, as they told themselves."""
    place = release.facts["sites"].index(site)
    return [each for each, share in qualified_at(room, release, place).items() if share < cards.FOREIGN]


def qualified_at(room: Room, release: Release, place: int) -> dict[str, float]:
    """Hospital that told of its answers -> share of its clips for which the expert at a place was qualified."""
    sums: dict[str, tuple[float, float]] = {}
    told = "SELECT site, decisions, qualified FROM summaries WHERE release = ?"
    for site, decisions, qualified in room.index.rows(told, release.place):
        before, clips = sums.get(site, (0.0, 0.0))
        sums[site] = before + unpacked(qualified)[place], clips + decisions
    return {site: fit / clips for site, (fit, clips) in sorted(sums.items()) if clips}


def expert(room: Room, seen: Seen) -> Rendered:
    """One expert: in one release, and over releases.

    Raises:
        Missing: it is not in the release.
    """
    release, site = room.chosen(seen), seen.path["site"]
    found = room.index.expert(release.place, site)
    if found is None:
        raise Missing(f"Release {release.number} has no expert '{site}'.")
    at = qualified_at(room, release, release.facts["sites"].index(site))
    contributions = [(digest, room.index.entry_of(digest)) for digest in found.card.contributions]
    context = {
        "heading": site,
        "release": release,
        "choice": room.choice(release, site=site),
        "expert": shown(room, release, found),
        "labels": _labels(found),
        "over": _over_releases(room, release, site),
        "at": _at_hospitals(at, site),
        "left_out": max(0, len(at) - PER_PAGE),
        "rows": _rows(release, found),
        "contributions": contributions,
    }
    return Rendered("audit_expert.html", context)


def _labels(expert: Expert) -> Svg:
    values = [Value(label, count, f"{count:,}") for label, count in expert.card.patients.items()]
    return bar(values, title=f"Patients behind each label of {expert.card.site}")


def _at_hospitals(shares: dict[str, float], site: str) -> Svg | None:
    """Where the expert is at home first; of many hospitals those at both ends."""
    found = sorted(shares.items(), key=lambda each: -each[1])
    found = found if len(found) <= PER_PAGE else [*found[: PER_PAGE // 2], *found[-PER_PAGE // 2 :]]
    values = [Value(name, share, percent(share), "s0" if share >= cards.FOREIGN else "differ") for name, share in found]
    title = f"Share of each hospital's clips for which {site} was qualified"
    return bar(values, title=title, most=1.0, limit=cards.FOREIGN) if values else None


UPTO = """
SELECT release FROM experts WHERE site = ? AND release <= ? AND evidence IS NOT NULL ORDER BY release DESC LIMIT ?
"""


def _over_releases(room: Room, release: Release, site: str) -> Svg | None:
    """Concept by release, up to the one that is shown: the share of the evidence."""
    places = [place for (place,) in room.index.rows(UPTO, site, release.place, PER_PAGE)][::-1]
    found = [(room.index.release(place), room.index.expert(place, site)) for place in places]
    names, values = [], []
    for then, expert_then in found:
        assert then is not None
        assert expert_then is not None
        shares = dict(zip(then.concepts, expert_then.evidence, strict=True))
        names.append(f"release {then.number}")
        values.append([shares.get(concept) for concept in release.concepts])
    title = f"Share of the evidence that {site} has behind answers, over releases"
    return heat_map(names, release.concepts, values, title=title) if names else None


def _rows(release: Release, expert: Expert) -> list[tuple[str, ...]]:
    """Label by label: patients, what became of its own clips, and its part in answers."""
    card, rows = expert.card, []
    for place, concept in enumerate(release.concepts):
        right, clips = card.recalls.get(concept, (0, 0))
        counted = f"{right} of {clips}" if clips else "–"
        parts = [each[place] if each else None for each in (expert.weights, expert.contributions, expert.evidence)]
        patients = f"{card.patients[concept]:,}" if concept in card.patients else "–"
        rows.append((concept, patients, counted, *("–" if part is None else f"{part:.3f}" for part in parts)))
    return rows
