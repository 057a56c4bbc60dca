"""What an examined parcel changes: rows of the registry, artefacts, and the quarantine of what was wrong."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from statistics import mean
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from federated.canonical import digest
from federated.manifest import MODEL_KINDS, ReleaseManifest, SummaryManifest
from federated.panel import Asked
from federated.vocabulary import Vocabulary
from server.artefacts import Artefacts
from server.averages import open_average
from server.checks import Expectations
from server.contributions import Blocks, blocks_of, load, load_manifest
from server.deliveries import acknowledge
from server.home import CoordinatorHome
from server.intake import Examined
from server.panel import network_of
from server.registry import (
    FUSED_KINDS,
    ParcelRow,
    QuarantineRow,
    ReleaseRow,
    SpectrumRow,
    current_parcels,
    find_parcel,
    newest_candidate,
    now,
    record,
)
from server.releases import withdraw
from server.spectrum import Spectrum, spectrum

QUARANTINED = b"quarantined\x00"  # so that bytes from anybody never have the digest of a manifest


def expectations(session: Session, artefacts: Artefacts, home: CoordinatorHome, site: str) -> Expectations:
    """What a site's content is held against."""
    candidate = newest_candidate(session)
    kept = select(ParcelRow.digest).where(
        ParcelRow.site == site, ParcelRow.kind.in_(MODEL_KINDS), ParcelRow.state.in_(("current", "superseded"))
    )
    return Expectations(
        task=home.config.task,
        front_end=home.config.front_end,
        vocabulary=home.vocabulary(),
        spectra=_spectra(session, site),
        counterpart=partial(_counterpart, session, artefacts, home.vocabulary(), site),
        contributions=frozenset(session.scalars(kept)),
        candidate=(candidate.digest, load_manifest(artefacts, candidate.digest)) if candidate else None,
        release=partial(_release, session, artefacts),
        average=open_average(session, artefacts),
        expert=partial(_expert, session, artefacts),
        summaries=partial(_summaries, session, artefacts, site),
    )


def keep(session: Session, artefacts: Artefacts, home: CoordinatorHome, data: bytes, examined: Examined) -> None:
    """Writes down what became of a parcel; called once for each arrival, in one transaction."""
    acceptance = examined.acceptance
    if acceptance.outcome == "quarantined":
        _quarantine(session, home, data, examined)
    if acceptance.leaves_all:
        _tell_again(session, acceptance.site, acceptance.digest)
    if examined.takes_number:
        _number(session, artefacts, examined)
    if examined.opened is not None:
        _take_in(session, artefacts, home, examined)
    record(
        session,
        "rejected" if acceptance.outcome == "quarantined" and examined.takes_number else acceptance.outcome,
        site=acceptance.site or None,
        subject=acceptance.digest,
        detail=acceptance.reason or acceptance.kind,
        entry=_entry(session, data, examined),
    )


def _spectra(session: Session, site: str) -> dict[str, Spectrum]:
    """Of each other site, the mean over its parcels."""
    found: dict[str, list[Spectrum]] = {}
    for row in current_parcels(session, FUSED_KINDS):
        if row.site != site and row.mean_square is not None:
            more = session.get(SpectrumRow, row.id)  # a parcel that came before this was kept has none
            own = Spectrum(row.mean_square, more.share if more else None, more.concentration if more else None)
            found.setdefault(row.site, []).append(own)
    return {name: _mean_spectrum(each) for name, each in found.items()}


def _mean_spectrum(each: list[Spectrum]) -> Spectrum:
    shares = [one.share for one in each if one.share is not None]
    concentrations = [one.concentration for one in each if one.concentration is not None]
    return Spectrum(
        mean(one.mean_square for one in each),
        mean(shares) if shares else None,
        mean(concentrations) if concentrations else None,
    )


def _counterpart(
    session: Session, artefacts: Artefacts, vocabulary: Vocabulary, site: str, batch: str, kind: str
) -> Blocks | None:
    for row in current_parcels(session, (kind,), site):
        if row.batch == batch:
            stored = load(artefacts, row.digest)
            return blocks_of(stored.manifest, stored.tensors, vocabulary)
    return None


def _expert(session: Session, artefacts: Artefacts, digest: str) -> Asked | None:
    network = network_of(session, artefacts, digest)
    return network.asked if network and network.is_asked else None


def _release(session: Session, artefacts: Artefacts, digest: str) -> ReleaseManifest | None:
    if session.get(ReleaseRow, digest) is None:
        return None
    manifest: ReleaseManifest = load_manifest(artefacts, digest)
    return manifest


def _summaries(session: Session, artefacts: Artefacts, site: str) -> Iterator[SummaryManifest]:
    rows = current_parcels(session, ("summary",), site)
    for row in sorted(rows, key=lambda each: each.sequence, reverse=True):
        yield load_manifest(artefacts, row.digest)


def _entry(session: Session, data: bytes, examined: Examined) -> dict[str, Any] | None:
    """What the log says of an arrival: of what changes nothing nothing, of bytes from anybody only that they came."""
    acceptance = examined.acceptance
    if acceptance.leaves_all:
        return None
    if not examined.takes_number:
        return {"subject": digest(QUARANTINED + data), "site": None}
    assert examined.parcel is not None
    row = find_parcel(session, acceptance.site, acceptance.digest)
    assert row is not None
    choice = getattr(examined.opened.manifest, "choice", None) if examined.opened else None
    entry = {"subject": row.digest, "kind": row.kind, "concerns": row.concerns, "choice": choice}
    return entry | {"envelope": examined.parcel.envelope.decode()}


def _quarantine(session: Session, home: CoordinatorHome, data: bytes, examined: Examined) -> None:
    name = Artefacts(home.quarantine_path).put(data)
    row = QuarantineRow(digest=name, site=examined.acceptance.site, reason=examined.acceptance.reason, received=now())
    session.merge(row)


def _tell_again(session: Session, site: str, digest: str) -> None:
    """A site that sends something once more has not heard what became of it."""
    row = find_parcel(session, site, digest)
    if row is not None:
        row.told = False


def _number(session: Session, artefacts: Artefacts, examined: Examined) -> None:
    parcel, passage, acceptance = examined.parcel, examined.passage, examined.acceptance
    assert parcel is not None
    assert passage is not None
    session.add(
        ParcelRow(
            digest=acceptance.digest,
            site=passage.sender,
            sequence=passage.sequence,
            kind=passage.kind,
            batch=acceptance.batch or None,
            concerns=None,
            mean_square=None,
            envelope=artefacts.put(parcel.envelope),
            state="current" if examined.opened is not None else "refused",
            reason=acceptance.reason,
            received=now(),
            told=False,
        )
    )
    session.flush()


def _take_in(session: Session, artefacts: Artefacts, home: CoordinatorHome, examined: Examined) -> None:
    parcel, opened = examined.parcel, examined.opened
    assert parcel is not None
    assert opened is not None
    artefacts.put(parcel.tensors)
    artefacts.put(parcel.manifest)
    row, manifest = find_parcel(session, opened.passage.sender, opened.digest), opened.manifest
    assert row is not None
    row.concerns = _concerns(manifest)
    if row.kind in FUSED_KINDS:
        _keep_spectrum(session, row, manifest, blocks_of(manifest, opened.tensors, home.vocabulary()))
    _supersede(session, row)
    if row.concerns is not None:
        acknowledge(session, row.site, row.concerns)
    if row.kind == "withdrawal":
        withdraw(session, artefacts, home, row.site, manifest.contributions)


def _keep_spectrum(session: Session, row: ParcelRow, manifest: Any, blocks: Blocks) -> None:
    block = blocks.get("train")
    if block is None or block.gram is None:
        return
    found = spectrum(block, sum(manifest.images.values()))
    row.mean_square = found.mean_square
    session.add(SpectrumRow(parcel=row.id, share=found.share, concentration=found.concentration))


def _concerns(manifest: Any) -> str | None:
    if manifest.kind == "report":
        return str(manifest.candidate)
    if manifest.kind == "update":
        return str(manifest.average)
    return str(manifest.release) if manifest.kind in ("adoption", "summary", "decision") else None


def _supersede(session: Session, row: ParcelRow) -> None:
    """A contribution replaces that of the same batch and kind; what answers something, the answer before."""
    if row.kind not in (*MODEL_KINDS, "update", "report", "adoption"):
        return
    for other in current_parcels(session, (row.kind,), row.site):
        if other.id != row.id and (other.batch, other.concerns) == (row.batch, row.concerns):
            other.state = "superseded"
