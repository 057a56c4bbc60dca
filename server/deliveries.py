"""What sites are to get: candidates, releases, recalls and global models; numbered and sealed when first handed over.

A parcel that was handed over and not acknowledged is handed over again byte by byte, for its number is used up. One
that never was, and that nobody needs any more, is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from federated.envelope import Parcel, Passage, seal
from federated.manifest import parse_manifest
from server.artefacts import Artefacts
from server.registry import AverageRow, DeliveryRow, newest_candidate, newest_release, now


def enqueue(session: Session, sites: Iterable[str], digest: str, kind: str) -> None:
    """Puts something in line for sites that do not have it yet."""
    have = set(session.scalars(select(DeliveryRow.site).where(DeliveryRow.digest == digest)))
    for site in sorted(set(sites) - have):
        session.add(DeliveryRow(site=site, digest=digest, kind=kind, acknowledged=False))
    session.flush()


def outgoing(
    session: Session, artefacts: Artefacts, site: str, *, federation: str, sender: str, key: Ed25519PrivateKey
) -> list[Parcel]:
    """Everything that a site has not acknowledged, in the order of its numbers."""
    _drop_stale(session, site)
    unsent = _unacknowledged(site).where(DeliveryRow.sequence.is_(None)).order_by(DeliveryRow.id)
    for row in list(session.scalars(unsent)):
        _hand_over(session, artefacts, row, federation, sender, key)
    session.flush()
    rows = session.scalars(_unacknowledged(site).order_by(DeliveryRow.sequence))
    return [_parcel(artefacts, row.digest, row.envelope or "") for row in rows]


def acknowledge(session: Session, site: str, digest: str) -> None:
    """A site has a parcel, and so all those with lower numbers."""
    row = session.scalar(select(DeliveryRow).where(DeliveryRow.site == site, DeliveryRow.digest == digest))
    if row is not None and row.sequence is not None:
        earlier = (DeliveryRow.site == site) & (DeliveryRow.sequence <= row.sequence)
        session.execute(update(DeliveryRow).where(earlier).values(acknowledged=True))


def sent_to(session: Session, digest: str) -> list[str]:
    """Sites to which something was handed over at least once."""
    sent = (DeliveryRow.digest == digest) & DeliveryRow.sequence.is_not(None)
    return sorted(session.scalars(select(DeliveryRow.site).where(sent)))


def _unacknowledged(site: str) -> Select[DeliveryRow]:
    return select(DeliveryRow).where(DeliveryRow.site == site, DeliveryRow.acknowledged.is_(False))


def _drop_stale(session: Session, site: str) -> None:
    candidate, release = newest_candidate(session), newest_release(session, standing=True)
    needed = {
        "candidate": {candidate.digest} if candidate and candidate.state == "current" else set(),
        "release": {release.digest} if release else set(),
        "average": set(session.scalars(select(AverageRow.digest).where(AverageRow.state.in_(("open", "finished"))))),
    }
    for row in list(session.scalars(_unacknowledged(site).where(DeliveryRow.sequence.is_(None)))):
        if row.kind in needed and row.digest not in needed[row.kind]:
            session.delete(row)
    session.flush()


def _hand_over(
    session: Session, artefacts: Artefacts, row: DeliveryRow, federation: str, sender: str, key: Ed25519PrivateKey
) -> None:
    last = session.scalar(
        select(DeliveryRow)
        .where(DeliveryRow.site == row.site, DeliveryRow.sequence.is_not(None))
        .order_by(DeliveryRow.sequence.desc())
        .limit(1)
    )
    sequence = (last.sequence or 0) + 1 if last else 1
    manifest = parse_manifest(artefacts.get(row.digest))
    passage = Passage(
        federation=federation,
        sender=sender,
        recipient=row.site,
        sequence=sequence,
        previous=last.digest if last else None,
        kind=manifest.kind,
        policy=None,
        filters={},
        approval="none",
        issued=now(),
    )
    row.envelope = artefacts.put(seal(manifest, b"", passage, [key]).envelope)
    row.sequence = sequence
    session.flush()


def _parcel(artefacts: Artefacts, digest: str, envelope: str) -> Parcel:
    body = artefacts.get(digest)
    return Parcel(artefacts.get(envelope), body, artefacts.get(parse_manifest(body).tensors_digest))
