"""The certificate with which a site passes the coordinator's gate: its key is made here and stays here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from federated.certificate_request import CertificateRequest, write_certificate_request
from federated.errors import ConsiliumError, cannot_read
from federated.files import write_whole
from site_agent.home import SiteHome

KEY, CERTIFICATE, ASKED = "client.key", "client.crt", "client.asked.key"
REQUEST = "certificate-request.json"
MAX_BYTES = 2**16
RENEW_DAYS = 30
RENEW = "ask for one with: consilium site certificate"


def ask(home: SiteHome) -> Path:
    """A request for the coordinator, with a new key; what is in use stays in use until the answer is taken in."""
    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, home.config.site)])
    asked = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    text = asked.public_bytes(serialization.Encoding.PEM).decode()
    request = CertificateRequest(federation=home.config.federation, site=home.config.site, request=text)
    write_whole(home.keys_path / ASKED, private_pem(key), mode=0o600)
    write_certificate_request(request, home.key(), home.path / REQUEST)
    return home.path / REQUEST


def take(home: SiteHome, path: Path) -> datetime:
    """Takes in the coordinator's answer; until when it counts.

    Raises:
        ConsiliumError: not a certificate, or not for the key that was asked for.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES)
        certificate = x509.load_pem_x509_certificate(data)
        key, until = certificate.public_key(), certificate.not_valid_after_utc
    except OSError as error:
        raise cannot_read(path, error) from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConsiliumError("is not a certificate", where=str(path)) from error
    asked = home.keys_path / ASKED
    if not (asked.exists() and _public(asked) == key):
        raise ConsiliumError("is not for the key that this site asked for last", where=str(path), cure=RENEW)
    write_whole(home.keys_path / CERTIFICATE, certificate.public_bytes(serialization.Encoding.PEM))
    asked.replace(home.keys_path / KEY)
    return until


def standing(home: SiteHome) -> tuple[Path, Path]:
    """Certificate and key in use.

    Raises:
        ConsiliumError: there is none, it has run out, or the two do not belong together.
    """
    path, key = home.keys_path / CERTIFICATE, home.keys_path / KEY
    if not (path.exists() and key.exists()):
        raise ConsiliumError("this site has no certificate for the gate", where=str(home.path), cure=RENEW)
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    if certificate.not_valid_after_utc <= datetime.now(UTC) or _public(key) != certificate.public_key():
        raise ConsiliumError("the certificate for the gate does not count (any more)", where=str(path), cure=RENEW)
    return path, key


def describe(home: SiteHome) -> str:
    """What the doctor says of it.

    Raises:
        ConsiliumError: there is one that does not count any more, or not for long.
    """
    if not (home.keys_path / CERTIFICATE).exists():
        return "none: needed where the coordinator has a gate (consilium site certificate)"
    path, _ = standing(home)
    until = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    if until < datetime.now(UTC) + timedelta(days=RENEW_DAYS):
        raise ConsiliumError(f"counts until {until:%Y-%m-%d} only", where=str(path), cure=RENEW)
    return f"counts until {until:%Y-%m-%d}"


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key as nginx reads it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public(path: Path) -> object:
    try:
        return serialization.load_pem_private_key(path.read_bytes(), password=None).public_key()
    except (OSError, ValueError, TypeError) as error:
        raise ConsiliumError("the private key cannot be read", where=str(path), cure=RENEW) from error
