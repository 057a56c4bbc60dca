"""The registry: what the coordinator knows, as rows that any other tool can read. Bytes are artefacts, by digest.

Times are UTC, ``YYYY-MM-DDTHH:MM:SSZ``. Every step of the coordinator is one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Index, NullPool, UniqueConstraint, create_engine, inspect, select
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from federated.canonical import canonical
from federated.envelope import Ledger
from federated.errors import ConsiliumError
from federated.keys import Party, TrustFile
from federated.log.entries import checked

VERSION = 2
FUSED_KINDS = ("statistics", "features")


class Base(DeclarativeBase):
    """Base of all tables."""


class SchemaRow(Base):
    """Which version of these tables this is."""

    __tablename__ = "schema"
    version: Mapped[int] = mapped_column(primary_key=True)


class SiteRow(Base):
    """A site. `state` is invited, enrolled or revoked; `invitation` is the SHA-256 of the token in its kit."""

    __tablename__ = "sites"
    name: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    invitation: Mapped[str]
    flower_public: Mapped[str]


class KeyRow(Base):
    """A party of the trust file, in the order in which they came."""

    __tablename__ = "keys"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    role: Mapped[str]
    public: Mapped[str] = mapped_column(unique=True)
    site: Mapped[str | None]
    revoked: Mapped[bool]


class ParcelRow(Base):
    """A parcel whose envelope was right, so that it has used up its number; `state` says what became of its content.

    `state` is current, superseded, withdrawn or refused. `batch` is that of a contribution, `mean_square` the mean
    squared feature norm of statistics; `concerns` is the candidate of a report or the release of an adoption. `told`
    says whether the site knows the outcome.
    """

    __tablename__ = "parcels"
    __table_args__ = (
        UniqueConstraint("site", "sequence"),
        UniqueConstraint("site", "digest"),
        Index("parcels_by_kind", "kind", "state", "concerns"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    site: Mapped[str]
    sequence: Mapped[int]
    digest: Mapped[str]
    kind: Mapped[str]
    batch: Mapped[str | None]
    concerns: Mapped[str | None]
    mean_square: Mapped[float | None]
    envelope: Mapped[str]
    state: Mapped[str]
    reason: Mapped[str]
    received: Mapped[str]
    told: Mapped[bool]


class SpectrumRow(Base):
    """What else the spectrum of a parcel's statistics is compared by, where they were made of images enough."""

    __tablename__ = "spectra"
    parcel: Mapped[int] = mapped_column(primary_key=True)
    share: Mapped[float | None]
    concentration: Mapped[float | None]


class CandidateRow(Base):
    """A candidate release. `inputs` is the digest of everything it was computed from; `place` orders them.

    `state` is current, or withdrawn where it holds a contribution that was taken back.
    """

    __tablename__ = "candidates"
    digest: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(unique=True)
    inputs: Mapped[str]
    state: Mapped[str]
    created: Mapped[str]


class ReleaseRow(Base):
    """A release. `state` is standing, recalled, or withdrawn where it holds a contribution that was taken back.

    `origin` is the number of the release whose content this one brings back; `recall` the digest of its recall.
    """

    __tablename__ = "releases"
    digest: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(unique=True)
    candidate: Mapped[str]
    state: Mapped[str]
    origin: Mapped[int | None]
    recall: Mapped[str | None]
    created: Mapped[str]


class AverageRow(Base):
    """A global model of a run of rounds. `place` orders them; `run` and `round` are those of its manifest.

    `state` is open (it asks for updates), averaged (there is a later one), finished (the last of its run), or stopped.
    """

    __tablename__ = "averages"
    digest: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(unique=True)
    run: Mapped[int]
    round: Mapped[int]
    state: Mapped[str]
    created: Mapped[str]


class DeliveryRow(Base):
    """Something a site is to get. It has a number and an envelope once it was first handed over."""

    __tablename__ = "deliveries"
    __table_args__ = (UniqueConstraint("site", "digest"), UniqueConstraint("site", "sequence"))
    id: Mapped[int] = mapped_column(primary_key=True)
    site: Mapped[str]
    digest: Mapped[str]
    kind: Mapped[str]
    sequence: Mapped[int | None]
    envelope: Mapped[str | None]
    acknowledged: Mapped[bool]


class ApprovalRow(Base):
    """An approver's signature under an assessment; its envelope is the artefact of this digest."""

    __tablename__ = "approvals"
    digest: Mapped[str] = mapped_column(primary_key=True)
    assessment: Mapped[str]
    public: Mapped[str]
    at: Mapped[str]


class QuarantineRow(Base):
    """Bytes that were not let in; they lie in the quarantine folder under their digest."""

    __tablename__ = "quarantine"
    digest: Mapped[str] = mapped_column(primary_key=True)
    site: Mapped[str]
    reason: Mapped[str]
    received: Mapped[str]


class EventRow(Base):
    """What happened, in order; rows are only ever added."""

    __tablename__ = "events"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[str]
    event: Mapped[str]
    site: Mapped[str | None]
    subject: Mapped[str | None]
    detail: Mapped[str]


class EntryRow(Base):
    """What the log says of an event, as JSON. Rows are only ever added; the n-th, from 1, becomes the n-th entry."""

    __tablename__ = "entries"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    facts: Mapped[str]


class ContactRow(Base):
    """Whether a site answered when it was asked last: when it answered at all, and why it did not since, or nothing."""

    __tablename__ = "contacts"
    site: Mapped[str] = mapped_column(primary_key=True)
    answered: Mapped[str | None]
    silent: Mapped[str]


class WitnessRow(Base):
    """How many entries of the log a site has seen, as far as is known."""

    __tablename__ = "witnesses"
    site: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int]


class Registry:
    """The tables behind a SQLAlchemy URL, made where they are missing.

    Raises:
        ConsiliumError: the URL is none, the database cannot be reached, or it is of another version.
    """

    def __init__(self, url: str) -> None:
        try:
            self._engine = create_engine(url, poolclass=NullPool)
        except ArgumentError as error:
            raise ConsiliumError(f"is not a database URL ({error})", where="registry_url in config.toml") from error
        with self.transaction() as session:
            fresh = not inspect(session.connection()).has_table(SchemaRow.__tablename__)
            Base.metadata.create_all(session.connection())
            if fresh:
                session.add(SchemaRow(version=VERSION))
            elif (found := session.scalar(select(SchemaRow.version))) != VERSION:
                raise ConsiliumError(
                    f"has version {found} of the registry, this program knows {VERSION}", where="registry"
                )

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session whose changes are all kept, or none of them if anything is raised.

        Raises:
            ConsiliumError: the database is full, locked or out of reach.
        """
        try:
            with Session(self._engine) as session, session.begin():
                yield session
        except OperationalError as error:
            raise ConsiliumError(
                f"the database cannot be used ({error.orig}); nothing was changed", where="registry"
            ) from error


def now() -> str:
    """The time that rows bear."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def record(
    session: Session,
    event: str,
    *,
    site: str | None = None,
    subject: str | None = None,
    detail: str = "",
    entry: Mapping[str, Any] | None = None,
) -> None:
    """Adds to the list of what happened, and to what is to be logged.

    Args:
        session: of the step.
        event: what happened.
        site: whose.
        subject: what it is about.
        detail: in words, for people here; the log has none.
        entry: what else the log says (fields of `federated.log.entries.Entry`); None for what is not logged.

    Raises:
        ContractError: the log has no entry of this event that says this.
    """
    last = session.scalar(select(EntryRow).order_by(EntryRow.id.desc()).limit(1))
    at = max(now(), str(json.loads(last.facts)["at"]) if last else "")  # whatever a clock that was put back says
    session.add(EventRow(at=at, event=event, site=site, subject=subject, detail=detail))
    if entry is not None:
        facts = {"at": at, "event": event, "site": site, **entry}
        checked(facts, "any")
        session.add(EntryRow(id=last.id + 1 if last else 1, facts=canonical(facts).decode()))
        session.flush()


def trust_file(session: Session, federation: str) -> TrustFile:
    """Whose signatures count."""
    rows = session.scalars(select(KeyRow).order_by(KeyRow.id))
    parties = [
        Party.model_validate(
            {"name": row.name, "role": row.role, "public": row.public, "site": row.site, "revoked": row.revoked}
        )
        for row in rows
    ]
    return TrustFile(federation=federation, parties=tuple(parties))


def ledger_of(session: Session, site: str) -> Ledger:
    """What is known of a site's envelopes."""
    rows = session.scalars(select(ParcelRow).where(ParcelRow.site == site).order_by(ParcelRow.sequence)).all()
    last = rows[-1] if rows else None
    states = {
        state: frozenset(row.digest for row in rows if row.state == state)
        for state in ("current", "superseded", "withdrawn", "refused")
    }
    return Ledger(sequence=last.sequence if last else 0, last=last.digest if last else None, **states)


def find_parcel(session: Session, site: str, digest: str) -> ParcelRow | None:
    """A site's parcel; another site may have sent the same bytes under its own name, and been refused."""
    return session.scalar(select(ParcelRow).where(ParcelRow.site == site, ParcelRow.digest == digest))


def enrolled_sites(session: Session) -> list[str]:
    """Names of the sites whose keys count, sorted."""
    return list(session.scalars(select(SiteRow.name).where(SiteRow.state == "enrolled").order_by(SiteRow.name)))


def current_parcels(session: Session, kinds: Sequence[str], site: str | None = None) -> list[ParcelRow]:
    """Accepted parcels of these kinds that still count, in digest order."""
    query = select(ParcelRow).where(ParcelRow.state == "current", ParcelRow.kind.in_(kinds)).order_by(ParcelRow.digest)
    return list(session.scalars(query if site is None else query.where(ParcelRow.site == site)))


def counted_parcels(session: Session) -> list[ParcelRow]:
    """Contributions that enter the fusion: where a batch came as statistics and as features, the statistics, once."""
    rows = current_parcels(session, FUSED_KINDS)
    sums = {(row.site, row.batch) for row in rows if row.kind == "statistics"}
    return [row for row in rows if row.kind == "statistics" or (row.site, row.batch) not in sums]


def newest_candidate(session: Session) -> CandidateRow | None:
    """The candidate that was proposed last."""
    return session.scalar(select(CandidateRow).order_by(CandidateRow.place.desc()).limit(1))


def newest_average(session: Session) -> AverageRow | None:
    """The global model that was made last."""
    return session.scalar(select(AverageRow).order_by(AverageRow.place.desc()).limit(1))


def newest_release(session: Session, *, standing: bool = False) -> ReleaseRow | None:
    """The release with the highest number, or among those that still stand."""
    query = select(ReleaseRow).order_by(ReleaseRow.number.desc()).limit(1)
    return session.scalar(query.where(ReleaseRow.state == "standing") if standing else query)
