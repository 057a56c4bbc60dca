"""Whether the coordinator's log tells of everything that left this hospital, as it left."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from federated.contract import Count, Digest, Frozen
from federated.envelope import PREDICATE_TYPE, Passage
from federated.errors import ConsiliumError, ContractError, SignatureError, cannot_read
from federated.log.checkpoints import read_checkpoint
from federated.log.entries import read_entry
from federated.log.notes import is_signed, read_note
from federated.log.told import parse_told, read_told
from federated.signing import parse_document, verified_by
from federated.statements import read_statement
from site_agent.ledger import Sent, sent, transaction
from site_agent.witness import checkpoint_path, log_key, told_path

if TYPE_CHECKING:
    from site_agent.home import SiteHome

NOT_YET = "the coordinator has not told of it yet"
LEFT_OUT = "the coordinator has told of what left after it, and not of this: is it left out of the log?"
NOT_OURS = "the log holds it under this site's key, and the ledger does not know it: who else has the key?"
MADE_UP = (
    "the log holds it under this site's name, and no key of this site signed it: whoever keeps the log made it up."
)


class Logged(Frozen):
    """What is known of one thing that left.

    Attributes:
        sequence, kind, digest: of what left.
        state: logged; waiting, since nothing was told of it yet; wrong, where what was told is not what left.
        entry: its number in the log.
        found: in words.
    """

    sequence: Count
    kind: str
    digest: Digest
    state: Literal["logged", "waiting", "wrong"]
    entry: Count | None
    found: str


def verify_receipts(home: SiteHome) -> list[Logged]:
    """Everything that left, by number, held against what the log tells of it; then what the log alone tells of.

    Raises:
        ConsiliumError: the ledger cannot be read, or no key of the coordinator counts.
    """
    with transaction(home.state_path) as connection:
        rows = sent(connection)
    return [*verified(home, rows, rows), *strange(home, [row.digest for row in rows])]


def verified(home: SiteHome, some: Sequence[Sent], everything: Sequence[Sent]) -> list[Logged]:
    """Some of what left, held against what the log tells of it, and of what left after it.

    Args:
        home: the home.
        some: of what left.
        everything: that ever left.

    Raises:
        SignatureError: no key of the coordinator counts.
    """
    newest_first = sorted(everything, key=lambda row: row.sequence, reverse=True)
    last = next((row.sequence for row in newest_first if _verified(home, row).state == "logged"), 0)
    return [_left_out(_verified(home, row), last) for row in some]


def _left_out(one: Logged, last: int) -> Logged:
    """A parcel that came before one that the log tells of has to be in it too."""
    if one.state != "waiting" or one.sequence > last:
        return one
    return one.model_copy(update={"state": "wrong", "found": LEFT_OUT})


def strange(home: SiteHome, digests: Collection[str]) -> list[Logged]:
    """What the log tells of under this site's key that is none of what left.

    Raises:
        ContractError: what was told is damaged here.
    """
    known = {told_path(home, digest) for digest in digests}
    found = sorted(path for path in told_path(home, "").parent.glob("*.json") if path not in known)
    return [_strange(home, path) for path in found]


def _strange(home: SiteHome, path: Path) -> Logged:
    """What stands in an entry is the coordinator's word, until a signature of this site is found in it."""
    told = parse_told(path.read_bytes())
    entry = read_entry(told.entry.encode()).predicate
    keys = [party.verifier() for party in home.trust().parties if party.role == "site"]
    sequence, kind, what = 0, entry.kind or entry.event, MADE_UP
    try:
        said = read_statement((entry.envelope or "").encode(), PREDICATE_TYPE, Passage)
    except ConsiliumError:
        said = None
    if said is not None and said.digest == entry.subject and verified_by(said.envelope, keys):
        sequence, kind, what = said.predicate.sequence, said.predicate.kind, NOT_OURS
    return Logged(
        sequence=sequence, kind=kind, digest=f"sha256:{path.stem}", state="wrong", entry=told.number, found=what
    )


def _verified(home: SiteHome, row: Sent) -> Logged:
    """One thing that left, held against what the log tells of it alone."""

    def outcome(state: Literal["logged", "waiting", "wrong"], found: str, entry: int | None = None) -> Logged:
        return Logged(sequence=row.sequence, kind=row.kind, digest=row.digest, state=state, entry=entry, found=found)

    if not told_path(home, row.digest).exists():
        return outcome("waiting", NOT_YET)
    try:
        number, size = _in_the_log(home, row.digest, row.envelope)
    except ConsiliumError as error:
        return outcome("wrong", str(error))
    return outcome("logged", f"entry {number} of the first {size}, which this site has signed", number)


def _same(home: SiteHome, logged: str, sent: bytes) -> bool:
    """Whether an envelope is the one that left, or what it says sealed anew when the site's key was rotated."""
    if logged.encode() == sent:
        return True
    keys = [party.verifier() for party in home.trust().parties if party.role == "site"]
    there = parse_document(logged.encode())
    return there.payload == parse_document(sent).payload and bool(verified_by(there, keys))


def _in_the_log(home: SiteHome, digest: str, envelope: bytes) -> tuple[int, int]:
    """Number of the entry, and size of the log in which it is proved to be."""
    path = told_path(home, digest)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise cannot_read(path, error) from error
    key, size = log_key(home), parse_told(data).size
    note = read_note(checkpoint_path(home, size))
    if note is None or not is_signed(note, key):
        raise SignatureError("its checkpoint is missing or not signed by the coordinator", where=str(path))
    told, entry = read_told(data, read_checkpoint(note, key.name))
    if (entry.site, entry.subject) != (home.config.site, digest) or not _same(home, entry.envelope or "", envelope):
        raise ContractError(f"entry {told.number} tells of something else than what left", where=str(path))
    return told.number, size
