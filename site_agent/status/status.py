"""What a person at the hospital wants to know at a glance: images, what left, what waits, which release answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from federated.errors import ConsiliumError, DisclosureError
from federated.manifest import Frozen
from site_agent.adopt import Held, read_shelf
from site_agent.catalogue import Catalogue
from site_agent.egress import Gate
from site_agent.forget.renewal import when
from site_agent.lease import lease
from site_agent.ledger import drafts, sent, transaction
from site_agent.mailbox import Inbox
from site_agent.policy import GOVERNED_KINDS, read_signed_policy
from site_agent.status.holdings import Holdings, holdings
from site_agent.steps import Step, read_progress

if TYPE_CHECKING:
    from site_agent.home import SiteHome


class Count(Frozen):
    """Patients and images of one label in one fold."""

    fold: str
    label: str
    patients: int
    images: int


class Sent(Frozen):
    """What was drafted of a batch, and where it is: pending, rejected, outbox, accepted, refused or withdrawn.

    `forgotten` says, where it holds a patient who was forgotten, until when.
    """

    batch: str
    kind: str
    digest: str
    state: str
    forgotten: str = ""


class Waits(Frozen):
    """A draft that waits for an approver."""

    digest: str
    kind: str
    when: str


class SiteStatus(Frozen):
    """Everything at a glance.

    Attributes:
        policy: kinds that may leave, or why nothing may.
        answers: number of the release in use, None where there is none.
        lease: until when, by the coordinator's list of those that stand; empty where none ever came.
        unread: parcels from the coordinator that the next `work` reads.
        last: what the last round of work did.
        holdings: what was taken in, and what was not.
    """

    federation: str
    site: str
    coordinator: str
    superlink: str
    policy: str
    images: tuple[Count, ...]
    quarantined: int
    contributions: tuple[Sent, ...]
    pending: tuple[Waits, ...]
    outbox: int
    unread: int
    releases: tuple[Held, ...]
    answers: int | None
    lease: str
    last: tuple[Step, ...]
    holdings: Holdings


def site_status(home: SiteHome) -> SiteStatus:
    """The state of a home. Nothing is computed and nothing changes, but what an earlier command left unfinished."""
    config, catalogue, shelf = home.config, Catalogue(home.catalogue_path), read_shelf(home)
    waiting = Gate(home).pending()
    return SiteStatus(
        federation=config.federation,
        site=config.site,
        coordinator=config.coordinator,
        superlink=config.superlink,
        policy=_policy(home),
        images=tuple(
            Count(fold=fold, label=label, patients=patients, images=images)
            for (fold, label), (patients, images) in catalogue.counts().items()
        ),
        quarantined=sum(one.state == "quarantined" for one in catalogue.aside()),
        contributions=_contributions(home),
        pending=tuple(Waits(digest=one.digest, kind=one.kind, when=one.when) for one in waiting),
        outbox=len(list(home.outbox.glob("*.parcel"))),
        unread=len(Inbox(home).unread()),
        releases=shelf.releases,
        answers=shelf.current.number if shelf.current else None,
        lease=_lease(home),
        last=read_progress(home).last,
        holdings=holdings(home.archive, home.image_vocabulary),
    )


def _lease(home: SiteHome) -> str:
    try:
        found = lease(home)
    except ConsiliumError as error:
        return f"nothing is answered: {error}"
    return found.line if found else ""


def _policy(home: SiteHome) -> str:
    try:
        policy = read_signed_policy(home).policy
    except DisclosureError as error:
        return f"nothing may leave: {error.what}"
    allowed = [kind for kind in GOVERNED_KINDS if policy.rule(kind).allowed]
    return f"may leave: {', '.join(allowed)}" if allowed else "nothing may leave"


def _contributions(home: SiteHome) -> tuple[Sent, ...]:
    with transaction(home.state_path) as connection:
        withdrawn = {row.digest: "withdrawn" for row in sent(connection) if row.withdrawn}
        waiting = {draft.digest: "rejected" if draft.rejected_by else "pending" for draft in drafts(connection)}
    folders = {"accepted": home.outbox / "settled", "refused": home.outbox / "refused", "outbox": home.outbox}
    forgotten, found = when(home), []
    for key, digest in read_progress(home).drafted:
        kind, _, batch = key.partition("/")
        state = withdrawn.get(digest) or waiting.get(digest) or _folder_of(digest, folders)
        line = forgotten.get(digest, "")
        found.append(Sent(batch=batch, kind=kind, digest=digest, state=state, forgotten=line))
    return tuple(sorted(found, key=lambda one: (one.batch, one.kind, one.state)))


def _folder_of(digest: str, folders: Mapping[str, Path]) -> str:
    name = f"*-{digest.removeprefix('sha256:')}.parcel"
    return next((state for state, folder in folders.items() if any(folder.glob(name))), "unknown")
