"""A list of what stands is the coordinator's, of this federation, and newer than the one before, or it is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from federated.canonical import canonical, digest
from federated.errors import ConsiliumError, ContractError, SignatureError
from federated.keys import public_hex, verifier
from federated.release_status import (
    MAX_STATUS_BYTES,
    PAYLOAD_TYPE,
    ReleaseStatus,
    is_status,
    parse_time,
    read_status,
    sign_status,
    write_time,
)
from federated.signing import sign_document

HUB, ADA = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
KEYS = [verifier(public_hex(HUB), where="test")]
STATUS = ReleaseStatus(
    federation="heart",
    number=12,
    issued="2026-11-21T06:00:00Z",
    lease_days=30,
    standing=tuple(sorted(digest(name) for name in (b"first", b"second"))),
)


def test_what_is_signed_is_read() -> None:
    data = sign_status(STATUS, HUB)
    assert is_status(data)
    assert read_status(data, KEYS, "heart") == STATUS
    assert STATUS.expires_at == datetime(2026, 12, 21, 6, tzinfo=UTC)


def _signed(**changes: object) -> bytes:
    return sign_document(canonical(STATUS.model_dump(mode="json") | changes), PAYLOAD_TYPE, [HUB])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (_signed(federation="lung"), "is of federation 'lung', this is 'heart'"),
        (_signed(version=2), "version"),
        (_signed(lease_days=0), "lease_days"),
        (_signed(lease_days=10**6), "lease_days"),
        (_signed(issued="2026-11-31T06:00:00Z"), "names no time"),
        (_signed(issued="yesterday"), "issued"),
        (_signed(standing=[*STATUS.standing, "sha256:no"]), "standing"),
        (_signed(standing=list(reversed(STATUS.standing))), "canonical form"),
        (_signed(standing=[STATUS.standing[0]] * 2), "canonical form"),
        (_signed(words="Maria Schmidt"), "words"),
        (sign_document(b'{"version": 1}', PAYLOAD_TYPE, [HUB]), "federation"),
        (sign_document(canonical(STATUS.model_dump(mode="json")), "text/plain", [HUB]), "another type"),
        (b" " * (MAX_STATUS_BYTES + 1), "at most 1048576"),
        (sign_status(STATUS, HUB)[:-1], "not a DSSE envelope"),
    ],
)
def test_another_list_is_refused_in_one_line(data: bytes, reason: str) -> None:
    with pytest.raises(ContractError, match=reason) as caught:
        read_status(data, KEYS, "heart")
    assert "\n" not in str(caught.value)


def test_a_list_of_somebody_elses_is_refused() -> None:
    with pytest.raises(SignatureError, match="is signed by no key of the coordinator"):
        read_status(sign_status(STATUS, ADA), KEYS, "heart")


@pytest.mark.parametrize(
    ("number", "issued", "newer"),
    [
        (12, "2026-11-21T06:00:01Z", True),
        (13, "2026-11-20T06:00:00Z", True),  # the coordinator's clock was put back, its log was not
        (12, "2026-11-21T06:00:00Z", False),
        (11, "2026-11-22T06:00:00Z", False),
        (12, "2026-11-20T06:00:00Z", False),
    ],
)
def test_what_is_newer_is_told_by_the_log_first(number: int, issued: str, newer: bool) -> None:
    assert STATUS.model_copy(update={"number": number, "issued": issued}).is_newer_than(STATUS) == newer


@given(st.binary(max_size=300))
def test_whatever_comes_is_refused(data: bytes) -> None:
    with pytest.raises(ConsiliumError):
        read_status(data, KEYS, "heart")


def test_times_survive_writing() -> None:
    assert write_time(parse_time(STATUS.issued)) == STATUS.issued
    assert not is_status(b"consilium parcel 1\n")
