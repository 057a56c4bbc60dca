from __future__ import annotations

import json
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from federated.canonical import canonical
from federated.certificate_request import (
    REQUEST_TYPE,
    CertificateRequest,
    read_certificate_request,
    read_site,
    requested_key,
    write_certificate_request,
)
from federated.errors import ContractError, SignatureError
from federated.keys import public_hex
from federated.signing import sign_document

SITE_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "whoever")])
    asked = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return asked.public_bytes(serialization.Encoding.PEM).decode()


def _request(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> CertificateRequest:
    return CertificateRequest(federation="heartland", site="ada", request=_pem(key))


def test_a_request_comes_back_as_it_was_and_names_its_key(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    path = tmp_path / "request.json"
    write_certificate_request(_request(key), SITE_KEY, path)
    assert read_site(path) == "ada"
    found = read_certificate_request(path, public=public_hex(SITE_KEY))
    assert requested_key(found, where="x") == key.public_key()


def test_a_request_signed_by_somebody_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    write_certificate_request(_request(ec.generate_private_key(ec.SECP384R1())), OTHER_KEY, path)
    with pytest.raises(SignatureError, match="is not signed with the key of 'ada'"):
        read_certificate_request(path, public=public_hex(SITE_KEY))


def test_a_request_changed_after_it_was_signed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    write_certificate_request(_request(ec.generate_private_key(ec.SECP384R1())), SITE_KEY, path)
    document = json.loads(path.read_bytes())
    payload = b64decode(document["payload"]).replace(b'"ada"', b'"ben"')
    path.write_bytes(canonical(document | {"payload": b64encode(payload).decode()}))
    with pytest.raises(SignatureError):
        read_certificate_request(path, public=public_hex(SITE_KEY))


def test_a_request_that_is_not_canonical_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    request = _request(ec.generate_private_key(ec.SECP384R1()))
    path.write_bytes(sign_document(request.model_dump_json(indent=1).encode(), REQUEST_TYPE, [SITE_KEY]))
    with pytest.raises(ContractError, match="canonical form"):
        read_site(path)


def test_keys_of_another_kind_are_refused() -> None:
    for key in (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256K1())):
        with pytest.raises(ContractError, match="elliptic-curve key of its own"):
            requested_key(_request(key), where="x")


def test_a_request_whose_key_did_not_sign_it_is_refused() -> None:
    asked = x509.load_pem_x509_csr(_pem(ec.generate_private_key(ec.SECP384R1())).encode())
    der = bytearray(asked.public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    lines = b64encode(bytes(der)).decode()
    text = f"-----BEGIN CERTIFICATE REQUEST-----\n{lines}\n-----END CERTIFICATE REQUEST-----\n"
    forged = CertificateRequest(federation="heartland", site="ada", request=text)
    with pytest.raises(ContractError, match="certificate request"):
        requested_key(forged, where="x")


@pytest.mark.parametrize("text", ["", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n", "x" * 5000])
def test_what_is_no_request_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        CertificateRequest(federation="heartland", site="ada", request=text)


def test_a_request_that_cannot_be_read_is_one_line() -> None:
    text = "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"
    with pytest.raises(ContractError, match="x: its certificate request cannot be read"):
        requested_key(CertificateRequest(federation="heartland", site="ada", request=text), where="x")
