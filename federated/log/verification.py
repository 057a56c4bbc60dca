"""What an auditor verifies of a log, from its files and public keys alone.

That nothing that was logged was altered, dropped or put in another order; who vouches for it; that each entry could
have been made by whom it names.

What it cannot show: that what was logged is true, that everything that happened was logged, or when it happened, beyond
the times at which witnesses signed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from securesystemslib.signer import SSlibKey

from federated.audit import Audit, Check
from federated.envelope import PREDICATE_TYPE as PASSAGE_TYPE
from federated.envelope import Passage
from federated.errors import ConsiliumError, ContractError, SignatureError
from federated.keys import TrustFile, fingerprint, verifier
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
NO_WITNESS = "nobody but its keeper vouches for it: it may have been rewritten as a whole"


@dataclass
class Walk:
    """What is known while entries are read in their order.

    Attributes:
        trust: whose keys count, as the hospitals gave them.
        coordinator: key ids that sign entries now.
        sites: site -> key ids that sign its parcels now.
        numbers: site -> number and digest of its last parcel.
        releases: number of the last release.
        last: time of the last entry.
    """

    trust: TrustFile
    coordinator: dict[str, SSlibKey] = field(default_factory=dict)
    sites: dict[str, dict[str, SSlibKey]] = field(default_factory=dict)
    numbers: dict[str, tuple[int, str]] = field(default_factory=dict)
    releases: int = 0
    last: str = ""


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


def numbers_of(folder: Path, federation: str) -> dict[str, int]:
    """The first entry about each thing, by its digest.

    Raises:
        ConsiliumError: the log is damaged.
    """
    found: dict[str, int] = {}
    for number, entry in enumerate(entries_of(folder, federation)):
        if entry.subject is not None:
            found.setdefault(entry.subject, number)
    return found


def _signed(note: Note, origin: str, trust: TrustFile) -> Checkpoint:
    keys = [NoteKey(origin, bytes.fromhex(party.public), ED25519) for party in trust.find(role="coordinator")]
    if not {key.public for key in keys if is_signed(note, key)}:
        raise SignatureError("is signed by no key of the coordinator", where="checkpoint")
    return read_checkpoint(note, origin)


def _witnessed(note: Note, origin: str, trust: TrustFile, least: int, checks: list[Check]) -> Checkpoint:
    """The last checkpoint that witnesses signed."""
    seen = _signed(note, origin, trust)
    keys = [witness_key(trust.federation, party) for party in trust.find(role="site")]
    names = sorted(name.rpartition("/")[2] for name in cosigners(note, keys))
    if len(names) < least:
        told = f"{', '.join(names)} of" if names else "none of"
        raise SignatureError(f"{told} {least} witnesses asked for signed", where="witnesses")
    found = f"{', '.join(names)} signed {seen.size} entries" if names else NO_WITNESS
    found += f"; {ONE_WITNESS}" if len(names) == 1 else ""
    checks.append(Check(name="witnesses", ok=True if names else None, found=found))
    return seen


def _entries(folder: Path, head: Checkpoint, seen: Checkpoint, trust: TrustFile, checks: list[Check]) -> None:
    walk, growing, sealed = Walk(trust), Growing(), 0
    if seen.size > head.size:
        raise ContractError(f"{seen.size} entries were witnessed, {head.size} are left", where="entries")
    for number, data in enumerate(Tiles(folder, head.size).entries()):
        if number == seen.size:
            _require_root(growing, seen)
        growing.add([leaf_hash(data)])
        sealed += _entry(walk, number, data)
    _require_root(growing, head)
    if seen.size == head.size:
        _require_root(growing, seen)
    found = f"{head.size} in their order, {sealed} of them with a hospital's own signature; {walk.releases} releases"
    checks.append(Check(name="entries", ok=True, found=found))


def _require_root(growing: Growing, checkpoint: Checkpoint) -> None:
    if growing.root != checkpoint.root:
        what = f"the first {checkpoint.size} entries are not those that were signed: one was altered, dropped or moved"
        raise ContractError(what, where="entries")


def _entry(walk: Walk, number: int, data: bytes) -> bool:
    """Holds an entry against all before it; whether a hospital signed what it tells of."""
    try:
        statement = read_entry(data)
        entry = statement.predicate
        if number == 0:
            _begin(walk, entry)
        if not verified_by(statement.envelope, walk.coordinator.values()):
            raise SignatureError("is signed by no key of the coordinator", where=entry.event)
        _require_order(walk, entry)
        _change_keys(walk, entry)
        if entry.envelope is not None:
            _require_own(walk, entry)
        return entry.envelope is not None
    except ConsiliumError as error:
        raise ContractError(f"entry {number}: {error}", where="entries") from error


def _begin(walk: Walk, entry: Entry) -> None:
    if entry.event != "init":
        raise ContractError("the log does not begin with the federation's beginning", where=entry.event)
    walk.coordinator = {
        fingerprint(bytes.fromhex(card.public)): verifier(card.public, where=entry.event) for card in entry.keys
    }
    _require_known(walk, entry)


def _require_order(walk: Walk, entry: Entry) -> None:
    if entry.federation != walk.trust.federation:
        raise ContractError(f"is of federation '{entry.federation}'", where=entry.event)
    if entry.at < walk.last:
        raise ContractError(f"says {entry.at}, and the one before it {walk.last}", where=entry.event)
    walk.last = entry.at
    if entry.event in ("release", "roll back"):
        if entry.number != walk.releases + 1:
            raise ContractError(f"has number {entry.number} after {walk.releases}", where=entry.event)
        walk.releases = entry.number


def _change_keys(walk: Walk, entry: Entry) -> None:
    if entry.event in ("enrol", "rotate") and entry.site is not None:
        _require_known(walk, entry)
        own = walk.sites.setdefault(entry.site, {})
        for card in entry.keys:
            key = verifier(card.public, where=entry.event)
            own[key.keyid] = key
    for public in entry.ended:
        for own in walk.sites.values():
            own.pop(fingerprint(bytes.fromhex(public)), None)


def _require_known(walk: Walk, entry: Entry) -> None:
    """A key that the hospitals do not know of may be anybody's."""
    given = {(party.public, party.role, party.site or party.name) for party in walk.trust.parties}
    for card in entry.keys:
        named = {(public, role) for public, role, name in given if entry.site in (None, name)}
        if (card.public, card.role) not in named:
            raise SignatureError("brings a key that is not in the trust file", where=entry.event)


def _require_own(walk: Walk, entry: Entry) -> None:
    """A parcel's own envelope: the site's signature, its subject, and the next of the site's numbers."""
    assert entry.envelope is not None
    found = read_statement(entry.envelope.encode(), PASSAGE_TYPE, Passage)
    passage, site = found.predicate, entry.site or ""
    if (passage.sender, found.digest, passage.kind) != (site, entry.subject, entry.kind):
        raise ContractError("holds an envelope of something else", where=entry.event)
    if not verified_by(found.envelope, walk.sites.get(site, {}).values()):
        raise SignatureError(f"holds an envelope that no key of '{site}' signed", where=entry.event)
    last, before = walk.numbers.get(site, (0, None))
    if (passage.sequence, passage.previous) != (last + 1, before):
        raise ContractError(f"'{site}' sent number {passage.sequence}, the last logged is {last}", where=entry.event)
    walk.numbers[site] = (passage.sequence, found.digest)


def entries_of(folder: Path, federation: str) -> Iterator[Entry]:
    """All entries of a log, of which nothing is verified but the form.

    Raises:
        ConsiliumError: it is damaged.
    """
    note = read_note(folder / CHECKPOINT)
    if note is not None:
        size = read_checkpoint(note, origin_of(federation)).size
        yield from (read_entry(data).predicate for data in Tiles(folder, size).entries())
