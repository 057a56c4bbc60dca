"""Which releases stand, signed by the coordinator, and for how long a site may rely on it.

A recall is sent to every site. One that it does not reach goes on answering with what was recalled, so that a site is
also handed, with every exchange, the list of what stands. It answers by no release that the list does not name, and by
none at all once the list is older than its lease.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import Field, StringConstraints, ValidationError
from securesystemslib.signer import SSlibKey

from federated.canonical import canonical
from federated.contract import Digest, Frozen, Name
from federated.errors import ContractError, SignatureError
from federated.faults import first_fault
from federated.signing import parse_document, sign_document, verified_by

PAYLOAD_TYPE = "application/vnd.consilium.release-status+json"
SUFFIX = ".status"
WHERE = "list of releases"
MAX_STATUS_BYTES = 2**20
MAX_STANDING = 8192
MAX_LEASE_DAYS = 3650
TIME = r"^2\d{3}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$"
FORM = "%Y-%m-%dT%H:%M:%SZ"
LeaseDays = Annotated[int, Field(ge=1, le=MAX_LEASE_DAYS)]


class ReleaseStatus(Frozen):
    """The releases that stand.

    Attributes:
        federation: where.
        number: how many entries the coordinator's log had, which only grows.
        issued: UTC.
        lease_days: how long it may be relied on.
        standing: digests, sorted.
    """

    version: Literal[1] = 1
    federation: Name
    number: Annotated[int, Field(ge=0, le=2**53)]
    issued: Annotated[str, StringConstraints(pattern=TIME)]
    lease_days: LeaseDays
    standing: tuple[Digest, ...] = Field(max_length=MAX_STANDING)

    @property
    def issued_at(self) -> datetime:
        """When it was made."""
        return parse_time(self.issued)

    @property
    def expires_at(self) -> datetime:
        """From when on nothing may be answered by it."""
        return self.issued_at + timedelta(days=self.lease_days)

    def is_newer_than(self, other: ReleaseStatus) -> bool:
        """Whether it takes the place of another: the log only grows, so that a clock that was put back does no harm."""
        return (self.number, self.issued) > (other.number, other.issued)


def sign_status(status: ReleaseStatus, key: Ed25519PrivateKey) -> bytes:
    """The list as it is handed over."""
    return sign_document(canonical(status.model_dump(mode="json")), PAYLOAD_TYPE, [key])


def is_status(data: bytes) -> bool:
    """Whether bytes from the coordinator are meant as such a list: a document, where others are parcels."""
    return data.startswith(b'{"payload"')


def read_status(data: bytes, keys: Collection[SSlibKey], federation: str) -> ReleaseStatus:
    """A list, signed by one of these keys.

    Raises:
        ContractError: it is none, or of another federation.
        SignatureError: none of the keys signed it.
    """
    if len(data) > MAX_STATUS_BYTES:
        raise ContractError(f"{len(data)} bytes, at most {MAX_STATUS_BYTES} are taken", where=WHERE)
    envelope = parse_document(data)
    if envelope.payload_type != PAYLOAD_TYPE:
        raise ContractError("is a document of another type", where=WHERE)
    if not verified_by(envelope, keys):
        raise SignatureError("is signed by no key of the coordinator", where=WHERE)
    try:
        status = ReleaseStatus.model_validate_json(envelope.payload)
        same = canonical(json.loads(envelope.payload)) == envelope.payload
        parse_time(status.issued)
    except ValidationError as error:
        raise ContractError(first_fault(error), where=WHERE) from error
    except ValueError as error:
        raise ContractError(f"names no time ({error})", where=WHERE) from error
    if not same or list(status.standing) != sorted(set(status.standing)):
        raise ContractError("is not in canonical form", where=WHERE)
    if status.federation != federation:
        raise ContractError(f"is of federation '{status.federation}', this is '{federation}'", where=WHERE)
    return status


def parse_time(text: str) -> datetime:
    """A time as it is written down.

    Raises:
        ValueError: there is no such time.
    """
    return datetime.strptime(text, FORM).replace(tzinfo=UTC)


def write_time(time: datetime) -> str:
    """A time as it is written down, to the second."""
    return time.astimezone(UTC).strftime(FORM)
