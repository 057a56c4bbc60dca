"""What changed and when: releases by their manifests, plans and approvals, and what the log tells beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from federated.audit.bundle import Bundle, Head
from federated.audit.dossier.document import Grid, Line, Section
from federated.change_plan import changes
from federated.log.entries import Entry

LOG = "the log"
RELEASES = ("number", "digest", "logged", "what changed", "change plan", "approvals", "hospitals' choices", "now")
ABOUT = (
    "Releases as the coordinator signed them, each held against the one that it names as the one before; times and "
    "choices as the log tells them. Whether log, plans and approvals hold is what consilium audit verify says."
)
NO_LOG = "No log is in the bundle: times, choices, recalls and approvals are not stated."
EVENTS = {
    "init": "the federation began",
    "enrol": "a hospital was let in",
    "rotate": "a hospital changed its key",
    "revoke": "keys of a hospital ended",
    "vocabulary": "the labels were changed",
    "withdraw": "what a hospital sent was taken back",
    "roll back": "an older release was brought back",
    "recall": "a release was recalled",
    "approver": "somebody may approve releases",
    "approver ended": "somebody may not approve any more",
    "plan": "a change plan came into force",
}
SHORT = 12  # digits of a digest
SHOWN = 500  # entries


@dataclass
class Told:
    """What the log tells of one release."""

    at: str = ""
    plan: str | None = None
    approvals: int = 0
    recalled: bool = False


def history(bundle: Bundle) -> Section:
    """Every release, and every other event that changed something.

    Raises:
        ConsiliumError: the log is damaged.
    """
    told: dict[str, Told] = {}
    choices: dict[str, dict[str, str]] = {}
    events: list[tuple[str, ...]] = []
    counts: Counter[str] = Counter()
    for number, entry in enumerate(bundle.entries()):
        counts[entry.event] += 1
        _take(entry, told, choices)
        if entry.event in EVENTS:
            events.append((str(number), entry.at, EVENTS[entry.event], entry.site or "", _short(entry.subject)))
    rows = tuple(_releases(bundle.releases(), told, choices))
    return Section(
        title="Change history",
        about=ABOUT,
        lines=(_logged(counts),),
        grids=(
            Grid(title="Releases", columns=RELEASES, rows=rows, numbers=(0, 5), items=("TRIPOD+AI 24",)),
            Grid(
                title="What else happened" if len(events) <= SHOWN else f"What else happened, the last {SHOWN}",
                columns=("entry", "time", "what", "hospital", "digest"),
                rows=tuple(events[-SHOWN:]),
                numbers=(0,),
                empty="Not stated: no log is in the bundle.",
            ),
        ),
        notes=() if counts else (NO_LOG,),
    )


def _take(entry: Entry, told: dict[str, Told], choices: dict[str, dict[str, str]]) -> None:
    if entry.event in ("release", "recall") and entry.subject is not None:
        # a recall is about the parcel of the recall, and concerns the release
        digest = entry.subject if entry.event == "release" else str(entry.concerns)
        one = told.setdefault(digest, Told())
        one.recalled = entry.event == "recall"
        if entry.event == "release":
            one.at, one.plan, one.approvals = entry.at, entry.plan, len(entry.approvals)
    if entry.choice is not None and entry.concerns is not None and entry.site is not None:
        choices.setdefault(entry.concerns, {})[entry.site] = entry.choice


def _logged(counts: Counter[str]) -> Line:
    text = None
    if counts:
        most = ", ".join(f"{count} of '{event}'" for event, count in sorted(counts.items()))
        text = f"{counts.total()} entries: {most}"
    items = ("FUTURE-AI Traceability 4", "FUTURE-AI Traceability 5", "FUTURE-AI Traceability 6")
    return Line(topic="Log", text=text, source=LOG, items=items)


def _releases(
    heads: Iterable[Head], told: dict[str, Told], choices: dict[str, dict[str, str]]
) -> Iterator[tuple[str, ...]]:
    known = {head.digest: head for head in heads}
    for digest, head in known.items():
        one = told.get(digest, Told())
        chosen = ", ".join(f"{site} {choice}" for site, choice in sorted(choices.get(digest, {}).items()))
        yield (
            str(head.manifest.number),
            _short(digest),
            one.at or "-",
            _changed(head, known.get(head.manifest.previous)),
            _short(one.plan) or "-",
            str(one.approvals),
            chosen or "-",
            "recalled" if one.recalled else "stands",
        )


def _changed(head: Head, before: Head | None) -> str:
    """In words, hospitals and labels by name."""
    now = head.manifest
    if now.previous is None:
        return "the first"
    if before is None:
        return f"the release before, {_short(now.previous)}, is not in the bundle"
    was = before.manifest
    joined, left = ({site.name for site in one.sites} - {site.name for site in other.sites}
                    for one, other in ((now, was), (was, now)))  # fmt: skip
    named = {
        "sites-added": f"joined: {', '.join(sorted(joined))}",
        "sites-removed": f"left: {', '.join(sorted(left))}",
        "labels-added": f"new labels: {', '.join(label for label in now.labels if label not in was.labels)}",
        "labels-removed": f"labels gone: {', '.join(label for label in was.labels if label not in now.labels)}",
    }
    return "; ".join(named.get(change, change) for change in changes(was, now)) or "nothing but reports"


def _short(digest: str | None) -> str:
    return "" if digest is None else digest.removeprefix("sha256:")[:SHORT]
