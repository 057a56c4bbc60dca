"""What an auditor verifies of a log, from its files and public keys alone.

That nothing that was logged was altered, dropped or put in another order; who vouches for it; that each entry could
have been made by whom it names.

What it cannot show: that what was logged is true, that everything that happened was logged, or when it happened, beyond
the times at which witnesses signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from federated.audit.outcome import Audit, Check, failed
from federated.audit.verification import Index
from federated.errors import ConsiliumError, ContractError, SignatureError
from federated.files import Place
from federated.keys import TrustFile
from federated.log.checkpoints import Checkpoint, origin_of, read_checkpoint
from federated.log.entries import Entry, read_entry
from federated.log.journal import CHECKPOINT, WITNESSED
from federated.log.merkle import Growing, leaf_hash
from federated.log.notes import ED25519, Note, NoteKey, is_signed, read_note
from federated.log.rules import Walk, take_entry
from federated.log.tiles import Tiles
from federated.log.witness import cosigners, witness_key

ONE_WITNESS = "with one witness, two histories told to two auditors cannot be found out"
TELLS_OF = {
    "candidate": "candidate",
    "release": "release",
    "roll back": "release",
    "recall": "recall",
    "average": "average",
}
"""Events of the coordinator's own parcels, and their kinds."""
SLACK_SECONDS = 86_400  # by which the clocks of the coordinator and of a witness may differ
NO_WITNESS = "nobody but its keeper vouches for it: it may have been rewritten as a whole"


Each = Callable[[int, Entry], None]


@dataclass(frozen=True)
class Seen:
    """What witnesses signed: how far the log went, and when the last of them signed, in seconds since 1970."""

    checkpoint: Checkpoint
    seconds: int


def verify_log(folder: Place, trust: TrustFile, *, witnesses: int, each: Each | None = None) -> list[Check]:
    """Checkpoints, then every entry up to the first that is wrong.

    Args:
        folder: of the log.
        trust: whose keys count.
        witnesses: how many sites must have signed, at least.
        each: is told of every entry that is right, with its number.

    Raises:
        ConsiliumError: there is no log in the folder, or it cannot be read.
    """
    origin, checks = origin_of(trust.federation), list[Check]()
    newest = read_note(folder / CHECKPOINT)
    if newest is None:
        raise ConsiliumError("holds no log", where=str(folder), cure="give the folder with its 'checkpoint'")
    try:
        head = _signed(newest, origin, trust)
        checks.append(Check(name="checkpoint", ok=True, found=f"{head.size} entries, signed by the coordinator"))
        seen = _witnessed(read_note(folder / WITNESSED) or newest, origin, trust, witnesses, checks)
        _entries(folder, head, seen, Walk(trust), checks, each or _nobody)
    except ConsiliumError as error:
        checks.append(failed(("checkpoint", "witnesses", "entries")[len(checks)], error))
    return checks


def audit_log(folder: Place, trust: TrustFile, *, witnesses: int) -> Audit:
    """What became of a log; see `verify_log`."""
    checks = verify_log(folder, trust, witnesses=witnesses)
    return Audit(file=str(folder), kind="log", digest=None, checks=tuple(checks))


def index_of(folder: Place, federation: str) -> Index:
    """The entries by which the log tells of parcels: (kind, sender or nobody, digest) -> number and entry.

    Raises:
        ConsiliumError: the log is damaged.
    """
    found: Index = {}
    for number, entry in enumerate(entries_of(folder, federation)):
        kind = entry.kind if entry.event == "accepted" else TELLS_OF.get(entry.event)
        if kind is not None and entry.subject is not None:
            found.setdefault((kind, entry.site or "", entry.subject), (number, entry))
    return found


def witnessed_size(folder: Place, federation: str) -> int:
    """How many entries the last witnessed checkpoint has, none where there is none.

    Raises:
        ConsiliumError: it is damaged.
    """
    note = read_note(folder / WITNESSED)
    return read_checkpoint(note, origin_of(federation)).size if note else 0


def _signed(note: Note, origin: str, trust: TrustFile) -> Checkpoint:
    keys = [NoteKey(origin, bytes.fromhex(party.public), ED25519) for party in trust.find(role="coordinator")]
    if not {key.public for key in keys if is_signed(note, key)}:
        raise SignatureError("is signed by no key of the coordinator", where="checkpoint")
    return read_checkpoint(note, origin)


def _witnessed(note: Note, origin: str, trust: TrustFile, least: int, checks: list[Check]) -> Seen:
    """The last checkpoint that witnesses signed."""
    seen = _signed(note, origin, trust)
    keys = {party.public: witness_key(trust.federation, party) for party in trust.with_former().find(role="site")}
    signed = cosigners(note, list(keys.values()))
    names = sorted(name.rpartition("/")[2] for name in signed)
    if len(names) < least:
        told = f"{', '.join(names)} of" if names else "none of"
        raise SignatureError(f"{told} {least} witnesses asked for signed", where="witnesses")
    last = max(signed.values(), default=0)
    found = f"{', '.join(names)} signed {seen.size} entries, the last at {_utc(last)}" if names else NO_WITNESS
    found += f"; {ONE_WITNESS}" if len(names) == 1 else ""
    checks.append(Check(name="witnesses", ok=True if names else None, found=found))
    return Seen(seen, last)


def _utc(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError) as error:
        raise ContractError("a witness signed at no time", where="witnesses") from error


def _entries(folder: Place, head: Checkpoint, seen: Seen, walk: Walk, checks: list[Check], each: Each) -> None:
    growing, sealed = Growing(), 0
    size, latest = seen.checkpoint.size, _utc(seen.seconds + SLACK_SECONDS)
    if size > head.size:
        raise ContractError(f"{size} entries were witnessed, {head.size} are left", where="entries")
    for number, data in enumerate(Tiles(folder, head.size).entries()):
        if number == size:
            _require_root(growing, seen.checkpoint)
        growing.add([leaf_hash(data)])
        entry = take_entry(walk, number, data, latest if number < size and seen.seconds else None)
        sealed += entry.envelope is not None
        each(number, entry)
    _require_root(growing, head)
    if size == head.size:
        _require_root(growing, seen.checkpoint)
    found = f"{head.size} in their order, {sealed} of them with a hospital's own signature"
    found += f"; {len(walk.releases)} releases" + (f", {walk.planned} of them approved" if walk.planned else "")
    checks.append(Check(name="entries", ok=True, found=found))
    checks += _left_open(walk, head.size - size if seen.seconds else head.size)


def _left_open(walk: Walk, since: int) -> Iterator[Check]:
    """What is not wrong, and rests on somebody's word."""
    if since:
        found = f"{since} entries after the last that was witnessed rest on the coordinator alone"
        yield Check(name="since", ok=None, found=found)
    if walk.undeclared:
        numbers = ", ".join(map(str, walk.undeclared))
        found = f"release {numbers}: its candidate was there before the change plan was pinned that it was held against"
        yield Check(name="plans", ok=None, found=found)
    ended = {party.public for party in walk.trust.parties if party.revoked}
    late = sorted(walk.owners[public] for keys in walk.sites.values() for public in keys if public in ended)
    if late:
        found = f"the trust file says that a key of {', '.join(late)} was revoked, the log does not"
        yield Check(name="revoked", ok=None, found=found)


def _nobody(_: int, _entry: Entry) -> None:
    """Is told of every entry, and does nothing with it."""


def _require_root(growing: Growing, checkpoint: Checkpoint) -> None:
    if growing.root != checkpoint.root:
        what = f"the first {checkpoint.size} entries are not those that were signed: one was altered, dropped or moved"
        raise ContractError(what, where="entries")


def entries_of(folder: Place, federation: str) -> Iterator[Entry]:
    """All entries of a log, of which nothing is verified but the form.

    Raises:
        ConsiliumError: it is damaged.
    """
    note = read_note(folder / CHECKPOINT)
    if note is not None:
        size = read_checkpoint(note, origin_of(federation)).size
        yield from (read_entry(data).predicate for data in Tiles(folder, size).entries())
