"""Certificates that sites show at the gate, and what nginx is told of them.

Their authority is one of its own: a client's certificate can stand for no server, nor the SuperLink's for a client. The
gate passes whoever shows a certificate that is on its list, together with the node key that the same site enrolled; who
is taken off the list is out, however long the certificate would last.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from sqlalchemy import select

from federated.certificate_request import read_certificate_request, read_site, requested_key
from federated.errors import ConsiliumError
from federated.files import write_whole
from server.certificates import builder, make_authority, name_of, read_certificate, read_key, usage
from server.home import CoordinatorHome
from server.members import find_site
from server.node_keys import node_keys
from server.registry import KeyRow, Registry

CLIENT_DAYS = 397
STANDING = 2  # the one before serves until the hospital has put the new one in its place
LIST = "gate-sites.conf"


def issue(home: CoordinatorHome, path: Path) -> tuple[str, Path]:
    """Certifies the key in a site's signed request; the site's name, and the file for it. The list follows.

    Raises:
        ConsiliumError: not a request, not of an enrolled site of this federation, or not signed with its current key.
    """
    site = read_site(path)
    request = read_certificate_request(path, public=_current_key(home, site))
    if request.federation != home.config.federation:
        raise ConsiliumError(f"is for federation '{request.federation}'", where=str(path))
    key = requested_key(request, where=str(path))
    authority = clients_authority(home)
    certificate = _certificate(site, key, authority, home.certificates_path / "clients.key")
    file = _folder(home) / f"{site}-{certificate.serial_number:040x}.crt"
    write_whole(file, certificate.public_bytes(serialization.Encoding.PEM))
    for old in _issued(home, site)[:-STANDING]:
        old.unlink()
    write_list(home)
    return site, file


def strike(home: CoordinatorHome, site: str) -> int:
    """Takes every certificate of a site off the list, because a key was lost; how many there were.

    Raises:
        ConsiliumError: there is no such site.
    """
    with Registry(home.registry_url).transaction() as session:
        find_site(session, site)
    struck = _issued(home, site)
    for file in struck:
        file.unlink()
    write_list(home)
    return len(struck)


def clients_authority(home: CoordinatorHome) -> Path:
    """The authority's certificate, made where there is none yet: what nginx believes of those who come."""
    folder = home.certificates_path
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "clients.crt"
    if not path.exists():
        make_authority(path, folder / "clients.key", f"{home.config.federation} sites")
    return path


def write_list(home: CoordinatorHome) -> bool:
    """Writes down for nginx who may pass with which node key; whether anything has changed."""
    path = home.certificates_path / LIST
    clients_authority(home)
    text = "".join(_line(home, site, key) for site, key in sorted(node_keys(home).items())).encode()
    if path.exists() and path.read_bytes() == text:
        return False
    write_whole(path, text)
    return True


def _line(home: CoordinatorHome, site: str, node_key: bytes) -> str:
    """What a site's node says of itself in every call, after the certificate that its forwarder shows."""
    said, now = b64encode(node_key).decode(), datetime.now(UTC)
    certificates = [read_certificate(file) for file in _issued(home, site)]
    standing = [certificate for certificate in certificates if certificate.not_valid_after_utc > now]
    return "".join(f'"{certificate.fingerprint(hashes.SHA1()).hex()}:{said}" {site};\n' for certificate in standing)  # noqa: S303


def _issued(home: CoordinatorHome, site: str) -> list[Path]:
    """A site's certificates, oldest first."""
    files = [file for file in _folder(home).glob("*.crt") if file.stem.rpartition("-")[0] == site]
    return sorted(files, key=lambda file: (read_certificate(file).not_valid_before_utc, file.stat().st_mtime_ns))


def _folder(home: CoordinatorHome) -> Path:
    path = home.certificates_path / "clients"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _current_key(home: CoordinatorHome, site: str) -> str:
    with Registry(home.registry_url).transaction() as session:
        find_site(session, site)
        own = (KeyRow.role == "site") & (KeyRow.name == site) & KeyRow.revoked.is_(False)
        public = session.scalar(select(KeyRow.public).where(own))
    if public is None:
        raise ConsiliumError("is not enrolled", where=site, cure="certificates are for enrolled sites")
    return public


def _certificate(site: str, key: ec.EllipticCurvePublicKey, authority: Path, authority_key: Path) -> x509.Certificate:
    issuer, signing = read_certificate(authority), read_key(authority_key)
    return (
        builder(name_of(site), issuer.subject, key, CLIENT_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
        .sign(signing, hashes.SHA256())
    )
