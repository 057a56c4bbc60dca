"""Intake: signature, address, sequence, then content. Nothing enters the registry unchecked.

A parcel whose signature and sequence are right has used up its number, whatever is in it, unless its tensors were
damaged on the way: then the whole copy may still come. Everything else leaves no trace in the sender's sequence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from federated.canonical import digest
from federated.envelope import (
    Ledger,
    Opened,
    Parcel,
    Passage,
    check_envelope,
    check_sequence,
    open_contents,
    parse_parcel,
    read_passage,
)
from federated.errors import ConsiliumError, ContractError, DamagedError, SequenceError, SignatureError
from federated.keys import TrustFile
from federated.manifest import SITE_KINDS, Frozen
from federated.signing import parse_document
from server.checks import Expectations, check_content

Outcome = Literal["accepted", "same", "superseded", "quarantined", "refused"]
Answer = Literal["accepted", "same", "rejected", "again"]


class Acceptance(Frozen):
    """What became of one parcel.

    Attributes:
        site, kind, digest: as its envelope says, empty where it could not be read.
        outcome: accepted; same (already here, nothing to do); superseded (taken in before, and replaced by a later one:
            nothing to do); quarantined (wrong: its bytes are kept, with the reason); refused (out of order or
            withdrawn: nothing is kept).
        answer: what the site is told: accepted; same (taken in before, whatever became of it since); rejected (its
            content is refused, and its number used up); again (damaged, out of order or not to be read: the site keeps
            it and sends it again).
        reason: one line, empty where it was accepted.
        size: bytes of the whole parcel.
        batch, labels: of a contribution.
    """

    site: str
    kind: str
    digest: str
    outcome: Outcome
    answer: Answer
    reason: str
    size: int
    batch: str = ""
    labels: tuple[str, ...] = ()

    @property
    def numbered(self) -> bool:
        """Whether the parcel has used up its number, now or when it came before."""
        return self.answer != "again"

    @property
    def leaves_all(self) -> bool:
        """Whether the arrival changes nothing, and nothing of it is kept."""
        return self.outcome in ("same", "superseded", "refused")

    @property
    def harmless(self) -> bool:
        """Whether nobody has to look at it: it is taken in, now or before."""
        return self.outcome in ("accepted", "same", "superseded")


@dataclass(frozen=True)
class Examined:
    """A parcel that was looked at.

    Attributes:
        parcel, passage: None where the bytes are no parcel.
        opened: None unless the parcel is new and right.
    """

    acceptance: Acceptance
    parcel: Parcel | None = None
    passage: Passage | None = None
    opened: Opened | None = None

    @property
    def takes_number(self) -> bool:
        """Whether this arrival, and none before it, uses up the parcel's number."""
        return self.acceptance.numbered and self.acceptance.outcome in ("accepted", "quarantined")


def examine(
    data: bytes,
    *,
    coordinator: str,
    trust: TrustFile,
    ledger_of: Callable[[str], Ledger],
    expectations_of: Callable[[str], Expectations],
) -> Examined:
    """Looks at bytes from outside and says what they are; changes nothing.

    Args:
        data: what arrived.
        coordinator: the recipient that it must be addressed to.
        trust: whose signatures count.
        ledger_of: what is known of a site's envelopes.
        expectations_of: what a site's content is held against.
    """
    try:
        parcel = parse_parcel(data)
        passage = read_passage(parcel)
    except ContractError as error:
        return Examined(_acceptance(data, None, "", "quarantined", "again", error))
    told = partial(_acceptance, data, passage, parcel.digest)
    try:
        signers = _check_envelope(parcel, passage, trust, coordinator)
    except (SignatureError, ContractError) as error:
        return Examined(told("quarantined", "again", error), parcel, passage)
    except SequenceError as error:
        return Examined(told("refused", "again", error), parcel, passage)
    ledger = ledger_of(passage.sender)
    try:
        if check_sequence(ledger, passage, parcel.digest) == "same":
            return Examined(told("same", "same"), parcel, passage)
    except SequenceError as error:
        outcome: Outcome = "superseded" if parcel.digest in ledger.superseded else "refused"
        return Examined(told(outcome, _answer_of(ledger, parcel.digest), error), parcel, passage)
    try:
        opened = open_contents(parcel, passage, signers)
        check_content(opened.manifest, opened.tensors, expectations_of(passage.sender))
    except DamagedError as error:
        return Examined(told("quarantined", "again", error), parcel, passage)
    except ContractError as error:
        return Examined(told("quarantined", "rejected", error), parcel, passage)
    return Examined(told("accepted", "accepted", opened=opened), parcel, passage, opened)


def _answer_of(ledger: Ledger, parcel_digest: str) -> Answer:
    """What a site is told of a parcel that cannot be taken in now."""
    if parcel_digest in ledger.refused:
        return "rejected"
    return "same" if parcel_digest in ledger.superseded | ledger.withdrawn else "again"


def _check_envelope(parcel: Parcel, passage: Passage, trust: TrustFile, coordinator: str) -> frozenset[str]:
    if passage.kind not in SITE_KINDS:
        raise ContractError(f"sites do not send '{passage.kind}'", where=passage.sender)
    signers = check_envelope(parcel, trust, recipient=coordinator)[1]
    if set(parse_document(parcel.envelope).signatures) != signers:  # the log would keep whatever stands in them
        raise SignatureError("bears a signature of somebody who is not known here", where=passage.sender)
    return signers


def _acceptance(
    data: bytes,
    passage: Passage | None,
    name: str,
    outcome: Outcome,
    answer: Answer,
    error: ConsiliumError | None = None,
    opened: Opened | None = None,
) -> Acceptance:
    manifest = opened.manifest if opened else None
    return Acceptance(
        site=passage.sender if passage else "",
        kind=passage.kind if passage else "",
        digest=name or digest(data),
        outcome=outcome,
        answer=answer,
        reason=str(error) if error else "",
        size=len(data),
        batch=getattr(manifest, "batch", ""),
        labels=getattr(manifest, "labels", ()) if hasattr(manifest, "batch") else (),
    )
