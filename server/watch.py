"""When the coordinator's next event is due, and what one line says of the last."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

from server.event import EventSummary
from server.home import CoordinatorHome

AGAIN_SECONDS = 30.0


class Watch:
    """An event is due when a site came online, when somebody asked for one, and now and then if that is wanted.

    Args:
        home: the coordinator's home.
        every: seconds after which an event is due whatever happened.
    """

    def __init__(self, home: CoordinatorHome, every: float | None = None) -> None:
        self._request, self._every = _request_path(home), every
        self._last = time.monotonic()
        self._not_before = 0.0
        self._served: set[str] = set()

    def is_due(self, online: set[str]) -> bool:
        """Whether to run an event with the sites that are online; a request is used up by this."""
        self._served &= online
        if self._request.exists():
            self._request.unlink()
            return True
        now = time.monotonic()
        overdue = self._every is not None and now - self._last >= self._every
        return now >= self._not_before and bool(online - self._served or overdue)

    def ran(self, online: set[str], summary: EventSummary) -> None:
        """Notes who was served; sites that did not answer get another event, but not at once.

        Where experts were asked that came with this event, the next one follows: its gate learns from the answers.
        """
        silent = set(_silent(summary))
        asked = any(one.kind == "consultation" and one.outcome == "accepted" for one in summary.accepted)
        self._served = set() if asked else online - silent
        self._wait(AGAIN_SECONDS if silent else 0.0)

    def failed(self) -> None:
        """Notes that the event is to be run again, but not at once."""
        self._wait(AGAIN_SECONDS)

    def _wait(self, seconds: float) -> None:
        self._last = time.monotonic()
        self._not_before = self._last + seconds


def request_event(home: CoordinatorHome) -> None:
    """Asks the coordinator that serves this home for an event, now."""
    path = _request_path(home)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.touch()


def event_line(summary: EventSummary) -> str:
    """One line about an event, for a person who watches."""
    news = [one for one in summary.accepted if one.outcome != "same"]
    taken = Counter(f"{one.kind or 'parcel'} {one.outcome}" for one in news)
    parts = [f"{count} {what}" for what, count in sorted(taken.items())] or ["nothing new"]
    if summary.number is not None:
        parts.append(f"release {summary.number}")
    if summary.trouble:
        parts.append(f"no release: {summary.trouble}")
    parts += [f"{site} did not answer ({why})" for site, why in sorted(_silent(summary).items())]
    return f"event of {summary.seconds:.1f} s: " + "; ".join(parts)


def _silent(summary: EventSummary) -> dict[str, str]:
    return {answer.site: answer.unreached for answers in summary.rounds for answer in answers if answer.unreached}


def _request_path(home: CoordinatorHome) -> Path:
    return home.path / "flower" / "event-requested"
