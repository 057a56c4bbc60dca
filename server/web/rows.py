"""What the registry tells, as the rows of pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from federated.manifest import MODEL_KINDS
from server.registry import (
    ContactRow,
    DeliveryRow,
    EventRow,
    ParcelRow,
    QuarantineRow,
    ReleaseRow,
    SiteRow,
    WitnessRow,
    current_parcels,
    newest_candidate,
)
from server.web.figures import Figures

LEVELS = {1: "class sums", 2: "Gram matrices"}
LATELY = 20  # choices of a site among which is the release that it uses
HAPPENED = 100  # marks of one kind on the timeline, the newest


@dataclass(frozen=True)
class Happened:
    """One thing on the timeline: seconds since 1970, whose, what."""

    at: float
    lane: str
    what: str
    said: str


@dataclass(frozen=True)
class Made:
    """A release; `origin` is the number of the one that it brings back, `recall` the digest of its recall."""

    digest: str
    number: int
    state: str
    created: str
    origin: int | None
    recall: str | None


@dataclass(frozen=True)
class SiteState:
    """A site as the coordinator sees it.

    Attributes:
        heard: when its last parcel came.
        answered: when it last answered the coordinator; `silent` why it did not when it was asked last.
        kinds: what of its models counts now, by kind.
        level: the most detail that it gives the coordinator, in words; `onward` what may go on to other sites.
        uses: number of the release that it adopted last, and what it did with it.
        waiting: parcels that it is still to fetch.
        seen: entries of the log that it has seen.
    """

    name: str
    state: str
    heard: str | None
    answered: str | None
    silent: str
    labels: tuple[str, ...]
    kinds: Mapping[str, int]
    level: str
    onward: str
    uses: tuple[int, str] | None
    waiting: int
    seen: int


def seconds(moment: str) -> float:
    """A row's time as seconds since 1970."""
    return datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()


def when(moment: str) -> str:
    """A row's time as pages tell it."""
    return moment[:16].replace("T", " ")


def timeline(session: Session, numbers: Mapping[str, int]) -> list[Happened]:
    """Arrivals, withdrawals, releases and recalls, the newest of each, in the order of time.

    Args:
        session: to read with.
        numbers: of releases, by digest.
    """
    found: list[Happened] = []
    for event in ("release", "roll back", "recall"):
        for row in _last(session, EventRow.event == event):
            said = f"{when(row.at)}: {event} {numbers.get(row.subject or '', '')}".rstrip()
            found.append(Happened(seconds(row.at), "releases", event, said))
    found += [
        Happened(seconds(row.at), row.site or "", "withdraw", f"{when(row.at)}: {row.site} took one back")
        for row in _last(session, EventRow.event == "withdraw")
    ]
    arrived = (
        select(ParcelRow)
        .where(ParcelRow.kind.in_(MODEL_KINDS), ParcelRow.state != "refused")
        .order_by(ParcelRow.id.desc())
        .limit(HAPPENED)
    )
    for parcel in session.scalars(arrived):
        said = f"{when(parcel.received)}: {parcel.kind} of batch {parcel.batch} from {parcel.site}"
        found.append(Happened(seconds(parcel.received), parcel.site, "arrival", said))
    return sorted(found, key=lambda each: (each.at, each.lane))


def _last(session: Session, which: object) -> Sequence[EventRow]:
    query = select(EventRow).where(which).order_by(EventRow.id.desc()).limit(HAPPENED)  # type: ignore[arg-type]
    return session.scalars(query).all()


def events(session: Session, last: int) -> list[tuple[str, str, str, str]]:
    """Time, event, site and detail of the newest, the newest first."""
    rows = session.scalars(select(EventRow).order_by(EventRow.id.desc()).limit(last))
    return [(when(row.at), row.event, row.site or "", row.detail) for row in rows]


def site_names(session: Session) -> list[str]:
    """All that were ever invited, sorted."""
    return list(session.scalars(select(SiteRow.name).order_by(SiteRow.name)))


def states(session: Session) -> dict[str, str]:
    """State of every site."""
    return dict(session.execute(select(SiteRow.name, SiteRow.state)).all())


def releases(session: Session) -> list[Made]:
    """All releases by number."""
    told = (ReleaseRow.digest, ReleaseRow.number, ReleaseRow.state, ReleaseRow.created)
    query = select(*told, ReleaseRow.origin, ReleaseRow.recall).order_by(ReleaseRow.number)
    return [Made(row[0], row[1], row[2], when(row[3]), row[4], row[5]) for row in session.execute(query)]


def waits_for(session: Session, figures: Figures) -> list[str]:
    """Sites whose report the newest candidate waits for; none where it was released."""
    row = newest_candidate(session)
    if row is None or row.state != "current":
        return []
    if session.scalar(select(ReleaseRow.number).where(ReleaseRow.candidate == row.digest).limit(1)) is not None:
        return []
    found = figures.release(row.digest)
    asked = found.sites if found else ()
    here = {each.site for each in current_parcels(session, ("report",)) if each.concerns == row.digest}
    return [site for site in asked if site not in here]


def quarantined(session: Session) -> list[tuple[str, str, str, str]]:
    """Time, from where, why and digest of what was not let in, the newest first."""
    query = select(QuarantineRow).order_by(QuarantineRow.received.desc(), QuarantineRow.digest)
    return [(when(row.received), row.site, row.reason, row.digest) for row in session.scalars(query)]


def rejected(session: Session) -> list[tuple[str, str, str, str]]:
    """Time, site, reason and digest of parcels with a right envelope and a wrong content, the newest first."""
    query = select(ParcelRow).where(ParcelRow.state == "refused").order_by(ParcelRow.id.desc())
    return [(when(row.received), row.site, row.reason, row.digest) for row in session.scalars(query)]


def choices(session: Session, figures: Figures, releases: Sequence[str]) -> dict[str, Counter[str]]:
    """Digest of each of these releases -> how many sites did what with it."""
    found: dict[str, Counter[str]] = {digest: Counter() for digest in releases}
    for _, digest, concerns in session.execute(_adoptions().where(ParcelRow.concerns.in_(releases))):
        told = figures.parcel(digest)
        if told is not None and concerns is not None:
            found[concerns][told.choice] += 1
    return found


def choices_of(session: Session, figures: Figures, release: str) -> dict[str, str]:
    """What each site did with one release."""
    rows = session.execute(_adoptions().where(ParcelRow.concerns == release))
    return {site: told.choice for site, digest, _ in rows if (told := figures.parcel(digest)) is not None}


def _adoptions() -> Select[str, str, str | None]:
    """Site, digest and release of each that counts."""
    query = select(ParcelRow.site, ParcelRow.digest, ParcelRow.concerns)
    return query.where(ParcelRow.kind == "adoption", ParcelRow.state == "current")


def parcel_count(session: Session, site: str) -> int:
    """How many parcels a site has sent."""
    return session.scalar(select(func.count()).where(ParcelRow.site == site)) or 0


def parcels(session: Session, site: str, part: slice) -> Sequence[ParcelRow]:
    """Some of a site's parcels, counted from the newest."""
    query = select(ParcelRow).where(ParcelRow.site == site).order_by(ParcelRow.sequence.desc())
    return session.scalars(query.slice(part.start, part.stop)).all()


def newest_of_kinds(session: Session, site: str) -> Sequence[ParcelRow]:
    """A site's last parcel of each kind, in the order of kinds."""
    newest = select(func.max(ParcelRow.id)).where(ParcelRow.site == site).group_by(ParcelRow.kind)
    return session.scalars(select(ParcelRow).where(ParcelRow.id.in_(newest)).order_by(ParcelRow.kind)).all()


def site_states(session: Session, figures: Figures, names: Sequence[str]) -> list[SiteState]:
    """These sites, in this order."""
    numbers = {row.digest: row.number for row in releases(session)}
    state = states(session)
    waiting = select(DeliveryRow.site, func.count()).where(DeliveryRow.acknowledged.is_(False))
    waits = {row[0]: row[1] for row in session.execute(waiting.group_by(DeliveryRow.site))}
    seen = {row.site: row.size for row in session.scalars(select(WitnessRow))}
    contacts = {row.site: row for row in session.scalars(select(ContactRow).where(ContactRow.site.in_(names)))}
    models, found = _models(session, names), []
    for name in names:
        contact = contacts.get(name)
        sent = [told for _, digest in models[name] if (told := figures.parcel(digest)) is not None]
        found.append(
            SiteState(
                name=name,
                state=state[name],
                heard=_heard(session, name),
                answered=when(contact.answered) if contact and contact.answered else None,
                silent=contact.silent if contact else "",
                labels=tuple(sorted({label for each in sent for label in each.labels})),
                kinds=Counter(kind for kind, _ in models[name]),
                level=_level([each.level for each in sent]),
                onward=_level([each.level_to_sites for each in sent]),
                uses=_in_use(session, name, numbers, figures),
                waiting=waits.get(name, 0),
                seen=seen.get(name, 0),
            )
        )
    return found


def _models(session: Session, names: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Kind and digest of each contribution that counts, by site."""
    found: dict[str, list[tuple[str, str]]] = {name: [] for name in names}
    query = select(ParcelRow.site, ParcelRow.kind, ParcelRow.digest).where(ParcelRow.kind.in_(MODEL_KINDS))
    for site, kind, digest in session.execute(query.where(ParcelRow.state == "current", ParcelRow.site.in_(names))):
        found[site].append((kind, digest))
    return found


def _heard(session: Session, name: str) -> str | None:
    newest = select(ParcelRow.received).where(ParcelRow.site == name).order_by(ParcelRow.sequence.desc()).limit(1)
    moment = session.scalar(newest)
    return when(moment) if moment else None


def _level(levels: Sequence[int | None]) -> str:
    return LEVELS.get(max((level for level in levels if level is not None), default=0), "")


def _in_use(session: Session, name: str, numbers: Mapping[str, int], figures: Figures) -> tuple[int, str] | None:
    """The newest release that the site adopted or pinned."""
    newest = _adoptions().where(ParcelRow.site == name).order_by(ParcelRow.sequence.desc()).limit(LATELY)
    told = [(numbers.get(str(row.concerns), 0), figures.parcel(row.digest)) for row in session.execute(newest)]
    used = [(number, each.choice) for number, each in told if each is not None and each.choice != "refused"]
    return max(used, default=None)
