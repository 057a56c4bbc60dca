"""The outbox and the inbox: folders of parcels, one file each, named by number and digest.

Files are whole or missing, in every order of events. What counts as sent or received is in the ledger.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from federated.envelope import (
    Opened,
    Parcel,
    Passage,
    check_envelope,
    check_sequence,
    open_contents,
    open_parcel,
    parse_parcel,
)
from federated.errors import ConsiliumError, ContractError, DamagedError, SequenceError, cannot_read
from federated.files import cannot_write, write_whole
from federated.manifest import COORDINATOR_KINDS
from site_agent.ledger import mark_done, mark_unread, put_received, received_ledger, transaction, unread

if TYPE_CHECKING:
    from site_agent.home import SiteHome

PUT_AWAY = {"accepted": "settled", "same": "settled", "rejected": "refused"}
"""Outcomes that used a parcel's number up, and the folder where it then goes."""


class Outbox:
    """Sealed parcels on their way to the coordinator, in a site's `outbox` folder."""

    def __init__(self, home: SiteHome) -> None:
        self._path = home.outbox

    def add(self, parcel: Parcel, sequence: int) -> None:
        """Puts a parcel where the courier takes it; one that was settled before stays settled.

        Raises:
            ConsiliumError: the disk is full.
        """
        if not any(_find(self._path / folder, parcel.digest) for folder in PUT_AWAY.values()):
            write_whole(self._path / _file_name(sequence, parcel.digest), parcel.to_bytes())

    def parcels(self) -> list[Parcel]:
        """What the coordinator has not answered yet, by number."""
        return [_read(path) for path in sorted(self._path.glob("*.parcel"))]

    def replace(self, parcel: Parcel) -> None:
        """The same parcel under another envelope; one that is not waiting is no work.

        Raises:
            ConsiliumError: the disk is full; the old one is still there.
        """
        path = _find(self._path, parcel.digest)
        if path is not None:
            write_whole(path, parcel.to_bytes())

    def sent(self, digest: str) -> Parcel | None:
        """What left with this digest, answered or not; None where nothing did."""
        folders = (self._path, *(self._path / name for name in sorted(set(PUT_AWAY.values()))))
        found = [path for folder in folders if (path := _find(folder, digest)) is not None]
        return _read(found[0]) if found else None

    def settle(self, digest: str, outcome: str) -> None:
        """Puts a parcel away once its number was used up: taken into ``settled``, rejected into ``refused``.

        After any other outcome, as of one that was damaged on the way or came out of order, it stays and is sent again:
        put away, it would leave a gap in the numbers that nothing later can cross.

        Args:
            digest: of the parcel; one that is not in the outbox is no work.
            outcome: the coordinator's code, which a rejected parcel keeps in a file beside it.

        Raises:
            ConsiliumError: the disk is full; the parcel stays in the outbox.
        """
        path = _find(self._path, digest)
        if path is None or outcome not in PUT_AWAY:
            return
        folder = self._path / PUT_AWAY[outcome]
        folder.mkdir(exist_ok=True)
        if outcome == "rejected":
            write_whole(folder / f"{path.stem}.reason", f"{outcome}\n".encode())
        _move(path, folder)

    def discard(self, digest: str) -> None:
        """Deletes the copy of what the coordinator has taken in and this site took back; elsewhere it stays."""
        path = _find(self._path / PUT_AWAY["accepted"], digest)
        if path is not None:
            path.unlink()


class Inbox:
    """Parcels from the coordinator, in a site's `inbox` folder, taken in the order of their numbers."""

    def __init__(self, home: SiteHome) -> None:
        self._home, self._path = home, home.inbox

    def put(self, data: bytes) -> str:
        """Takes a parcel in; the same one again is no work. Returns its digest.

        A parcel whose signature and number are right but whose contents are not uses its number up, and nothing else.

        Raises:
            ContractError, SignatureError, SequenceError: it is not the coordinator's next parcel to this site.
            ConsiliumError: the disk is full; the coordinator sends it again.
        """
        parcel = parse_parcel(data)
        passage, signers = check_envelope(parcel, self._home.trust(), recipient=self._home.config.site)
        self._require_coordinator(passage)
        with transaction(self._home.state_path) as connection:
            if check_sequence(received_ledger(connection), passage, parcel.digest) == "same":
                return parcel.digest
            failure = _contents_failure(parcel, passage, signers)
            if failure is None:
                write_whole(self._path / _file_name(passage.sequence, parcel.digest), data)
            put_received(connection, passage.sequence, parcel.digest, "refused" if failure else "unread")
        if failure is not None:
            raise failure
        return parcel.digest

    def unread(self) -> list[Opened]:
        """Parcels that wait to be worked on, by number, checked once more.

        Raises:
            ConsiliumError: a file is missing or was changed.
        """
        with transaction(self._home.state_path) as connection:
            waiting = unread(connection)
        trust, site = self._home.trust(), self._home.config.site
        paths = [self._path / _file_name(sequence, digest) for sequence, digest in waiting]
        return [open_parcel(_read(path), trust, recipient=site) for path in paths]

    def done(self, digest: str) -> None:
        """Puts a parcel away; one that is not there is no work."""
        with transaction(self._home.state_path) as connection:
            mark_done(connection, digest)
        path = _find(self._path, digest)
        if path is not None:
            (self._path / "done").mkdir(exist_ok=True)
            _move(path, self._path / "done")

    def again(self, digest: str) -> None:
        """Has a parcel worked on once more; one that never came is no work."""
        path = _find(self._path / "done", digest)
        if path is not None:
            _move(path, self._path)
        with transaction(self._home.state_path) as connection:
            mark_unread(connection, digest)

    def _require_coordinator(self, passage: Passage) -> None:
        config = self._home.config
        if passage.sender != config.coordinator or passage.kind not in COORDINATOR_KINDS:
            raise SequenceError(f"a '{passage.kind}' is not for a site to take in", where=passage.sender)


def _contents_failure(parcel: Parcel, passage: Passage, signers: frozenset[str]) -> ContractError | None:
    try:
        open_contents(parcel, passage, signers)
    except DamagedError:
        raise  # on the way, so that the whole copy may still come
    except ContractError as error:
        return error
    return None


def _file_name(sequence: int, digest: str) -> str:
    return f"{sequence:010d}-{digest.removeprefix('sha256:')}.parcel"


def _find(folder: Path, digest: str) -> Path | None:
    return next(folder.glob(f"*-{digest.removeprefix('sha256:')}.parcel"), None)


def _read(path: Path) -> Parcel:
    try:
        return parse_parcel(path.read_bytes())
    except OSError as error:
        raise cannot_read(path, error) from error
    except ContractError as error:
        raise ConsiliumError(error.what, where=str(path), cure="restore it from the backup") from error


def _move(path: Path, folder: Path) -> None:
    try:
        path.replace(folder / path.name)
    except OSError as error:
        raise cannot_write(folder, error) from error
