"""The coordinator's own certificate authority, and the certificate that its SuperLink shows to sites.

The authority is made once and never replaced, because its certificate travels in every site's kit. The server's
certificate is renewed from it whenever it runs out or has to name another host.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from federated.errors import ConsiliumError
from federated.files import write_whole

AUTHORITY_DAYS = 3650
SERVER_DAYS = 397
RENEW_DAYS = 30
RESTORE = "restore it from a backup"
LOCAL_HOSTS = ("localhost", "127.0.0.1")
Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Certificates:
    """Files of PEM: the authority's certificate (for kits), the server's certificate and its private key."""

    authority: Path
    server: Path
    key: Path


def create_certificates(folder: Path, federation: str, hosts: Iterable[str] = ()) -> Certificates:
    """The certificates in a folder, made or renewed where needed; only their owner can read the private keys.

    Args:
        folder: where they lie; made with mode 0700.
        federation: named in the authority's certificate.
        hosts: names and addresses under which sites reach the SuperLink, besides this machine's own.

    Raises:
        ConsiliumError: a file is there that cannot be read as what it should be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    files = Certificates(folder / "ca.crt", folder / "server.crt", folder / "server.key")
    names = sorted({*LOCAL_HOSTS, *hosts})
    if not files.authority.exists():
        make_authority(files.authority, folder / "ca.key", federation)
    authority = read_certificate(files.authority)
    if not _serves(files, authority, names):
        _make_server(files, authority, read_key(folder / "ca.key"), names)
    return files


def make_authority(path: Path, key_path: Path, federation: str) -> None:
    """An authority's certificate, whose key is made where it is missing."""
    key = read_key(key_path) if key_path.exists() else _make_key(key_path)
    name = name_of(f"Consilium {federation}"[:64])
    certificate = (
        builder(name, name, key.public_key(), AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    write_whole(path, certificate.public_bytes(serialization.Encoding.PEM))


def _make_server(files: Certificates, authority: x509.Certificate, authority_key: Key, hosts: list[str]) -> None:
    key = _make_key(files.key)
    certificate = (
        builder(name_of(hosts[0][:64]), authority.subject, key.public_key(), SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_alternative(host) for host in hosts]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    write_whole(files.server, certificate.public_bytes(serialization.Encoding.PEM))


def _serves(files: Certificates, authority: x509.Certificate, hosts: list[str]) -> bool:
    """Whether the server's certificate is this authority's, fits its key, names these hosts and lasts a while."""
    if not (files.server.exists() and files.key.exists()):
        return False
    certificate, key = read_certificate(files.server), read_key(files.key)
    try:
        certificate.verify_directly_issued_by(authority)
        named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return (
        certificate.public_key() == key.public_key()
        and {_alternative(host) for host in hosts} <= set(named)
        and certificate.not_valid_after_utc > datetime.now(UTC) + timedelta(days=RENEW_DAYS)
    )


def builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    """What every certificate begins with: who it is of, who made it, and how long it counts."""
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clocks of two hospitals differ
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """What a certificate's key is for."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def name_of(common: str) -> x509.Name:
    """A subject that is nothing but a common name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _make_key(path: Path) -> Key:
    key = ec.generate_private_key(ec.SECP384R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_whole(path, pem, mode=0o600)
    return key


def read_key(path: Path) -> Key:
    """A private key that this program made.

    Raises:
        ConsiliumError: it is none.
    """
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise ConsiliumError("the private key cannot be read", where=str(path), cure=RESTORE) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConsiliumError("is not a key that this program made", where=str(path))
    return key


def read_certificate(path: Path) -> x509.Certificate:
    """A certificate from a file of PEM.

    Raises:
        ConsiliumError: it is none.
    """
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConsiliumError("the certificate cannot be read", where=str(path), cure=RESTORE) from error
