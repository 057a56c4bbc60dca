"""The egress gate: the only door through which anything leaves a hospital.

It refuses by default, and says which filter refused and what to do. It alone gives out sequence numbers and seals
parcels. A number is written down, with the sealed envelope, before the parcel is put into the outbox; so whenever the
process is killed, the next gate that opens finishes the work, and no number is ever used twice.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated.disclosure import Check, Facts, Limits, evaluate
from federated.envelope import Parcel, Passage, parse_parcel, seal
from federated.errors import ConsiliumError, DisclosureError, cannot_read
from federated.files import write_whole
from federated.manifest import StatisticsManifest, UpdateManifest, WithdrawalManifest, manifest_bytes, parse_manifest
from site_agent import ledger
from site_agent.drafts import Draft, check_draft
from site_agent.ledger import transaction
from site_agent.mailbox import Outbox
from site_agent.policy import (
    GOVERNED_KINDS,
    Rule,
    SignedPolicy,
    StatisticsRule,
    read_signed_policy,
    require_approver,
)
from site_agent.preview import Preview, preview_of
from site_agent.receipts import Receipt, read_receipts, require_complete, write_receipts
from site_agent.standing import require_standing, standing_checks

if TYPE_CHECKING:
    from site_agent.home import SiteHome

__all__ = ["Draft", "Gate", "Pending", "Preview", "Receipt", "Submission"]


@dataclass(frozen=True)
class Submission:
    """What became of a draft: sealed into the outbox, waiting for an approver, or out already."""

    state: Literal["outbox", "pending", "same"]
    digest: str


@dataclass(frozen=True)
class Pending:
    """A draft that waits for an approver."""

    digest: str
    kind: str
    when: str


class Gate:
    """The gate of one site.

    Raises:
        ConsiliumError: the ledger is older than the receipts.
    """

    def __init__(self, home: SiteHome) -> None:
        self._home, self._outbox = home, Outbox(home)
        self._finish()

    def preview(self, draft: Draft) -> Preview:
        """What would leave, to whom, each filter's verdict, and what could be inferred. Nothing changes.

        Raises:
            ConsiliumError: the draft is not what it says.
        """
        self._check(draft)
        signed, refusal = None, ""
        try:
            signed = self._policy(draft)
        except DisclosureError as error:
            refusal = str(error)
        with transaction(self._home.state_path) as connection:
            checks = _checks(draft, signed, ledger.earlier_facts(connection))
        return preview_of(
            draft,
            recipient=self._home.config.coordinator,
            checks=checks,
            approval=refusal or _approval_line(draft.facts.kind, signed),
            allowed=not refusal and all(check.passed for check in checks),
        )

    def require(self, draft: Draft) -> None:
        """Whether a draft could leave now, as before the work of making one like it. Nothing changes.

        Raises:
            DisclosureError: the policy or a filter refuses; it names which, and the cure.
            ConsiliumError: the draft is not what it says.
        """
        self._check(draft)
        with transaction(self._home.state_path) as connection:
            self._passed(draft, ledger.earlier_facts(connection))

    def submit(self, draft: Draft) -> Submission:
        """Lets a draft out, or has it wait for an approver. One that is out already is no work.

        Raises:
            DisclosureError: the policy or a filter refuses; it names which, and the cure.
            ConsiliumError: the draft is not what it says, or the disk is full.
        """
        self._check(draft)
        with transaction(self._home.state_path) as connection:
            if _is_out(connection, draft):
                return Submission("same", draft.digest)
            _require_not_rejected(connection, draft.digest)
            signed = self._passed(draft, ledger.earlier_facts(connection))
            write_whole(self._draft_path(draft.digest), _draft_bytes(draft), mode=0o600)
            ledger.put_draft(connection, draft.digest, draft.facts.kind, _now(), draft.facts)
        if signed is not None and _rule(signed, draft.facts.kind).approval == "each":
            return Submission("pending", draft.digest)
        return self._send(draft, None)

    def pending(self) -> list[Pending]:
        """Drafts that wait for an approver, oldest first."""
        with transaction(self._home.state_path) as connection:
            waiting = ledger.drafts(connection)
        return [Pending(draft.digest, draft.kind, draft.submitted) for draft in waiting if not draft.rejected_by]

    def draft(self, digest: str) -> Draft:
        """A draft that waits, to be previewed before it is approved.

        Raises:
            ConsiliumError: nothing with this digest waits.
        """
        with transaction(self._home.state_path) as connection:
            waiting = ledger.find_draft(connection, digest)
        if waiting is None or waiting.rejected_by:
            raise ConsiliumError("nothing with this digest waits", where=digest, cure="consilium site status lists all")
        return self._load(digest, waiting.facts)

    def approve(self, digest: str, key: Ed25519PrivateKey) -> Submission:
        """Lets a waiting draft out under an approver's own signature, after every filter once more.

        Raises:
            SignatureError: the key is not an approver's of this site.
            DisclosureError: the policy or a filter refuses by now.
            ConsiliumError: nothing with this digest waits.
        """
        require_approver(self._home, key)
        with transaction(self._home.state_path) as connection:
            if ledger.find_sent(connection, digest) is not None:
                return Submission("same", digest)
        return self._send(self.draft(digest), key)

    def reject(self, digest: str, key: Ed25519PrivateKey, reason: str) -> None:
        """Keeps a waiting draft here for good, with the approver's reason.

        Raises:
            SignatureError: the key is not an approver's of this site.
            ConsiliumError: nothing with this digest waits.
        """
        approver = require_approver(self._home, key)
        self.draft(digest)
        with transaction(self._home.state_path) as connection:
            ledger.reject_draft(connection, digest, approver, reason)

    def receipts(self) -> list[Receipt]:
        """Everything that ever left, by number."""
        return read_receipts(self._home.receipts_path)

    def _check(self, draft: Draft) -> None:
        config = self._home.config
        check_draft(draft, federation=config.federation, site=config.site, vocabulary=self._home.vocabulary)

    def _passed(self, draft: Draft, earlier: Sequence[Facts]) -> SignedPolicy | None:
        """The policy under which a draft passes."""
        signed = self._policy(draft)
        _require_passed(draft, _checks(draft, signed, earlier))
        return signed

    def _policy(self, draft: Draft) -> SignedPolicy | None:
        """The signed policy, if it allows this kind, and this model's updates; None for a kind that needs none."""
        kind = draft.facts.kind
        if kind not in GOVERNED_KINDS:
            return None
        signed = read_signed_policy(self._home)
        if not _rule(signed, kind).allowed:
            cure = f"set allowed = true under [{kind}] and have an approver sign the policy"
            raise DisclosureError(f"'{kind}' is not allowed out", filter_name="policy", where="policy.toml", cure=cure)
        if isinstance(draft.manifest, UpdateManifest) and signed.policy.update.approval == "standing":
            require_standing(signed.policy.update, draft.manifest)
        return signed

    def _send(self, draft: Draft, approver: Ed25519PrivateKey | None) -> Submission:
        """Takes a number for a draft that was written down, seals it, and puts it into the outbox."""
        self._check(draft)
        key = self._home.key()
        with transaction(self._home.state_path) as connection:
            if _is_out(connection, draft):
                return Submission("same", draft.digest)
            _require_not_rejected(connection, draft.digest)
            signed = self._policy(draft)
            checks = _checks(draft, signed, ledger.earlier_facts(connection))
            _require_passed(draft, checks)
            passage = self._passage(connection, draft, signed, checks, approved=approver is not None)
            parcel = seal(draft.manifest, draft.tensors, passage, [key, *([approver] if approver else [])])
            by = require_approver(self._home, approver) if approver else signed.approver if signed else None
            self._write_down(connection, draft, parcel, passage, by)
        self._finish()
        return Submission("outbox", draft.digest)

    def _passage(
        self,
        connection: sqlite3.Connection,
        draft: Draft,
        signed: SignedPolicy | None,
        checks: Sequence[Check],
        *,
        approved: bool,
    ) -> Passage:
        last, previous = ledger.last_sent(connection)
        return Passage(
            federation=self._home.config.federation,
            sender=self._home.config.site,
            recipient=self._home.config.coordinator,
            sequence=last + 1,
            previous=previous,
            kind=draft.facts.kind,
            policy=signed.digest if signed else None,
            filters={check.name: check.line for check in checks},
            approval="each" if approved else "standing" if signed else "none",
            issued=_now(),
        )

    def _write_down(
        self, connection: sqlite3.Connection, draft: Draft, parcel: Parcel, passage: Passage, approver: str | None
    ) -> None:
        receipt = Receipt(
            when=passage.issued,
            sequence=passage.sequence,
            kind=passage.kind,
            digest=draft.digest,
            bytes=len(parcel.to_bytes()),
            recipient=passage.recipient,
            level=draft.facts.level,
            level_to_sites=getattr(draft.manifest, "level_to_sites", None),
            policy=passage.policy,
            filters=passage.filters,
            approval=passage.approval,
            approver=approver,
        )
        ledger.put_sent(
            connection,
            passage.sequence,
            draft.digest,
            passage.kind,
            parcel.envelope,
            draft.facts,
            receipt.json_line(),
        )
        if isinstance(draft.manifest, WithdrawalManifest):
            ledger.mark_withdrawn(connection, draft.manifest.contributions)

    def _finish(self) -> None:
        """Puts what has a number, and is not there yet, into the outbox; makes the receipts good; tidies up."""
        with transaction(self._home.state_path) as connection:
            rows = ledger.sent(connection)
            require_complete(self._home.receipts_path, [row.sequence for row in rows])
            unpublished = [row for row in rows if not row.published]
            for row in unpublished:
                draft = parse_parcel(_read(self._draft_path(row.digest)))
                self._outbox.add(Parcel(row.envelope, draft.manifest, draft.tensors), row.sequence)
            if unpublished:
                write_receipts(self._home.receipts_path, [row.receipt for row in rows])
            for row in unpublished:
                ledger.mark_published(connection, row.sequence)
                ledger.drop_draft(connection, row.digest)
            self._tidy({draft.digest for draft in ledger.drafts(connection)} | {row.digest for row in unpublished})
        for row in unpublished:
            self._draft_path(row.digest).unlink(missing_ok=True)

    def _tidy(self, kept: set[str]) -> None:
        """Removes files of drafts that were never written down, and what a killed process had half written."""
        names = {self._draft_path(digest).name for digest in kept}
        stray = [path for path in self._home.pending.iterdir() if path.name not in names]
        for path in (*stray, *self._home.outbox.glob(".*.parcel.*")):
            path.unlink(missing_ok=True)

    def _draft_path(self, digest: str) -> Path:
        return self._home.pending / f"{digest.removeprefix('sha256:')}.draft"

    def _load(self, digest: str, facts: Facts) -> Draft:
        path = self._draft_path(digest)
        parcel = parse_parcel(_read(path))
        if parcel.digest != digest:
            raise ConsiliumError("was changed after it was drafted", where=str(path), cure="draft it anew")
        return Draft(parse_manifest(parcel.manifest), parcel.tensors, facts)


def _checks(draft: Draft, signed: SignedPolicy | None, earlier: Sequence[Facts]) -> tuple[Check, ...]:
    """Levels by audience or a standing approval's bounds, then every filter of the kind.

    Where no policy speaks, the published limits hold.
    """
    rule = _rule(signed, draft.facts.kind) if signed else Rule()
    bounds: tuple[Check, ...] = ()
    if isinstance(draft.manifest, StatisticsManifest):
        allowed = rule if isinstance(rule, StatisticsRule) else StatisticsRule()
        bounds = (
            _level("level_to_coordinator", draft.manifest.level, allowed.level_to_coordinator),
            _level("level_to_sites", draft.manifest.level_to_sites, allowed.level_to_sites),
        )
    if isinstance(draft.manifest, UpdateManifest) and signed is not None:
        today, size = datetime.now(UTC).date(), len(draft.tensors)
        bounds = standing_checks(signed.policy.update, draft.manifest, size, earlier, today)
    limits = rule.limits if signed else Limits()
    return (*bounds, *evaluate(draft.facts, limits, earlier))


def _level(name: str, wanted: int, allowed: int) -> Check:
    cure = "" if wanted <= allowed else f"lower the level to {allowed}, or have an approver sign a policy with {wanted}"
    return Check(name, wanted <= allowed, "at most", str(allowed), str(wanted), cure)


def _rule(signed: SignedPolicy, kind: str) -> Rule:
    return signed.policy.rule(kind)


def _require_passed(draft: Draft, checks: Sequence[Check]) -> None:
    failed = [check for check in checks if not check.passed]
    if failed:
        first, others = failed[0], ", ".join(check.name for check in failed[1:])
        also = f" (refused by {others} too)" if others else ""
        batch = getattr(draft.manifest, "batch", None)
        raise DisclosureError(
            f"found {first.found}, {first.bound} {first.limit} is allowed{also}",
            filter_name=first.name,
            where=draft.facts.kind if batch in (None, "all") else f"{draft.facts.kind} of batch {batch}",
            cure=first.cure,
        )


def _is_out(connection: sqlite3.Connection, draft: Draft) -> bool:
    row = ledger.find_sent(connection, draft.digest)
    if row is not None and row.withdrawn:
        cure = "change the batch: the coordinator takes a withdrawn digest from nobody"
        raise DisclosureError("was withdrawn and cannot leave again", filter_name="withdrawn", cure=cure)
    if row is None and isinstance(draft.manifest, WithdrawalManifest):
        _require_sent(connection, draft.manifest)
    return row is not None


def _require_sent(connection: sqlite3.Connection, manifest: WithdrawalManifest) -> None:
    current = {row.digest for row in ledger.sent(connection) if not row.withdrawn}
    unknown = sorted(set(manifest.contributions) - current)
    if unknown:
        raise ConsiliumError("is no contribution of this site that still stands", where=unknown[0])


def _require_not_rejected(connection: sqlite3.Connection, digest: str) -> None:
    waiting = ledger.find_draft(connection, digest)
    if waiting is not None and waiting.rejected_by:
        reason = waiting.reason or "no reason given"
        raise DisclosureError(f"an approver rejected it: {reason}", filter_name="approval", where=digest)


def _approval_line(kind: str, signed: SignedPolicy | None) -> str:
    if signed is None:
        return "none needed"
    if _rule(signed, kind).approval == "each":
        return "an approver has to sign this parcel"
    return f"standing, by the signature of {signed.approver[:16]} under policy {signed.digest}"


def _draft_bytes(draft: Draft) -> bytes:
    return Parcel(b"", manifest_bytes(draft.manifest), draft.tensors).to_bytes()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise cannot_read(path, error) from error


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
