"""What the record costs: appending under a signed checkpoint, proofs out of a long log, an auditor's whole pass."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.claims import Measured, Row, at_least, at_most, told
from benchmarks.processes import watch
from benchmarks.trust_coordinator import Size, measure_coordinator
from benchmarks.trust_pages import measure_pages
from federated.audit.bundling import new_bundle
from federated.canonical import digest
from federated.envelope import PREDICATE_TYPE, Passage
from federated.keys import Party, TrustFile, public_hex, write_trust
from federated.log.checkpoints import origin_of, witness_name
from federated.log.entries import Entry, sign_entry
from federated.log.journal import Journal
from federated.log.merkle import leaf_hash, root_from_inclusion
from federated.log.notes import Note, cosign
from federated.statements import sign_statement

FEDERATION, SITE, AT = "speed", "ada", "2026-11-21T00:00:00Z"
HUB, ADA = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
BATCH, BATCHES = 100, 50
LONG, PROOFS, SEED = 1_000_000, 200, 7
AUDITED = 100_000
QUICK = 100  # how many times less
FEW = {"sites": 10, "releases": 10}  # of pages, instead of a hundred and a thousand
LARGE, SMALL = Size(sites=100, releases=1_000, summaries=100_000), Size(sites=10, releases=10, summaries=100)
PER_SECOND, PROOF_MS, AUDIT_SECONDS, AUDIT_MB, PAGE_MS = 1_000, 5.0, 60.0, 500.0, 300.0
NOTE = """An entry is a signed statement of a parcel with the hospital's own envelope in it, about 2 kB. Appending
signs the entries and the checkpoint and flushes every file to the disk before the checkpoint is replaced.
The long log holds short entries, since a proof sees their hashes alone; a proof is read from the files and
made anew each time. The auditor's pass is the command `consilium audit verify` in a process of its own:
both signatures of every entry, the hospital's numbers, and the tree. Pages are those of `consilium audit serve`
with a hundred sites, a thousand releases and a summary of each site for each release, asked for without a network;
of them entries counts summaries. Their index is made once of a bundle, from summaries that are already read. Pages of
the coordinator are those of `consilium coordinator web` over as much; it reads all releases once, when it begins."""


def measure(*, quick: bool) -> Measured:
    """Everything, in a folder that goes away."""
    less = QUICK if quick else 1
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            _append(Path(folder) / "append", max(2, BATCHES // less)),
            *_prove(Path(folder) / "long", LONG // less),
            *_audit(Path(folder) / "audit", AUDITED // less),
            *({**_row("", 0), **row} for row in measure_pages(_made(Path(folder) / "pages"), **(FEW if quick else {}))),
            *({**_row("", 0), **row} for row in measure_coordinator(Path(folder), SMALL if quick else LARGE)),
        ]
    found = {str(row["what"]): row for row in rows}

    def figure(what: str, column: str) -> float:
        return float(found[what][column] or 0)

    claims = (
        at_least("entries appended a second, in batches of 100", figure("append", "a second"), "", PER_SECOND),
        at_most("inclusion proof, 95th percentile", figure("inclusion proof", "p95, ms"), "ms", PROOF_MS),
        told("consistency proof, 95th percentile", figure("consistency proof", "p95, ms"), "ms"),
        at_most("an auditor's pass", figure("audit verify", "seconds"), "s", AUDIT_SECONDS),
        at_most("memory of an auditor's pass", figure("audit verify", "MB"), "MB", AUDIT_MB),
        at_most("an auditor's pass over a bundle", figure("audit verify of a bundle", "seconds"), "s", AUDIT_SECONDS),
        at_most("memory of that pass", figure("audit verify of a bundle", "MB"), "MB", AUDIT_MB),
        at_most("slowest page, 95th percentile", max(_pages(rows)), "ms", PAGE_MS),
    )
    return Measured(rows=tuple(rows), claims=claims, notes=(" ".join(NOTE.split()),))


def _row(what: str, entries: int, **figures: float) -> Row:
    columns = ("seconds", "a second", "median, ms", "p95, ms", "MB")
    return {"what": what, "entries": entries, **dict.fromkeys(columns), **figures}


def _pages(rows: Sequence[Row]) -> list[float]:
    return [float(row["p95, ms"] or 0) for row in rows if str(row["what"]).startswith("page ")]


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _append(folder: Path, batches: int) -> Row:
    journal, seconds = Journal(folder, origin_of(FEDERATION)), []
    entries = list(contributions(batches * BATCH))
    for number in range(batches):
        begun = time.perf_counter()
        some = entries[number * BATCH : (number + 1) * BATCH]
        journal.append([sign_entry(entry, HUB) for entry in some], HUB)
        seconds.append(time.perf_counter() - begun)
    return _row("append", len(entries), **{"seconds": sum(seconds), "a second": len(entries) / sum(seconds)})


def _prove(folder: Path, entries: int) -> Iterator[Row]:
    written = Journal(folder, origin_of(FEDERATION))
    written.append([b"%d" % number for number in range(entries)], HUB)
    drawn = np.random.default_rng(SEED).integers(0, entries, PROOFS).tolist()
    inclusion, consistency = [], []
    for number in drawn:
        journal = Journal(folder, origin_of(FEDERATION))  # nothing kept from the proof before
        begun = time.perf_counter()
        proof = journal.inclusion(number)
        inclusion.append(1000 * (time.perf_counter() - begun))
        leaf = leaf_hash(b"%d" % number)
        if root_from_inclusion(leaf, number, entries, proof) != journal.checkpoint.root:
            raise AssertionError(f"entry {number} is not proved")
        begun = time.perf_counter()
        journal.consistency(number)
        consistency.append(1000 * (time.perf_counter() - begun))
    for what, each in (("inclusion proof", inclusion), ("consistency proof", consistency)):
        yield _row(what, entries, **{"median, ms": float(np.median(each)), "p95, ms": float(np.quantile(each, 0.95))})


def _audit(folder: Path, entries: int) -> Iterator[Row]:
    journal = Journal(folder / "log", origin_of(FEDERATION))
    journal.append([sign_entry(entry, HUB) for entry in beginning()], HUB)
    rest = list(contributions(entries - journal.size))
    journal.append([sign_entry(entry, HUB) for entry in rest], HUB)
    assert journal.note is not None
    journal.cosigned(cosign(Note(journal.note.text), witness_name(FEDERATION, SITE), ADA, 1_800_000_000))
    write_trust(trust(), folder / "keys.toml")
    with new_bundle(folder / "record.bundle", FEDERATION) as bundle:
        bundle.add_log(folder / "log")
    for what, path in (("audit verify", folder / "log"), ("audit verify of a bundle", folder / "record.bundle")):
        words = ("audit", "verify", path, "--trust", folder / "keys.toml", "--witnesses", "1")
        command = [sys.executable, "-m", "consilium", *(str(word) for word in words)]
        watched = watch(command, folder / "output")  # which ends with 1 where anything is wrong
        rate, memory = entries / watched.seconds, watched.peak_bytes / 2**20
        yield _row(what, entries, **{"seconds": watched.seconds, "a second": rate, "MB": memory})


def trust() -> TrustFile:
    """The coordinator's key and the hospital's."""
    hub = Party(name="hub", role="coordinator", public=public_hex(HUB))
    return TrustFile(federation=FEDERATION, parties=(hub, Party(name=SITE, role="site", public=public_hex(ADA))))


def beginning() -> Sequence[Entry]:
    """A federation of one hospital."""
    hub, ada = ({"public": party.public, "role": party.role} for party in trust().parties)
    common = {"federation": FEDERATION, "at": AT}
    return [
        Entry.model_validate(common | {"event": "init", "keys": (hub,)}),
        Entry.model_validate(common | {"event": "enrol", "site": SITE, "keys": (ada,)}),
    ]


def contributions(count: int) -> Iterator[Entry]:
    """Parcels of one hospital, numbered from 1, each with the hospital's own envelope."""
    previous = None
    for number in range(1, count + 1):
        subject = digest(b"%d" % number)
        passage = Passage(
            federation=FEDERATION,
            sender=SITE,
            recipient="hub",
            sequence=number,
            previous=previous,
            kind="statistics",
            policy=digest(b"policy"),
            filters={"batch": "5 <= 12"},
            approval="standing",
            issued=AT,
        )
        envelope = sign_statement("statistics", subject, PREDICATE_TYPE, passage, [ADA]).decode()
        yield Entry(
            federation=FEDERATION,
            at=AT,
            event="accepted",
            site=SITE,
            kind="statistics",
            subject=subject,
            envelope=envelope,
        )
        previous = subject
