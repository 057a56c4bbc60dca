"""What became of answers: given, or withheld since nobody knows or for another reason; and where hospitals differ."""

from __future__ import annotations

from typing import Any

from federated.audit_pages.index import Release, Sums
from federated.audit_pages.room import PER_PAGE, Room, percent
from federated.pages.paging import Pager, pager
from federated.pages.plots import DIFFER, NOBODY, REST, Part, stacked_bars
from federated.pages.svg import Svg
from federated.web.exchange import Rendered, Seen


def answers(room: Room, seen: Seen) -> Rendered:
    """Of one release, as hospitals told of it."""
    release = room.chosen(seen)
    sums = room.index.sums(release.place)
    many = room.index.count("SELECT count(DISTINCT site) FROM summaries WHERE release = ?", release.place)
    pages = pager(many, seen.query, rows=PER_PAGE)
    context: dict[str, Any] = {
        "heading": f"Answers by release {release.number}",
        "release": release,
        "choice": room.choice(release),
        "sums": sums,
        "tiles": _tiles(sums) if sums else [],
        "pager": pages,
        "hospitals": _hospitals(room, release, pages) if sums else None,
        "labels": _labels(release, sums) if sums else None,
        "rows": _rows(release, sums) if sums else [],
    }
    return Rendered("audit_answers.html", context)


def _tiles(sums: Sums) -> list[tuple[str, str]]:
    answered, told = float(sums.answered.sum()), float(sums.answered.sum() + sums.abstained.sum())
    rest = sums.rest.sum(axis=0) / max(1.0, answered)
    return [
        (f"{sums.decisions:,}", "answers told of"),
        (percent(answered / told if told else None), "answered"),
        (percent(float(sums.abstained[0]) / told if told else None), "withheld: nobody is qualified"),
        (percent(float(rest[0]) if answered else None), "of the evidence: nobody knows"),
        (percent(float(rest[1]) if answered else None), "of the evidence: sites disagree"),
        (f"{int(sums.confident.sum()):,}", "wrong and confident, where the truth is known"),
    ]


TOLD = """
SELECT site, sum(answered), sum(nobody), sum(otherwise), sum(decisions) FROM summaries WHERE release = ?
GROUP BY site ORDER BY site LIMIT ? OFFSET ?
"""


def _hospitals(room: Room, release: Release, pages: Pager) -> Svg:
    """One bar for each hospital that told of its answers."""
    found = room.index.rows(TOLD, release.place, pages.rows, pages.start)
    return stacked_bars(
        [
            (
                site,
                [
                    Part("answered", answered / clips, "s0", percent(answered / clips)),
                    Part("nobody qualified", nobody / clips, NOBODY, percent(nobody / clips)),
                    Part("withheld otherwise", otherwise / clips, "s1", percent(otherwise / clips)),
                ],
            )
            for site, answered, nobody, otherwise, clips in found
            if clips
        ],
        title="What became of each hospital's clips",
        most=1.0,
    )


def _labels(release: Release, sums: Sums) -> Svg:
    """One bar for each label that was answered: whose the evidence is."""
    rows = []
    for place, concept in enumerate(release.concepts):
        clips = float(sums.answered[place])
        if clips:
            prior, disagreement, other = (float(value) / clips for value in sums.rest[place])
            known = max(0.0, 1.0 - prior - disagreement - other)
            parts = (
                ("experts know", known, "s0"),
                ("nobody knows", prior, NOBODY),
                ("sites disagree", disagreement, DIFFER),
                ("kept back", other, REST),
            )
            rows.append((concept, [Part(name, share, kind, percent(share)) for name, share, kind in parts]))
    return stacked_bars(rows, title="Whose the evidence behind the answers is, label by label", most=1.0)


def _rows(release: Release, sums: Sums) -> list[tuple[str, ...]]:
    rows = []
    for place, concept in enumerate(release.concepts):
        clips = float(sums.answered[place])
        shares = [percent(float(value) / clips) if clips else "–" for value in sums.rest[place]]
        flags = (f"{int(each[place]):,}" for each in (sums.flagged, sums.wrong, sums.confident))
        rows.append((concept, f"{int(clips):,}", *shares, *flags))
    return rows
