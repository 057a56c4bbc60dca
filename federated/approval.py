"""Approvals: what an approver of the federation signs of a candidate, and how many of them count.

An approval is an in-toto statement about the candidate. It names the plan and the assessment by their digests, so that
it is worth nothing once any of the three is another one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import StringConstraints
from securesystemslib.signer import SSlibKey

from federated.contract import Digest, Frozen, Name
from federated.errors import ContractError, SignatureError, cannot_read
from federated.signing import verified_by
from federated.statements import Statement, read_statement, sign_statement

if TYPE_CHECKING:
    from federated.assessment import Assessment

PREDICATE_TYPE = "urn:consilium:approval:v1"
WHERE = "approval"
NEEDED = 2
MAX_APPROVALS = 8
MAX_APPROVAL_BYTES = 2**12
Envelope = Annotated[str, StringConstraints(max_length=MAX_APPROVAL_BYTES)]


class Approval(Frozen):
    """What is approved.

    Attributes:
        federation: where.
        plan, assessment: digests.
        substantial: whether something changes that the plan does not allow.
    """

    version: Literal[1] = 1
    federation: Name
    plan: Digest
    assessment: Digest
    substantial: bool


def sign_approval(assessment: Assessment, key: Ed25519PrivateKey) -> bytes:
    """The approval of a candidate by the holder of a key; one with changes outside the plan is a substantial change.

    Raises:
        ContractError: a criterion of the plan is not met, so that there is nothing to approve.
    """
    if assessment.failed:
        raise ContractError("fails its change plan and cannot be approved", where="candidate")
    approval = Approval(
        federation=assessment.federation,
        plan=assessment.plan,
        assessment=assessment.digest,
        substantial=bool(assessment.outside),
    )
    return sign_statement("candidate", assessment.candidate, PREDICATE_TYPE, approval, [key])


def read_approval_bytes(path: Path) -> bytes:
    """An approval's file, no more of it than an approval is long.

    Raises:
        ConsiliumError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(MAX_APPROVAL_BYTES + 1)
    except OSError as error:
        raise cannot_read(path, error) from error


def read_approval(data: bytes) -> Statement[Approval]:
    """An approval, with nothing verified but its form.

    Raises:
        ContractError: it is none, or about something else than a candidate.
    """
    if len(data) > MAX_APPROVAL_BYTES:
        raise ContractError(f"{len(data)} bytes, at most {MAX_APPROVAL_BYTES} are taken", where=WHERE)
    found = read_statement(data, PREDICATE_TYPE, Approval, where=WHERE)
    if found.name != "candidate":
        raise ContractError("is about something else than a candidate", where=WHERE)
    return found


def require_approved(
    approvals: Sequence[bytes], approvers: Collection[SSlibKey], federation: str, candidate: str, plan: str
) -> Approval:
    """What two or more approvers have signed of one candidate under one plan, all of them the same.

    Args:
        approvals: envelopes.
        approvers: keys that count.
        federation: where.
        candidate: digest of what they should be about.
        plan: digest of what it was held against.

    Raises:
        ContractError: one of them is no approval, or of something else.
        SignatureError: one is signed by nobody whose word counts, or there are too few different approvers.
    """
    signers: set[str] = set()
    said: set[Approval] = set()
    for data in approvals:
        found = read_approval(data)
        if found.predicate.federation != federation:
            raise ContractError(f"is of federation '{found.predicate.federation}'", where=WHERE)
        if found.digest != candidate:
            raise ContractError("is of another candidate", where=WHERE)
        if found.predicate.plan != plan:
            raise ContractError("is of another change plan", where=WHERE)
        by = verified_by(found.envelope, approvers)
        if not by or by != set(found.envelope.signatures):
            raise SignatureError("is signed by no approver of the federation", where=WHERE)
        signers |= by
        said.add(found.predicate)
    if len(signers) < NEEDED:
        raise SignatureError(f"{len(signers)} of {NEEDED} approvers signed", where="approvals")
    if len(said) > 1:
        raise ContractError("approvers signed different assessments", where="approvals")
    return said.pop()
