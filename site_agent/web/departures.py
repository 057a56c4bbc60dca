"""What left this hospital: each parcel with its receipt, and the proof that the coordinator's log tells of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from federated.canonical import canonical
from federated.errors import ConsiliumError
from federated.log.checkpoints import read_checkpoint
from federated.log.merkle import leaf_hash
from federated.log.notes import Note, read_note
from federated.log.told import parse_told
from federated.pages.paging import pager
from federated.pages.plots import Value, bar
from federated.web.exchange import Answer, Attachment, Missing, Rendered, Seen
from site_agent.egress import Gate
from site_agent.ledger import sent, transaction
from site_agent.logged import strange, verified
from site_agent.receipts import Receipt
from site_agent.web.wording import KINDS, digest_of
from site_agent.witness import checkpoint_path, log_key, told_path

if TYPE_CHECKING:
    from pathlib import Path

    from site_agent.home import SiteHome
    from site_agent.ledger import Sent

PER_PAGE = 25


def left(home: SiteHome, seen: Seen) -> Answer:
    """Everything that ever left, the newest first."""
    receipts = Gate(home).receipts()[::-1]
    part = pager(len(receipts), seen.query, rows=PER_PAGE)
    with transaction(home.state_path) as connection:
        known = {row.digest: row for row in sent(connection)}
    shown = receipts[part.part]
    logged = verified(home, [known[one.digest] for one in shown], list(known.values()))
    rows = [
        (one, KINDS.get(one.kind, one.kind), (told, known[one.digest].withdrawn))
        for one, told in zip(shown, logged, strict=True)
    ]
    sizes: dict[str, int] = {}
    for one in receipts:
        sizes[one.kind] = sizes.get(one.kind, 0) + one.bytes
    largest = sorted(sizes.items(), key=lambda pair: -pair[1])
    values = [Value(kind, size, shown=said_bytes(size)) for kind, size in largest]
    context = {
        "heading": "What left",
        "rows": rows,
        "pager": part,
        "plot": bar(values, title="Bytes that left, by kind") if values else None,
        "coordinator": home.config.coordinator,
        "strange": strange(home, known),
    }
    return Rendered("left.html", context)


def receipt(home: SiteHome, seen: Seen) -> Answer:
    """One parcel that left: why it was allowed to, and what the log says of it."""
    found, row, everything = _receipt(home, digest_of(seen.path))
    (logged,) = verified(home, [row], everything)
    context = {
        "heading": f"Number {found.sequence}: {KINDS.get(found.kind, found.kind).lower()}",
        "receipt": found,
        "withdrawn": row.withdrawn,
        "hex": seen.path["digest"],
        "logged": logged,
        "proof": _proof(home, found.digest),
    }
    return Rendered("receipt.html", context)


def receipt_file(home: SiteHome, seen: Seen) -> Answer:
    """The receipt as it is kept, for any program."""
    found, *_ = _receipt(home, digest_of(seen.path))
    return Attachment(found.json_line().encode(), "application/json", f"receipt-{found.sequence}.json")


def proof_file(home: SiteHome, seen: Seen) -> Answer:
    """The log's entry with its proof and the checkpoint that this site signed, for whoever checks it elsewhere."""
    path = told_path(home, digest_of(seen.path))
    if not path.exists():
        raise Missing("The log has not told of this yet.")
    note = _checkpoint(home, path)
    whole = {"told": path.read_text(encoding="utf-8"), "checkpoint": note.to_bytes().decode() if note else ""}
    return Attachment(canonical(whole), "application/json", f"proof-{seen.path['digest'][:12]}.json")


def said_bytes(size: int) -> str:
    """A size for people."""
    for unit, step in (("MiB", 2**20), ("KiB", 2**10)):
        if size >= step:
            return f"{size / step:.1f} {unit}"
    return f"{size} bytes"


def _receipt(home: SiteHome, digest: str) -> tuple[Receipt, Sent, list[Sent]]:
    """A receipt with its row of the ledger, and all rows."""
    found = next((one for one in Gate(home).receipts() if one.digest == digest), None)
    with transaction(home.state_path) as connection:
        rows = sent(connection)
    row = next((row for row in rows if row.digest == digest), None)
    if found is None or row is None:
        raise Missing("Nothing with this digest ever left.")
    return found, row, rows


def _proof(home: SiteHome, digest: str) -> dict[str, object] | None:
    """What a person needs to compute the root again; None while nothing was told, or it is damaged."""
    path = told_path(home, digest)
    try:
        told = parse_told(path.read_bytes())
        note = _checkpoint(home, path)
        root = read_checkpoint(note, log_key(home).name).root.hex() if note else ""
    except (OSError, ConsiliumError):
        return None
    leaf = leaf_hash(told.entry.encode()).hex()
    return {"number": told.number, "size": told.size, "leaf": leaf, "path": told.proof, "root": root}


def _checkpoint(home: SiteHome, told: Path) -> Note | None:
    return read_note(checkpoint_path(home, parse_told(told.read_bytes()).size))
