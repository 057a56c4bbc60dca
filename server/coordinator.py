"""The coordinator: every event as one step, which holds the home and is one transaction of the registry.

Artefacts are written before the rows that name them, so that a process killed at any moment leaves at most bytes that
nobody names, and the same step run again ends the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from federated.assessment import Assessment
from federated.averaging import Plan
from federated.canonical import digest
from federated.contract import Tensors
from federated.enrolment import Kit
from federated.envelope import Parcel, parse_parcel, read_passage
from federated.errors import ConsiliumError, ContractError
from federated.keys import TrustFile
from federated.manifest import MODEL_KINDS
from federated.vocabulary import write_vocabulary
from server import acceptance, averages, change_plans, deliveries, members, panel, release_status, releases, witnesses
from server.artefacts import Artefacts
from server.averages import Update
from server.contributions import Stored, load
from server.home import CoordinatorHome
from server.intake import Acceptance, examine
from server.log import entries_due, write_log
from server.registry import (
    ContactRow,
    KeyRow,
    ParcelRow,
    Registry,
    ReleaseRow,
    enrolled_sites,
    ledger_of,
    now,
    record,
    trust_file,
)
from server.releases import Withdrawal
from server.status import status
from server.vocabulary_changes import Change, Effects, check_change, effects, split


class Coordinator:
    """What the coordinator can do, each atomically and idempotent.

    Raises:
        ConsiliumError: the home or its registry cannot be used.
    """

    def __init__(self, home: CoordinatorHome) -> None:
        self.home = home
        self.artefacts = Artefacts(home.artefacts_path)
        self.registry = Registry(home.registry_url)
        if self.trust() != home.trust():
            with self._step() as session:
                _require_key(session, home)

    def invite(self, site: str) -> Kit:
        """A kit for a site, with a fresh invitation."""
        with self._step() as session:
            return members.invite(session, self.home, site)

    def enrol(self, path: Path, fingerprint: str) -> str:
        """Lets in the site whose request has the fingerprint told by another channel; its name."""
        with self._step() as session:
            return members.enrol(session, path, fingerprint, self.home.config.federation)

    def rotate(self, path: Path) -> str:
        """Replaces a site's key; the site's name."""
        with self._step() as session:
            return members.rotate(session, path, self.home.config.federation)

    def revoke(self, site: str) -> None:
        """A site's keys count no more."""
        with self._step() as session:
            members.revoke(session, site)

    def sites(self) -> list[str]:
        """Enrolled sites, sorted."""
        with self.registry.transaction() as session:
            return enrolled_sites(session)

    def trust(self) -> TrustFile:
        """Whose signatures count."""
        with self.registry.transaction() as session:
            return trust_file(session, self.home.config.federation)

    def accept(self, data: bytes) -> Acceptance:
        """Takes in one parcel, or says why not; what is wrong is quarantined and changes nothing else."""
        with self._step() as session:
            examined = examine(
                data,
                coordinator=self.home.config.name,
                trust=trust_file(session, self.home.config.federation),
                ledger_of=partial(ledger_of, session),
                expectations_of=partial(acceptance.expectations, session, self.artefacts, self.home),
            )
            acceptance.keep(session, self.artefacts, self.home, data, examined)
            return examined.acceptance

    def accept_all(self, parcels: Iterable[bytes]) -> list[Acceptance]:
        """Takes in parcels in the order of their numbers, whatever order they come in."""
        return [self.accept(data) for data in sorted(parcels, key=_sender_and_sequence)]

    def propose(self) -> str | None:
        """Digest of the candidate that sites should report on, or None where there is nothing to release."""
        with self._step() as session:
            return releases.propose(session, self.artefacts, self.home)

    def release(self, plan: bytes | None = None, *, substantial: bool = False) -> str | None:
        """Digest of the new release of the newest candidate, or None where it would be no news.

        Args:
            plan: a change plan that it is held against, that which is pinned where none is given.
            substantial: whether changes that the plan does not allow were approved as such.

        Raises:
            PlanError: the plan does not let it be made.
        """
        with self._step() as session:
            return releases.release(session, self.artefacts, self.home, plan, substantial=substantial)

    def add_approver(self, name: str, public: str) -> None:
        """Somebody may approve releases from now on."""
        with self._step() as session:
            change_plans.add_approver(session, name, public)

    def end_approver(self, name: str) -> None:
        """What this approver signs does not count any more."""
        with self._step() as session:
            change_plans.end_approver(session, name)

    def approvers(self) -> dict[str, str]:
        """Name -> public key of those who approve releases."""
        with self.registry.transaction() as session:
            return change_plans.approvers(session)

    def pin_plan(self, plan: bytes) -> str:
        """From now on releases are made under this change plan; its digest."""
        with self._step() as session:
            return change_plans.pin(session, self.artefacts, self.home, plan)

    def plan(self) -> bytes | None:
        """The change plan that is pinned."""
        with self.registry.transaction() as session:
            name = change_plans.pinned(session)
        return self.artefacts.get(name) if name is not None else None

    def assess(self, plan: bytes | None = None) -> Assessment:
        """The newest candidate held against a change plan, that which is pinned where none is given."""
        with self._step() as session:
            return change_plans.assess_newest(session, self.artefacts, self.home, plan)

    def is_declared(self, candidate: str, plan: str) -> bool:
        """Whether a change plan was pinned when a candidate was made; if not, an auditor is told of its release."""
        with self.registry.transaction() as session:
            return change_plans.is_declared(session, candidate, plan)

    def approvals(self, assessment: Assessment) -> list[str]:
        """Who has approved a candidate with exactly these figures."""
        with self.registry.transaction() as session:
            return sorted(change_plans.approvals_of(session, self.artefacts, assessment))

    def approve(self, approval: bytes) -> str:
        """Keeps an approval of the newest candidate; the approver's name."""
        with self._step() as session:
            return change_plans.approve(session, self.artefacts, self.home, approval)

    def number_of(self, release: str) -> int:
        """The number of a release by its digest."""
        with self.registry.transaction() as session:
            return session.get_one(ReleaseRow, release).number

    def begin_average(self, plan: Plan) -> str:
        """Digest of the global model that a run of rounds begins with, or goes on from."""
        with self._step() as session:
            return averages.begin(session, self.artefacts, self.home, plan)

    def open_average(self) -> Stored | None:
        """The global model that asks for updates now, with its state."""
        with self.registry.transaction() as session:
            return averages.load_open(session, self.artefacts)

    def stored(self, digest: str) -> Stored:
        """A manifest that was taken in or made here, with its tensors."""
        return load(self.artefacts, digest)

    def updates(self, average: Stored) -> list[Update]:
        """The sound updates that answer a global model, by site."""
        with self._step() as session:
            return averages.updates_of(session, self.artefacts, self.home, average)

    def advance(self, average: Stored, state: Tensors, updates: Sequence[Update]) -> str:
        """Keeps the global model after a round, from the updates that it was averaged from; its digest."""
        with self._step() as session:
            return averages.advance(session, self.artefacts, self.home, average, state, updates)

    def stop_average(self) -> int:
        """Ends the run of rounds that waits for updates; its number."""
        with self._step() as session:
            return averages.stop(session)

    def withdraw(self, site: str, contributions: Sequence[str] | None = None) -> Withdrawal:
        """Takes these contributions of a site back, or all that it has."""
        with self._step() as session:
            members.find_site(session, site)
            chosen = _contributions_of(session, site) if contributions is None else contributions
            if not chosen:
                raise ConsiliumError("has no contribution to withdraw", where=site)
            return releases.withdraw(session, self.artefacts, self.home, site, chosen)

    def recall(self, number: int, reason: str) -> str:
        """Takes a release back; the digest of the recall."""
        with self._step() as session:
            return releases.recall(session, self.artefacts, self.home, number, reason)

    def rollback(self, number: int) -> str:
        """A new release with the content of an older one; its digest."""
        with self._step() as session:
            return releases.rollback(session, self.artefacts, number)

    def effects_of(self, change: Change) -> Effects:
        """What a change of the labels would touch."""
        with self.registry.transaction() as session:
            return effects(session, self.artefacts, self.home.vocabulary(), change)

    def split_label(self, code: str, meanings: Mapping[str, str], scheme: str) -> None:
        """Appends concepts (code -> meaning) below one that the vocabulary has."""
        with self._step() as session:
            vocabulary = self.home.vocabulary()
            check_change(vocabulary, Change(kind="split", before=(code,), after=tuple(meanings)))
            write_vocabulary(split(vocabulary, code, meanings, scheme), self.home.vocabulary_path)
            entry = {"subject": digest(self.home.vocabulary_path.read_bytes())}
            record(session, "vocabulary", subject=code, detail=f"split into {', '.join(meanings)}", entry=entry)

    def outgoing(self, site: str) -> list[Parcel]:
        """Parcels for a site that it has not acknowledged, in the order of their numbers."""
        with self._step() as session:
            if site not in enrolled_sites(session):
                return []
            config = self.home.config
            panel.forward(session, self.artefacts, self.home, site)
            return deliveries.outgoing(
                session,
                self.artefacts,
                site,
                federation=config.federation,
                sender=config.name,
                key=self.home.key(),
            )

    def release_status(self) -> bytes:
        """The list of releases that stand, for every site."""
        with self.registry.transaction() as session:
            return release_status.release_status(session, self.home)

    def acknowledge(self, site: str, digest: str) -> None:
        """A site has this parcel and all before it."""
        with self._step() as session:
            deliveries.acknowledge(session, site, digest)

    def settled(self, site: str) -> list[tuple[str, str]]:
        """Digest and answer (accepted or rejected) of the site's numbered parcels that it has not been told of."""
        with self.registry.transaction() as session:
            query = select(ParcelRow).where(ParcelRow.site == site, ParcelRow.told.is_(False))
            rows = session.scalars(query.order_by(ParcelRow.sequence))
            return [(row.digest, "rejected" if row.state == "refused" else "accepted") for row in rows]

    def told(self, site: str, digests: Iterable[str]) -> None:
        """The site knows what became of these parcels."""
        with self._step() as session:
            mine = (ParcelRow.site == site) & ParcelRow.digest.in_(list(digests))
            session.execute(update(ParcelRow).where(mine).values(told=True))

    def note_contacts(self, silent: Mapping[str, str]) -> None:
        """Whether sites answered: of each why it did not, or nothing where it did."""
        with self._step() as session:
            for site, why in silent.items():
                before = session.get(ContactRow, site)
                answered = now() if not why else before.answered if before else None
                session.merge(ContactRow(site=site, answered=answered, silent=why))

    def unwitnessed(self, sites: Iterable[str]) -> dict[str, list[bytes]]:
        """For each of these sites that has not signed the log's newest checkpoint, what it is asked and told."""
        with self._step() as session:
            return witnesses.requests(session, self.home, sites)

    def take_cosignature(self, site: str, answer: bytes) -> bool:
        """Keeps a site's signature under the log's newest checkpoint; whether it was one."""
        with self._step() as session:
            return witnesses.take(session, self.home, site, answer)

    def take_signed_file(self, data: bytes) -> witnesses.Signed:
        """Keeps the signature of a site that came as a file.

        Raises:
            ConsiliumError: it is no checkpoint of this log that a site has signed.
        """
        with self._step() as session:
            return witnesses.take_file(session, self.home, data)

    def status(self) -> dict[str, Any]:
        """Sites, candidate, releases, quarantine and the last events, as plain values."""
        with self.registry.transaction() as session:
            return status(session, self.artefacts, self.home)

    @contextmanager
    def _step(self) -> Iterator[Session]:
        with self.home.lock():
            logged = write_log(self.registry, self.home)
            with self.registry.transaction() as session:
                yield session
                trust, due = trust_file(session, self.home.config.federation), entries_due(session)
            self._publish(trust)
            if due > logged:
                write_log(self.registry, self.home)

    def _publish(self, trust: TrustFile) -> None:
        """The trust file follows the registry; a process killed before this is made good by the next."""
        if self.home.trust() != trust:
            self.home.write_trust(trust)


def _require_key(session: Session, home: CoordinatorHome) -> None:
    """Enters the coordinator's own key when the registry is new."""
    if session.scalar(select(KeyRow).where(KeyRow.role == "coordinator")) is None:
        (own,) = home.trust().find(role="coordinator")
        session.add(KeyRow(name=own.name, role=own.role, public=own.public, site=None, revoked=False))
        record(session, "init", subject=own.public, entry={"keys": [{"public": own.public, "role": own.role}]})


def _contributions_of(session: Session, site: str) -> list[str]:
    kept = select(ParcelRow.digest).where(
        ParcelRow.site == site, ParcelRow.kind.in_(MODEL_KINDS), ParcelRow.state.in_(("current", "superseded"))
    )
    return list(session.scalars(kept))


def _sender_and_sequence(data: bytes) -> tuple[str, int]:
    try:
        passage = read_passage(parse_parcel(data))
    except ContractError:
        return "", 0
    return passage.sender, passage.sequence
