"""How a site asks for its client certificate: a request made with a key that stays there, signed as the site.

The coordinator's gate lets nobody in without such a certificate. It is worth no more than a place in the queue: what
counts for a parcel is the site's signature, and for a call of its node the node's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import StringConstraints, ValidationError

from federated.canonical import canonical
from federated.errors import ContractError, SignatureError
from federated.faults import first_fault
from federated.files import write_whole
from federated.keys import verifier
from federated.manifest import Frozen, Name
from federated.signing import read_document, sign_document, verified_by

REQUEST_TYPE = "application/vnd.consilium.certificate-request+json"
Pem = Annotated[
    str,
    StringConstraints(
        pattern=r"^-----BEGIN CERTIFICATE REQUEST-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE REQUEST-----\n$",
        max_length=4096,
    ),
]


class CertificateRequest(Frozen):
    """What a site signs: its name, and a request for a certificate (PKCS #10, PEM)."""

    version: Literal[1] = 1
    federation: Name
    site: Name
    request: Pem


def write_certificate_request(request: CertificateRequest, key: Ed25519PrivateKey, path: Path) -> None:
    """The request, signed with the site's key."""
    payload = canonical(request.model_dump(mode="json"))
    write_whole(path, sign_document(payload, REQUEST_TYPE, [key]))


def read_site(path: Path) -> str:
    """Which site a request says it is of, with nothing verified.

    Raises:
        ContractError: not a request.
    """
    return _parse(read_document(path, REQUEST_TYPE).payload, path).site


def read_certificate_request(path: Path, *, public: str) -> CertificateRequest:
    """The request, if the site with this public key (hex) signed it.

    Raises:
        ContractError: not a request.
        SignatureError: made by another key, or changed since.
    """
    envelope = read_document(path, REQUEST_TYPE)
    request = _parse(envelope.payload, path)
    if not verified_by(envelope, [verifier(public, where=request.site)]):
        raise SignatureError(f"is not signed with the key of '{request.site}'", where=str(path), cure="ask for it anew")
    return request


def requested_key(request: CertificateRequest, *, where: str) -> ec.EllipticCurvePublicKey:
    """The key that is to be certified; whoever asks has shown that the private half is theirs.

    Raises:
        ContractError: not an elliptic-curve request that its own key signed.
    """
    try:
        asked = x509.load_pem_x509_csr(request.request.encode())
        key, valid = asked.public_key(), asked.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ContractError("its certificate request cannot be read", where=where) from error
    if not (valid and isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in ("secp256r1", "secp384r1")):
        raise ContractError("its certificate request is not made with an elliptic-curve key of its own", where=where)
    return key


def _parse(payload: bytes, path: Path) -> CertificateRequest:
    try:
        request = CertificateRequest.model_validate_json(payload)
    except ValidationError as error:
        raise ContractError(first_fault(error), where=str(path)) from error
    if canonical(request.model_dump(mode="json")) != payload:
        raise ContractError("is not in canonical form (RFC 8785)", where=str(path))
    return request
