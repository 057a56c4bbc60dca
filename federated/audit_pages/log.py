"""The log: each step of verification, every entry, and one entry with the proof that it is where it says."""

from __future__ import annotations

from typing import Any

from federated.audit.outcome import Check, outcome
from federated.audit_pages.overview import verdict
from federated.audit_pages.room import Room
from federated.errors import ContractError
from federated.log.checkpoints import origin_of, read_checkpoint
from federated.log.entries import SAYS, Entry, read_entry
from federated.log.journal import CHECKPOINT
from federated.log.merkle import inclusion_proof, leaf_hash, root_from_inclusion
from federated.log.notes import read_note
from federated.log.tiles import Tiles
from federated.pages.paging import pager
from federated.web.exchange import Missing, Rendered, Seen

EVENTS = tuple(SAYS)
COLUMNS = "number, at, event, site, kind, subject, release"


def log(room: Room, seen: Seen) -> Rendered:
    """All entries, newest first; `event` and `site` choose among them."""
    index, asked = room.index, {name: seen.query.get(name, "") for name in ("event", "site")}
    chosen = {name: value for name, value in asked.items() if value}
    where = " AND ".join(f"{name} = ?" for name in chosen) or "1"
    values = tuple(chosen.values())
    pages = pager(index.count(f"SELECT count(*) FROM entries WHERE {where}", *values), seen.query)  # noqa: S608 - names are ours
    listed = f"SELECT {COLUMNS} FROM entries WHERE {where} ORDER BY number DESC LIMIT ? OFFSET ?"  # noqa: S608
    context = {
        "heading": "The log",
        "events": EVENTS,
        "asked": asked,
        "rows": index.rows(listed, *values, pages.rows, pages.start),
        "pager": pages,
    }
    return Rendered("audit_log.html", context)


def verification(room: Room, seen: Seen) -> Rendered:
    """Each step of verification, part by part of the bundle."""
    audits = room.index.audits
    pages = pager(len(audits), seen.query)
    colour, heading, said = verdict(audits, trusted=room.trust is not None)
    context = {
        "heading": "Each step of verification",
        "verdict": {"colour": colour, "heading": heading, "said": said},
        "audits": audits[pages.part],
        "pager": pages,
    }
    return Rendered("audit_verification.html", context)


def entry(room: Room, seen: Seen) -> Rendered:
    """One entry, read from the bundle again and held against the checkpoint.

    Raises:
        Missing: there is no such entry.
    """
    asked, folder = seen.path["number"], room.bundle.log_folder()
    note = read_note(folder / CHECKPOINT) if folder is not None else None
    if folder is None or note is None or not asked.isascii() or not asked.isdigit() or len(asked) > 15:
        raise Missing("There is no such entry.")
    head, number = read_checkpoint(note, origin_of(room.bundle.federation)), int(asked)
    if number >= head.size:
        raise Missing(f"The log has {head.size} entries, counted from 0.")
    tiles = Tiles(folder, head.size)
    (data,) = tiles.entries(number, number + 1)
    proof = inclusion_proof(number, head.size, tiles.subtree)
    found = read_entry(data).predicate
    context = {
        "heading": f"Entry {number}",
        "number": number,
        "size": head.size,
        "facts": facts(found),
        "check": proved(data, number, head.size, head.root, proof),
        "leaf": leaf_hash(data).hex(),
        "proof": [each.hex() for each in proof],
        "root": head.root.hex(),
        "about": _about(room, found),
    }
    return Rendered("audit_entry.html", context)


def proved(data: bytes, number: int, size: int, root: bytes, proof: list[bytes]) -> Check:
    """Whether an entry hangs in the tree of the checkpoint."""

    def recompute() -> str:
        if root_from_inclusion(leaf_hash(data), number, size, proof) != root:
            raise ContractError("the entry is not in the tree that was signed", where=f"entry {number}")
        return f"{len(proof)} hashes lead from the entry to the root of {size} entries"

    return outcome("inclusion", recompute)


def facts(found: Entry) -> list[tuple[str, str]]:
    """What an entry says, without what is empty and what is long."""
    said = found.model_dump(
        mode="json", exclude_none=True, exclude={"version", "envelope", "approvals", "keys", "ended"}
    )
    lines = [(name, str(value)) for name, value in said.items()]
    lines += [("key that counts", f"{card.public} ({card.role})") for card in found.keys]
    lines += [("key that ended", public) for public in found.ended]
    if found.approvals:
        lines.append(("approvals", f"{len(found.approvals)} signatures under it"))
    if found.envelope:
        lines.append(("the hospital's own envelope", f"{len(found.envelope):,} bytes, signed by it"))
    return lines


def _about(room: Room, found: Entry) -> list[tuple[int, Any]]:
    """Other entries about the same thing."""
    if found.subject is None:
        return []
    same = "SELECT number, event FROM entries WHERE subject = ? OR concerns = ? ORDER BY number LIMIT 20"
    return list(room.index.rows(same, found.subject, found.subject))
