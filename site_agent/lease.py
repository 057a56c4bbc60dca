"""How long this site may answer by a release: the coordinator's list of those that stand, and the newest time seen.

A home that was never handed a list answers as long as it likes. One that was answers by what the newest list names,
until its lease is over, which begins when the list was made, or when it came where it says that it was made later. The
newest time that was ever seen is kept, so that a clock that is put back lengthens nothing; it is never taken for more
than the end of the lease, so that a clock that once ran ahead is mended by the next list.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import StringConstraints, ValidationError

from federated.contract import Frozen
from federated.errors import ConsiliumError, SequenceError, cannot_read
from federated.files import write_whole
from federated.release_status import TIME, ReleaseStatus, parse_time, read_status, write_time
from site_agent.adopt import Held, read_shelf

if TYPE_CHECKING:
    from site_agent.home import SiteHome

RENEW = "get a newer list: consilium site run, or consilium site import what the coordinator exports"
OTHER = "adopt one that stands (consilium site status), or take in the coordinator's newest list"
NOTHING = "no release answers here"


class Clock(Frozen):
    """The newest time that was seen here, and when the list that is held was taken in."""

    version: Literal[1] = 1
    seen: Annotated[str, StringConstraints(pattern=TIME)]
    taken: Annotated[str, StringConstraints(pattern=TIME)] | None = None


class Lease(Frozen):
    """What the newest list says.

    Attributes:
        issued, until: UTC.
        expired: whether nothing may be answered by it any more.
        standing: numbers of the releases here that it names.
    """

    issued: str
    until: str
    expired: bool
    standing: tuple[int, ...]

    @property
    def line(self) -> str:
        """In words."""
        if self.expired:
            return f"the list of releases of {self.issued} was good until {self.until}; {RENEW}"
        numbers = ", ".join(map(str, self.standing)) or "none here"
        return f"by the list of {self.issued}, good until {self.until}, these releases stand: {numbers}"


def take(home: SiteHome, data: bytes) -> None:
    """Keeps a list from the coordinator; the same again is no work.

    Raises:
        ConsiliumError: it is none, not the coordinator's, of another federation, or older than the one held.
    """
    status, held = _read(home, data), _held(home)
    if held is not None and status != held and not status.is_newer_than(held):
        what = f"of {status.issued} is older than the one held, of {held.issued}"
        raise SequenceError(what, where="list of releases")
    if status != held:
        clock, now = _clock(home), _now()
        seen = max(now, parse_time(clock.seen)) if clock else now
        write_whole(_status_path(home), data)
        ends = min(seen, status.issued_at) + timedelta(days=status.lease_days)
        kept = parse_time(clock.seen) if clock else min(seen, ends)
        _write_clock(home, Clock(seen=write_time(kept), taken=write_time(seen)))
    time_of(home, status)


def newest(home: SiteHome) -> ReleaseStatus | None:
    """The list that is held, its signature checked once more; None where none ever came.

    Raises:
        ConsiliumError: the file cannot be read, is not the coordinator's, or was here and is gone.
    """
    held = _held(home)
    if held is None and _clock(home) is not None:
        raise ConsiliumError("the list of releases that stand was here and is gone", where=str(home.path), cure=RENEW)
    return held


def _held(home: SiteHome) -> ReleaseStatus | None:
    path = _status_path(home)
    try:
        return _read(home, path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise cannot_read(path, error) from error


def lease(home: SiteHome) -> Lease | None:
    """What the newest list says now; None where none ever came."""
    status = newest(home)
    if status is None:
        return None
    return Lease(
        issued=status.issued,
        until=write_time(end_of(home, status)),
        expired=time_of(home, status) >= end_of(home, status),
        standing=tuple(held.number for held in read_shelf(home).releases if held.digest in status.standing),
    )


def answering(home: SiteHome, name: str | None = None) -> Held:
    """The release that answers here, the one in use or that of a name.

    Raises:
        ConsiliumError: there is none, it was recalled, the newest list does not name it, or that is too old.
    """
    shelf = read_shelf(home)
    held = shelf.current if name is None else shelf.named(name)
    if held is None:
        cure = "consilium site evaluate, then consilium site adopt"
        raise ConsiliumError(NOTHING, where=str(home.path), cure=cure)
    where = f"release {held.number}"
    if held.state == "recalled":
        raise ConsiliumError(f"was recalled ({held.reason})", where=where, cure=OTHER)
    status = newest(home)
    if status is None:
        return held
    if time_of(home, status) >= end_of(home, status):
        what = f"the list of releases that stand is of {status.issued} and was good for {status.lease_days} days"
        raise ConsiliumError(what, where=where, cure=RENEW)
    if held.digest not in status.standing:
        raise ConsiliumError(f"does not stand, by the coordinator's list of {status.issued}", where=where, cure=OTHER)
    return held


def end_of(home: SiteHome, status: ReleaseStatus) -> datetime:
    """From when on nothing may be answered by a list: one from a clock that runs ahead counts from when it came."""
    clock = _clock(home)
    taken = parse_time(clock.taken) if clock and clock.taken else status.issued_at
    return min(taken + timedelta(days=status.lease_days), status.expires_at)


def time_of(home: SiteHome, status: ReleaseStatus) -> datetime:
    """The time, as far as this site can know: never before what was seen once, nor before the list was made or came."""
    clock, end = _clock(home), end_of(home, status)
    now = max(_now(), end - timedelta(days=status.lease_days))
    seen, kept = parse_time(clock.seen) if clock else None, min(now, end)
    if seen is None or kept > seen:
        _write_clock(home, Clock(seen=write_time(kept), taken=clock.taken if clock else None))
    return max(now, seen) if seen is not None else now


def _now() -> datetime:
    return datetime.now(UTC)


def _clock(home: SiteHome) -> Clock | None:
    path = _clock_path(home)
    try:
        clock = Clock.model_validate_json(path.read_bytes())
        parse_time(clock.seen)
        parse_time(clock.taken or clock.seen)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise cannot_read(path, error) from error
    except (ValidationError, ValueError) as error:
        raise ConsiliumError("was changed by hand or damaged", where=str(path), cure="restore the file") from error
    return clock


def _write_clock(home: SiteHome, clock: Clock) -> None:
    write_whole(_clock_path(home), clock.model_dump_json(exclude_none=True).encode())


def _read(home: SiteHome, data: bytes) -> ReleaseStatus:
    parties = home.trust().find(role="coordinator", name=home.config.coordinator)
    return read_status(data, [party.verifier() for party in parties], home.config.federation)


def _status_path(home: SiteHome) -> Path:
    return home.releases / "standing.json"


def _clock_path(home: SiteHome) -> Path:
    return home.releases / "newest-time.json"
