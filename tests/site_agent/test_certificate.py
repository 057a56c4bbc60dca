from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from federated.certificate_request import read_certificate_request, requested_key
from federated.errors import ConsiliumError
from federated.keys import public_hex
from site_agent.certificate import ask, describe, standing, take
from site_agent.home import SiteHome

AUTHORITY = ec.generate_private_key(ec.SECP384R1())


def certified(home: SiteHome, path: Path, *, days: int = 30) -> Path:
    """What a coordinator answers to the request that lies in a home."""
    request = read_certificate_request(home.path / "certificate-request.json", public=public_hex(home.key()))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, request.site)])
    begin = datetime.now(UTC) - timedelta(days=100)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(requested_key(request, where="x"))
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=100 + days))
        .sign(AUTHORITY, hashes.SHA256())
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return path


def test_the_private_key_never_leaves_the_keys_folder(home: SiteHome, tmp_path: Path) -> None:
    request = ask(home)
    key = home.keys_path / "client.asked.key"
    assert b"PRIVATE" not in request.read_bytes()
    assert key.stat().st_mode & 0o077 == 0
    private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    found = read_certificate_request(request, public=public_hex(home.key()))
    assert requested_key(found, where="x") == private.public_key()
    assert (found.federation, found.site) == ("test", "ada")
    take(home, certified(home, tmp_path / "ada.crt"))
    assert [path.read_bytes() for path in standing(home)][1] == private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def test_while_a_renewal_is_asked_for_the_old_one_stays_in_use(home: SiteHome, tmp_path: Path) -> None:
    ask(home)
    take(home, certified(home, tmp_path / "first.crt"))
    before = [path.read_bytes() for path in standing(home)]
    ask(home)
    assert [path.read_bytes() for path in standing(home)] == before
    take(home, certified(home, tmp_path / "second.crt"))
    after = [path.read_bytes() for path in standing(home)]
    assert all(old != new for old, new in zip(before, after, strict=True))


def test_an_answer_for_another_key_changes_nothing(home: SiteHome, tmp_path: Path) -> None:
    ask(home)
    first = certified(home, tmp_path / "first.crt")
    ask(home)
    with pytest.raises(ConsiliumError, match="is not for the key that this site asked for last"):
        take(home, first)
    with pytest.raises(ConsiliumError, match="has no certificate for the gate; ask for one"):
        standing(home)


def test_one_that_has_run_out_does_not_count(home: SiteHome, tmp_path: Path) -> None:
    ask(home)
    take(home, certified(home, tmp_path / "old.crt", days=-1))
    with pytest.raises(ConsiliumError, match="does not count"):
        standing(home)


def test_the_doctor_says_how_long_it_counts_and_when_to_ask_again(home: SiteHome, tmp_path: Path) -> None:
    assert describe(home).startswith("none: needed where")
    ask(home)
    take(home, certified(home, tmp_path / "long.crt", days=40))
    assert describe(home) == f"counts until {datetime.now(UTC) + timedelta(days=40):%Y-%m-%d}"
    ask(home)
    take(home, certified(home, tmp_path / "short.crt", days=20))
    with pytest.raises(ConsiliumError, match=r"counts until .* only; ask for one with: consilium site certificate"):
        describe(home)


NO_CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("data", [b"", b"\0" * 100_000, NO_CERTIFICATE])
def test_what_is_no_certificate_is_one_line(home: SiteHome, tmp_path: Path, data: bytes) -> None:
    ask(home)
    (tmp_path / "x.crt").write_bytes(data)
    with pytest.raises(ConsiliumError, match=r"x\.crt: is not a certificate"):
        take(home, tmp_path / "x.crt")
    with pytest.raises(ConsiliumError, match=r"missing\.crt"):
        take(home, tmp_path / "missing.crt")
