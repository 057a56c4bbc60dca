"""Requests for certificates, which come from anywhere, and the answers that a site takes in."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given

from federated.canonical import canonical
from federated.certificate_request import (
    REQUEST_TYPE,
    CertificateRequest,
    read_certificate_request,
    read_site,
    requested_key,
)
from federated.keys import public_hex
from federated.signing import sign_document
from site_agent.certificate import private_pem, take
from tests.fuzz.mutation import CHANGES, EDITS, Change, Edit, changed, edited, fuzzed, survived
from tests.fuzz.parties import ADA

if TYPE_CHECKING:
    from site_agent.home import SiteHome

KEY = ec.derive_private_key(20261121, ec.SECP384R1())
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ada")])
ASKED = x509.CertificateSigningRequestBuilder().subject_name(NAME).sign(KEY, hashes.SHA256())
DER = ASKED.public_bytes(serialization.Encoding.DER)
ANSWER = (
    x509.CertificateBuilder()
    .subject_name(NAME)
    .issuer_name(NAME)
    .public_key(KEY.public_key())
    .serial_number(1)
    .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
    .not_valid_after(datetime(2030, 1, 1, tzinfo=UTC))
    .sign(KEY, hashes.SHA256())
    .public_bytes(serialization.Encoding.DER)
)
BEGIN, END = "-----BEGIN CERTIFICATE REQUEST-----\n", "\n-----END CERTIFICATE REQUEST-----\n"


def _request(der: bytes) -> CertificateRequest:
    return CertificateRequest(federation="test", site="ada", request=f"{BEGIN}{b64encode(der).decode()}{END}")


def _signed(payload: bytes) -> bytes:
    return sign_document(payload, REQUEST_TYPE, [ADA])


def _read(path: Path, data: bytes) -> CertificateRequest | None:
    path.write_bytes(data)
    survived(lambda: read_site(path))
    return survived(lambda: read_certificate_request(path, public=public_hex(ADA)))


def test_the_sample_is_sound(tmp_path: Path) -> None:
    found = _read(tmp_path / "file", _signed(canonical(_request(DER).model_dump(mode="json"))))
    assert found is not None
    assert requested_key(found, where="file") == KEY.public_key()


@given(changes=CHANGES)
@fuzzed(150)
def test_changed_bytes(tmp_path: Path, changes: list[Change]) -> None:
    sound = _signed(canonical(_request(DER).model_dump(mode="json")))
    data = changed(sound, changes)
    assert _read(tmp_path / "file", data) is None or data == sound


@given(edits=EDITS)
@fuzzed(300)
def test_a_request_of_another_form_that_the_site_signed(tmp_path: Path, edits: list[Edit]) -> None:
    payload = edited(_request(DER).model_dump(mode="json"), edits)
    found = _read(tmp_path / "file", _signed(payload))
    assert found is None or canonical(found.model_dump(mode="json")) == payload


@given(changes=CHANGES)
@fuzzed(500)
def test_a_key_is_taken_only_from_a_request_that_it_signed(changes: list[Change]) -> None:
    der = changed(DER, changes)
    if 0 < len(der) < 2000:
        found = survived(lambda: requested_key(_request(der), where="file"))
        assert found is None or found == KEY.public_key()


@given(changes=CHANGES)
@fuzzed(500)
def test_an_answer_is_a_certificate_of_the_key_that_was_asked_for_or_nothing(
    tmp_path: Path, changes: list[Change]
) -> None:
    (tmp_path / "client.asked.key").write_bytes(private_pem(KEY))
    (tmp_path / "client.crt").unlink(missing_ok=True)
    der = changed(ANSWER, changes)
    text = f"-----BEGIN CERTIFICATE-----\n{b64encode(der).decode()}\n-----END CERTIFICATE-----\n"
    (tmp_path / "answer").write_text(text)
    until = survived(lambda: take(cast("SiteHome", SimpleNamespace(keys_path=tmp_path)), tmp_path / "answer"))
    assert (until is not None) == (tmp_path / "client.crt").exists()
