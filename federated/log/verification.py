"""What an auditor verifies of a log, from its files and public keys alone.

That nothing that was logged was altered, dropped or put in another order; who vouches for it; that each entry could
have been made by whom it names.

What it cannot show: that what was logged is true, that everything that happened was logged, or when it happened, beyond
the times at which witnesses signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from securesystemslib.signer import SSlibKey

from federated.audit.outcome import Audit, Check
from federated.audit.verification import Index
from federated.envelope import EVERYONE, Passage
from federated.envelope import PREDICATE_TYPE as PASSAGE_TYPE
from federated.errors import ConsiliumError, ContractError, SignatureError
from federated.keys import TrustFile, verifier
from federated.log.checkpoints import Checkpoint, origin_of, read_checkpoint
from federated.log.entries import Entry, read_entry
from federated.log.journal import CHECKPOINT, WITNESSED
from federated.log.merkle import Growing, leaf_hash
from federated.log.notes import ED25519, Note, NoteKey, is_signed, read_note
from federated.log.tiles import Tiles
from federated.log.witness import cosigners, witness_key
from federated.signing import verified_by
from federated.statements import read_statement

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


@dataclass
class Walk:
    """What is known while entries are read in their order.

    Attributes:
        trust: whose keys count, as the hospitals gave them.
        coordinator: key id -> key that signs entries.
        sites: site -> public keys that sign its parcels now.
        owners: public key -> whose it is, site or coordinator, whether it still counts or not.
        numbers: site -> number and digest of its last parcel.
        accepted: (site, digest) of parcels that were taken in.
        releases: digest -> number.
        last: time of the last entry.
    """

    trust: TrustFile
    coordinator: dict[str, SSlibKey] = field(default_factory=dict)
    sites: dict[str, dict[str, SSlibKey]] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, tuple[int, str]] = field(default_factory=dict)
    accepted: set[tuple[str, str]] = field(default_factory=set)
    releases: dict[str, int] = field(default_factory=dict)
    last: str = ""


@dataclass(frozen=True)
class Seen:
    """What witnesses signed: how far the log went, and when the last of them signed, in seconds since 1970."""

    checkpoint: Checkpoint
    seconds: int


def verify_log(folder: Path, trust: TrustFile, *, witnesses: int) -> list[Check]:
    """Checkpoints, then every entry up to the first that is wrong.

    Args:
        folder: of the log.
        trust: whose keys count.
        witnesses: how many sites must have signed, at least.

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
        _entries(folder, head, seen, trust, checks)
    except ConsiliumError as error:
        checks.append(Check(name=("checkpoint", "witnesses", "entries")[len(checks)], ok=False, found=str(error)))
    return checks


def audit_log(folder: Path, trust: TrustFile, *, witnesses: int) -> Audit:
    """What became of a log; see `verify_log`."""
    checks = verify_log(folder, trust, witnesses=witnesses)
    return Audit(file=str(folder), kind="log", digest=None, checks=tuple(checks))


def index_of(folder: Path, federation: str) -> Index:
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


def witnessed_size(folder: Path, federation: str) -> int:
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
    keys = {party.public: witness_key(trust.federation, party) for party in trust.find(role="site")}
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


def _entries(folder: Path, head: Checkpoint, seen: Seen, trust: TrustFile, checks: list[Check]) -> None:
    walk, growing, sealed = Walk(trust), Growing(), 0
    size, latest = seen.checkpoint.size, _utc(seen.seconds + SLACK_SECONDS)
    if size > head.size:
        raise ContractError(f"{size} entries were witnessed, {head.size} are left", where="entries")
    for number, data in enumerate(Tiles(folder, head.size).entries()):
        if number == size:
            _require_root(growing, seen.checkpoint)
        growing.add([leaf_hash(data)])
        sealed += _entry(walk, number, data, latest if number < size and seen.seconds else None)
    _require_root(growing, head)
    if size == head.size:
        _require_root(growing, seen.checkpoint)
    found = f"{head.size} in their order, {sealed} of them with a hospital's own signature"
    found += f"; {len(walk.releases)} releases"
    checks.append(Check(name="entries", ok=True, found=found))
    checks += _left_open(walk, head.size - size if seen.seconds else head.size)


def _left_open(walk: Walk, since: int) -> Iterator[Check]:
    """What is not wrong, and rests on somebody's word."""
    if since:
        found = f"{since} entries after the last that was witnessed rest on the coordinator alone"
        yield Check(name="since", ok=None, found=found)
    ended = {party.public for party in walk.trust.parties if party.revoked}
    late = sorted(walk.owners[public] for keys in walk.sites.values() for public in keys if public in ended)
    if late:
        found = f"the trust file says that a key of {', '.join(late)} was revoked, the log does not"
        yield Check(name="revoked", ok=None, found=found)


def _require_root(growing: Growing, checkpoint: Checkpoint) -> None:
    if growing.root != checkpoint.root:
        what = f"the first {checkpoint.size} entries are not those that were signed: one was altered, dropped or moved"
        raise ContractError(what, where="entries")


def _entry(walk: Walk, number: int, data: bytes, latest: str | None) -> bool:
    """Holds an entry against all before it; whether a hospital signed what it tells of."""
    try:
        statement = read_entry(data)
        entry = statement.predicate
        if (entry.event == "init") != (number == 0):
            raise ContractError("the log does not begin with the federation's beginning, once", where=entry.event)
        if number == 0:
            _begin(walk, entry)
        if not verified_by(statement.envelope, walk.coordinator.values()):
            raise SignatureError("is signed by no key of the coordinator", where=entry.event)
        _require_time(walk, entry, latest)
        RULES.get(entry.event, _nothing)(walk, entry)
        return entry.envelope is not None
    except ConsiliumError as error:
        raise ContractError(f"entry {number}: {error}", where="entries") from error


def _nothing(_: Walk, _entry: Entry) -> None:
    """What an entry of this event says is held against nothing."""


def _begin(walk: Walk, entry: Entry) -> None:
    _require_known(walk, entry, ["coordinator"])
    (card,) = entry.keys
    key = verifier(card.public, where=entry.event)
    walk.coordinator[key.keyid] = key


def _require_time(walk: Walk, entry: Entry, latest: str | None) -> None:
    if entry.federation != walk.trust.federation:
        raise ContractError(f"is of federation '{entry.federation}'", where=entry.event)
    if entry.at < walk.last:
        raise ContractError(f"says {entry.at}, and the one before it {walk.last}", where=entry.event)
    if latest is not None and entry.at > latest:
        raise ContractError(f"says {entry.at}, and was witnessed before", where=entry.event)
    walk.last = entry.at


def _enrolled(walk: Walk, entry: Entry) -> None:
    _require_known(walk, entry, ["site", *["approver"] * (len(entry.keys) - 1)])
    _let_sign(walk, entry)


def _rotated(walk: Walk, entry: Entry) -> None:
    _require_known(walk, entry, ["site"])
    _ended(walk, entry)
    _let_sign(walk, entry)


def _let_sign(walk: Walk, entry: Entry) -> None:
    """A site's own key signs its parcels; an approver's alone does not."""
    public = entry.keys[0].public
    walk.sites.setdefault(str(entry.site), {})[public] = verifier(public, where=entry.event)


def _ended(walk: Walk, entry: Entry) -> None:
    for public in entry.ended:
        if walk.owners.get(public) != entry.site:
            raise ContractError(f"ends a key that is not of '{entry.site}'", where=entry.event)
        walk.sites.get(str(entry.site), {}).pop(public, None)


def _require_known(walk: Walk, entry: Entry, roles: Sequence[str]) -> None:
    """A key that the hospitals do not know of may be anybody's, and one that ended does not begin again."""
    if [card.role for card in entry.keys] != roles:
        raise ContractError(f"does not bring the keys of a {roles[0]}", where=entry.event)
    for card in entry.keys:
        parties = [party for party in walk.trust.parties if (party.public, party.role) == (card.public, card.role)]
        if not any(entry.site in (None, party.site or party.name) for party in parties):
            raise SignatureError("brings a key that is not in the trust file", where=entry.event)
        if card.public in walk.owners:
            raise SignatureError("brings a key that the log has had before", where=entry.event)
        walk.owners[card.public] = entry.site or walk.trust.federation


def _arrived(walk: Walk, entry: Entry) -> None:
    """A parcel's own envelope: the site's signature, its subject, and the next of the site's numbers."""
    found = read_statement(str(entry.envelope).encode(), PASSAGE_TYPE, Passage)
    passage, site = found.predicate, str(entry.site)
    if (passage.sender, found.digest, passage.kind) != (site, entry.subject, entry.kind):
        raise ContractError("holds an envelope of something else", where=entry.event)
    hubs = {party.name for party in walk.trust.parties if party.role == "coordinator"}
    if passage.federation != walk.trust.federation or passage.recipient not in {*hubs, EVERYONE}:
        raise ContractError("holds an envelope to somebody else", where=entry.event)
    if not verified_by(found.envelope, walk.sites.get(site, {}).values()):
        raise SignatureError(f"holds an envelope that no key of '{site}' signed", where=entry.event)
    last, before = walk.numbers.get(site, (0, None))
    if (passage.sequence, passage.previous) != (last + 1, before):
        raise ContractError(f"'{site}' sent number {passage.sequence}, the last logged is {last}", where=entry.event)
    walk.numbers[site] = (passage.sequence, found.digest)
    if entry.event == "accepted":
        walk.accepted.add((site, found.digest))


def _undone(walk: Walk, entry: Entry) -> None:
    if (entry.site, entry.subject) not in walk.accepted:
        raise ContractError("is about what was never taken in", where=entry.event)


def _released(walk: Walk, entry: Entry) -> None:
    if entry.number != len(walk.releases) + 1:
        raise ContractError(f"has number {entry.number} after {len(walk.releases)}", where=entry.event)
    walk.releases[str(entry.subject)] = entry.number


def _recalled(walk: Walk, entry: Entry) -> None:
    if walk.releases.get(str(entry.concerns)) != entry.number:
        raise ContractError(f"there was no such release {entry.number}", where=entry.event)


RULES: dict[str, Callable[[Walk, Entry], None]] = {
    "enrol": _enrolled,
    "rotate": _rotated,
    "revoke": _ended,
    "accepted": _arrived,
    "rejected": _arrived,
    "dropped": _undone,
    "withdraw": _undone,
    "release": _released,
    "roll back": _released,
    "recall": _recalled,
}


def entries_of(folder: Path, federation: str) -> Iterator[Entry]:
    """All entries of a log, of which nothing is verified but the form.

    Raises:
        ConsiliumError: it is damaged.
    """
    note = read_note(folder / CHECKPOINT)
    if note is not None:
        size = read_checkpoint(note, origin_of(federation)).size
        yield from (read_entry(data).predicate for data in Tiles(folder, size).entries())
