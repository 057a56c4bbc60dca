from __future__ import annotations

import re
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from federated.certificate_request import CertificateRequest, write_certificate_request
from federated.errors import ConsiliumError, SignatureError
from federated.keys import fingerprint, public_hex
from server.certificates import create_certificates
from server.client_certificates import clients_authority, issue, strike, write_list
from server.home import CoordinatorHome
from server.node_keys import node_keys
from tests.server.conftest import Site

if TYPE_CHECKING:
    from tests.server.conftest import World

LINE = re.compile(r'^"([0-9a-f]{40}):([A-Za-z0-9+/=]+)" ([a-z]+);$')


class Asker(NamedTuple):
    """An enrolled site, and the key that it wants certified."""

    site: Site
    key: ec.EllipticCurvePrivateKey


def _enrol(world: World, name: str) -> Asker:
    site = Site(name, world.coordinator)
    node = ec.generate_private_key(ec.SECP384R1()).public_key()
    line = node.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    told = fingerprint(bytes.fromhex(public_hex(site.key)))
    world.coordinator.enrol(world.request(site, flower_public=line), told)
    return Asker(site, ec.generate_private_key(ec.SECP384R1()))


def _ask(folder: Path, asker: Asker, *, site: str = "", federation: str = "test") -> Path:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "what it says here counts for nothing")])
    asked = x509.CertificateSigningRequestBuilder().subject_name(name).sign(asker.key, hashes.SHA256())
    text = asked.public_bytes(serialization.Encoding.PEM).decode()
    path = folder / "certificate-request.json"
    request = CertificateRequest(federation=federation, site=site or asker.site.name, request=text)
    write_certificate_request(request, asker.site.key, path)
    return path


def _listed(home: CoordinatorHome) -> list[tuple[str, bytes, str]]:
    lines = (home.certificates_path / "gate-sites.conf").read_text().splitlines()
    found = [LINE.match(line) for line in lines]
    assert all(found)
    return [(match[1], b64decode(match[2]), match[3]) for match in found if match]


def test_a_certificate_names_the_site_fits_its_key_and_is_for_clients_only(world: World, tmp_path: Path) -> None:
    home, ada = world.coordinator.home, _enrol(world, "ada")
    site, path = issue(home, _ask(tmp_path, ada))
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    assert site == "ada"
    assert certificate.public_key() == ada.key.public_key()
    assert [name.value for name in certificate.subject] == ["ada"]
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(clients_authority(home).read_bytes()))
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_the_authority_for_sites_is_not_the_one_that_kits_vouch_for(world: World, tmp_path: Path) -> None:
    home = world.coordinator.home
    _, path = issue(home, _ask(tmp_path, _enrol(world, "ada")))
    servers = create_certificates(home.certificates_path, "test").authority
    with pytest.raises((InvalidSignature, ValueError)):
        x509.load_pem_x509_certificate(path.read_bytes()).verify_directly_issued_by(
            x509.load_pem_x509_certificate(servers.read_bytes())
        )
    assert clients_authority(home).with_suffix(".key").stat().st_mode & 0o077 == 0


def test_the_list_binds_a_certificate_to_the_node_key_of_the_same_site(world: World, tmp_path: Path) -> None:
    home = world.coordinator.home
    prints = {}
    for name in ("ada", "ben"):
        _, path = issue(home, _ask(tmp_path, _enrol(world, name)))
        prints[name] = x509.load_pem_x509_certificate(path.read_bytes()).fingerprint(hashes.SHA1()).hex()
    keys = node_keys(home)
    assert _listed(home) == [(prints[name], keys[name], name) for name in ("ada", "ben")]


def test_who_is_revoked_or_struck_is_off_the_list(world: World, tmp_path: Path) -> None:
    home = world.coordinator.home
    askers = {name: _enrol(world, name) for name in ("ada", "ben", "cem")}
    for asker in askers.values():
        issue(home, _ask(tmp_path, asker))
    world.coordinator.revoke("ada")
    assert write_list(home)
    assert [site for *_, site in _listed(home)] == ["ben", "cem"]
    assert strike(home, "ben") == 1
    assert [site for *_, site in _listed(home)] == ["cem"]
    assert not write_list(home)  # nothing has changed since
    issue(home, _ask(tmp_path, askers["ben"]))
    assert [site for *_, site in _listed(home)] == ["ben", "cem"]


def test_after_a_renewal_the_one_before_still_counts_and_older_ones_do_not(world: World, tmp_path: Path) -> None:
    home, ada = world.coordinator.home, _enrol(world, "ada")
    made = []
    for _ in range(3):
        ada = Asker(ada.site, ec.generate_private_key(ec.SECP384R1()))
        _, path = issue(home, _ask(tmp_path, ada))
        made.append(x509.load_pem_x509_certificate(path.read_bytes()).fingerprint(hashes.SHA1()).hex())
    assert {listed for listed, *_ in _listed(home)} == set(made[1:])


def test_a_site_gets_no_certificate_of_another_name(world: World, tmp_path: Path) -> None:
    home, ada = world.coordinator.home, _enrol(world, "ada")
    _enrol(world, "ben")
    with pytest.raises(SignatureError, match="is not signed with the key of 'ben'"):
        issue(home, _ask(tmp_path, ada, site="ben"))
    assert _listed_or_nothing(home) == []


def test_who_is_not_enrolled_any_more_gets_none(world: World, tmp_path: Path) -> None:
    ada = _enrol(world, "ada")
    world.coordinator.revoke("ada")
    with pytest.raises(ConsiliumError, match="ada: is not enrolled"):
        issue(world.coordinator.home, _ask(tmp_path, ada))


def test_another_federation_and_an_unknown_site_are_one_line(world: World, tmp_path: Path) -> None:
    home, ada = world.coordinator.home, _enrol(world, "ada")
    with pytest.raises(ConsiliumError, match="is for federation 'elsewhere'"):
        issue(home, _ask(tmp_path, ada, federation="elsewhere"))
    with pytest.raises(ConsiliumError, match="zoe: is not a site of this federation"):
        issue(home, _ask(tmp_path, ada, site="zoe"))
    with pytest.raises(ConsiliumError, match="zoe: is not a site of this federation"):
        strike(home, "zoe")


def _listed_or_nothing(home: CoordinatorHome) -> list[tuple[str, bytes, str]]:
    return _listed(home) if (home.certificates_path / "gate-sites.conf").exists() else []
