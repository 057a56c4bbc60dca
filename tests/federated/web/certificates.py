"""Certificates for a test: an authority, and what it signs."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Pair:
    """Files of a certificate and its key, and both themselves."""

    certificate: Path
    key: Path
    made: x509.Certificate
    private: ec.EllipticCurvePrivateKey


def authority(folder: Path, name: str) -> Pair:
    """Who signs certificates."""
    return _made(folder, name, None, (x509.BasicConstraints(ca=True, path_length=None),))


def leaf(folder: Path, signer: Pair, name: str) -> Pair:
    """A certificate of a server on this machine, or of a person."""
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    return _made(folder, name, signer, (x509.SubjectAlternativeName(names),))


def _made(folder: Path, name: str, signer: Pair | None, extensions: tuple[x509.ExtensionType, ...]) -> Pair:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, by = (signer.made.subject, signer.private) if signer else (subject, key)
    built = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    built = built.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(hours=1))
    built = built.not_valid_after(now + timedelta(days=1))
    for extension in extensions:
        built = built.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    made = built.sign(by, hashes.SHA256())
    files = folder / f"{name}.crt", folder / f"{name}.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files[1].write_bytes(key.private_bytes(*plain))
    return Pair(*files, made, key)
