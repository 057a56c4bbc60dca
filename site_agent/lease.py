"""How long this site may answer by a release: the coordinator's list of those that stand, and the newest time seen.

A home that was never handed a list answers as long as it likes. One that was answers by what the newest list names,
until its lease is over. The newest time that was ever seen is kept, so that a clock that is put back lengthens nothing;
it is never taken for more than the end of the lease, so that a clock that once ran ahead is mended by the next list.
"""

from __future__ import annotations

from datetime import UTC, datetime
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
    """The newest time that was seen here."""

    version: Literal[1] = 1
    seen: Annotated[str, StringConstraints(pattern=TIME)]


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
    status, held = _read(home, data), newest(home)
    if held is not None and status != held and not status.is_newer_than(held):
        what = f"of {status.issued} is older than the one held, of {held.issued}"
        raise SequenceError(what, where="list of releases")
    if status != held:
        write_whole(_status_path(home), data)
    time_of(home, status)


def newest(home: SiteHome) -> ReleaseStatus | None:
    """The list that is held, its signature checked once more; None where none ever came.

    Raises:
        ConsiliumError: the file cannot be read, or is not the coordinator's.
    """
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
        until=write_time(status.expires_at),
        expired=time_of(home, status) >= status.expires_at,
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
    if time_of(home, status) >= status.expires_at:
        what = f"the list of releases that stand is of {status.issued} and was good for {status.lease_days} days"
        raise ConsiliumError(what, where=where, cure=RENEW)
    if held.digest not in status.standing:
        raise ConsiliumError(f"does not stand, by the coordinator's list of {status.issued}", where=where, cure=OTHER)
    return held


def time_of(home: SiteHome, status: ReleaseStatus) -> datetime:
    """The time, as far as this site can know: never before the list was made, nor before what was seen once."""
    seen, now = _seen(home), max(_now(), status.issued_at)
    kept = min(now, status.expires_at)
    if seen is None or kept > seen:
        write_whole(_clock_path(home), Clock(seen=write_time(kept)).model_dump_json().encode())
    return max(now, seen) if seen is not None else now


def _now() -> datetime:
    return datetime.now(UTC)


def _seen(home: SiteHome) -> datetime | None:
    path = _clock_path(home)
    try:
        return parse_time(Clock.model_validate_json(path.read_bytes()).seen)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise cannot_read(path, error) from error
    except (ValidationError, ValueError) as error:
        raise ConsiliumError("was changed by hand or damaged", where=str(path), cure="restore the file") from error


def _read(home: SiteHome, data: bytes) -> ReleaseStatus:
    parties = home.trust().find(role="coordinator", name=home.config.coordinator)
    return read_status(data, [party.verifier() for party in parties], home.config.federation)


def _status_path(home: SiteHome) -> Path:
    return home.releases / "standing.json"


def _clock_path(home: SiteHome) -> Path:
    return home.releases / "newest-time.json"
