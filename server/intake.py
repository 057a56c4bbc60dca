"""Intake: signature, address, sequence, then content. Nothing enters the registry unchecked.

A parcel whose signature and sequence are right has used up its number, whatever is in it, unless its tensors were
damaged on the way: then the whole copy may still come. Everything else leaves no trace in the sender's sequence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
from server.checks import Expectations, check_content

Outcome = Literal["accepted", "same", "quarantined", "refused"]


class Acceptance(Frozen):
    """What became of one parcel.

    Attributes:
        site, kind, digest: as its envelope says, empty where it could not be read.
        outcome: accepted; same (already here, nothing to do); quarantined (wrong: its bytes are kept, with the reason);
            refused (out of order, superseded or withdrawn: nothing is kept).
        reason: one line, empty where it was accepted.
        size: bytes of the whole parcel.
        batch, labels: of a contribution.
    """

    site: str
    kind: str
    digest: str
    outcome: Outcome
    reason: str
    size: int
    batch: str = ""
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Examined:
    """A parcel that was looked at.

    Attributes:
        parcel, passage: None where the bytes are no parcel.
        opened: None unless the parcel is new and right.
        numbered: whether it has used up its number.
    """

    acceptance: Acceptance
    parcel: Parcel | None = None
    passage: Passage | None = None
    opened: Opened | None = None
    numbered: bool = False


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
        return Examined(_acceptance(data, None, "", "quarantined", error))
    try:
        signers = _check_envelope(parcel, passage, trust, coordinator)
        standing = check_sequence(ledger_of(passage.sender), passage, parcel.digest)
    except SequenceError as error:
        return Examined(_acceptance(data, passage, parcel.digest, "refused", error), parcel, passage)
    except (SignatureError, ContractError) as error:
        return Examined(_acceptance(data, passage, parcel.digest, "quarantined", error), parcel, passage)
    if standing == "same":
        return Examined(_acceptance(data, passage, parcel.digest, "same", None), parcel, passage)
    try:
        opened = open_contents(parcel, passage, signers)
        check_content(opened.manifest, opened.tensors, expectations_of(passage.sender))
    except DamagedError as error:
        return Examined(_acceptance(data, passage, parcel.digest, "quarantined", error), parcel, passage)
    except ContractError as error:
        refused = _acceptance(data, passage, parcel.digest, "quarantined", error)
        return Examined(refused, parcel, passage, numbered=True)
    acceptance = _acceptance(data, passage, parcel.digest, "accepted", None, opened)
    return Examined(acceptance, parcel, passage, opened, numbered=True)


def _check_envelope(parcel: Parcel, passage: Passage, trust: TrustFile, coordinator: str) -> frozenset[str]:
    if passage.kind not in SITE_KINDS:
        raise ContractError(f"sites do not send '{passage.kind}'", where=passage.sender)
    return check_envelope(parcel, trust, recipient=coordinator)[1]


def _acceptance(
    data: bytes,
    passage: Passage | None,
    name: str,
    outcome: Outcome,
    error: ConsiliumError | None,
    opened: Opened | None = None,
) -> Acceptance:
    manifest = opened.manifest if opened else None
    return Acceptance(
        site=passage.sender if passage else "",
        kind=passage.kind if passage else "",
        digest=name or digest(data),
        outcome=outcome,
        reason=str(error) if error else "",
        size=len(data),
        batch=getattr(manifest, "batch", ""),
        labels=getattr(manifest, "labels", ()) if hasattr(manifest, "batch") else (),
    )
