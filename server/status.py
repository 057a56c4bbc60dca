"""What the coordinator knows, as plain values for a page, a table or a program."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from federated.manifest import MODEL_KINDS, ReleaseManifest
from server.artefacts import Artefacts
from server.change_plans import approvers, pinned
from server.contributions import load_manifest
from server.home import CoordinatorHome
from server.registry import (
    DeliveryRow,
    EventRow,
    ParcelRow,
    QuarantineRow,
    ReleaseRow,
    SiteRow,
    current_parcels,
    newest_candidate,
)

LAST_EVENTS = 20


def status(session: Session, artefacts: Artefacts, home: CoordinatorHome) -> dict[str, Any]:
    """Sites, change plan and approvers, candidate, releases, quarantine and the last events."""
    return {
        "federation": home.config.federation,
        "coordinator": home.config.name,
        "sites": [_site(session, artefacts, row) for row in session.scalars(select(SiteRow).order_by(SiteRow.name))],
        "plan": pinned(session),
        "approvers": sorted(approvers(session)),
        "candidate": _candidate(session, artefacts),
        "releases": [
            _release(session, artefacts, row) for row in session.scalars(select(ReleaseRow).order_by(ReleaseRow.number))
        ],
        "quarantine": [
            {"digest": row.digest, "site": row.site, "reason": row.reason, "received": row.received}
            for row in session.scalars(select(QuarantineRow).order_by(QuarantineRow.received, QuarantineRow.digest))
        ],
        "events": _events(session),
    }


def _site(session: Session, artefacts: Artefacts, row: SiteRow) -> dict[str, Any]:
    current = current_parcels(session, MODEL_KINDS, row.name)
    manifests = {parcel.digest: load_manifest(artefacts, parcel.digest) for parcel in current}
    contributions = [
        {
            "digest": parcel.digest,
            "kind": parcel.kind,
            "batch": parcel.batch,
            "version": manifests[parcel.digest].expert,
        }
        for parcel in current
    ]
    waiting = select(func.count()).where(DeliveryRow.site == row.name, DeliveryRow.acknowledged.is_(False))
    return {
        "name": row.name,
        "state": row.state,
        "contributions": contributions,
        "versions": sorted({manifest.expert for manifest in manifests.values()}),
        "labels": sorted({label for manifest in manifests.values() for label in manifest.labels}),
        "last_heard": session.scalar(select(func.max(ParcelRow.received)).where(ParcelRow.site == row.name)),
        "waiting": session.scalar(waiting),
        "adoptions": {
            each.concerns: load_manifest(artefacts, each.digest).choice
            for each in current_parcels(session, ("adoption",), row.name)
        },
    }


def _candidate(session: Session, artefacts: Artefacts) -> dict[str, Any] | None:
    row = newest_candidate(session)
    if row is None:
        return None
    manifest: ReleaseManifest = load_manifest(artefacts, row.digest)
    reported = {each.site for each in current_parcels(session, ("report",)) if each.concerns == row.digest}
    return {
        "digest": row.digest,
        "state": row.state,
        "sites": [site.name for site in manifest.sites],
        "reported": sorted(reported),
        "labels": list(manifest.labels),
    }


def _release(session: Session, artefacts: Artefacts, row: ReleaseRow) -> dict[str, Any]:
    manifest: ReleaseManifest = load_manifest(artefacts, row.digest)
    adopted = [each for each in current_parcels(session, ("adoption",)) if each.concerns == row.digest]
    return {
        "number": row.number,
        "digest": row.digest,
        "state": row.state,
        "brings_back": row.origin,
        "created": row.created,
        "sites": {site.name: site.calibration for site in manifest.sites},
        "versions": {site.name: list(site.versions) for site in manifest.sites},
        "labels": list(manifest.labels),
        "rule": manifest.rule,
        "lacks": _lacks(manifest),
        "choices": {each.site: load_manifest(artefacts, each.digest).choice for each in adopted},
    }


def _lacks(manifest: ReleaseManifest) -> list[str]:
    """What the rule had not, in words."""
    owners = {card.contribution: card.site for card in manifest.experts}
    unasked = manifest.panel.unasked if manifest.panel else ()
    return [
        *(f"the expert of {site}" for site in manifest.lacking),
        *(f"what the expert of {owners[each.expert]} says at {each.site}" for each in unasked),
    ]


def _events(session: Session) -> list[dict[str, Any]]:
    rows = session.scalars(select(EventRow).order_by(EventRow.id.desc()).limit(LAST_EVENTS))
    return [
        {"at": row.at, "event": row.event, "site": row.site, "subject": row.subject, "detail": row.detail}
        for row in reversed(list(rows))
    ]
