from __future__ import annotations

import contextlib
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

import server.certificates
from federated.errors import ConsiliumError
from server.certificates import Certificates, create_certificates

FEDERATION = "heartland"


def _talk(client: ssl.SSLObject, server: ssl.SSLObject, wires: tuple[ssl.MemoryBIO, ...]) -> None:
    """A TLS handshake without a network: each side reads what the other wrote."""
    client_in, client_out, server_in, server_out = wires
    for _ in range(4):
        for side in (client, server):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
            server_in.write(client_out.read())
            client_in.write(server_out.read())


def _connect(files: Certificates, authority: Path, host: str) -> str | None:
    """Protocol version agreed on by a client that trusts an authority and asks for a host."""
    wires = (ssl.MemoryBIO(), ssl.MemoryBIO(), ssl.MemoryBIO(), ssl.MemoryBIO())
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(files.server, files.key)
    client_context = ssl.create_default_context(cafile=str(authority))
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    client = client_context.wrap_bio(wires[0], wires[1], server_hostname=host)
    server_side = server_context.wrap_bio(wires[2], wires[3], server_side=True)
    _talk(client, server_side, wires)
    return client.version()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "fed.example.org", "10.1.2.3"])
def test_a_client_that_trusts_the_authority_accepts_every_named_host(tmp_path: Path, host: str) -> None:
    files = create_certificates(tmp_path / "tls", FEDERATION, ["fed.example.org", "10.1.2.3"])
    assert _connect(files, files.authority, host) == "TLSv1.3"


def test_another_host_and_another_authority_are_refused(tmp_path: Path) -> None:
    files = create_certificates(tmp_path / "tls", FEDERATION)
    stranger = create_certificates(tmp_path / "other", FEDERATION)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"[Hh]ostname mismatch"):
        _connect(files, files.authority, "fed.example.org")
    with pytest.raises(ssl.SSLCertVerificationError, match="verify failed"):
        _connect(files, stranger.authority, "localhost")


def test_private_keys_are_the_owners_alone(tmp_path: Path) -> None:
    files = create_certificates(tmp_path / "tls", FEDERATION)
    modes = {path.name: path.stat().st_mode & 0o777 for path in files.key.parent.iterdir()}
    assert modes == {"ca.crt": 0o644, "ca.key": 0o600, "server.crt": 0o644, "server.key": 0o600}
    assert files.key.parent.stat().st_mode & 0o777 == 0o700


def test_a_second_call_changes_nothing(tmp_path: Path) -> None:
    first = create_certificates(tmp_path, FEDERATION, ["fed.example.org"])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert create_certificates(tmp_path, FEDERATION, ["fed.example.org"]) == first
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_another_host_renews_the_server_but_never_the_authority(tmp_path: Path) -> None:
    files = create_certificates(tmp_path, FEDERATION)
    authority, server_before = files.authority.read_bytes(), files.server.read_bytes()
    create_certificates(tmp_path, FEDERATION, ["fed.example.org"])
    assert files.authority.read_bytes() == authority
    assert files.server.read_bytes() != server_before
    assert _connect(files, files.authority, "fed.example.org") == "TLSv1.3"
    server_before = files.server.read_bytes()
    create_certificates(tmp_path, FEDERATION)
    assert files.server.read_bytes() == server_before


def test_a_certificate_about_to_run_out_is_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(server.certificates, "SERVER_DAYS", server.certificates.RENEW_DAYS - 1)
        files = create_certificates(tmp_path, FEDERATION)
    create_certificates(tmp_path, FEDERATION)
    end = x509.load_pem_x509_certificate(files.server.read_bytes()).not_valid_after_utc
    assert end > datetime.now(UTC) + timedelta(days=300)


def test_a_run_that_stopped_between_key_and_certificate_is_completed(tmp_path: Path) -> None:
    files = create_certificates(tmp_path, FEDERATION)
    files.server.unlink()
    files.authority.unlink()
    create_certificates(tmp_path, FEDERATION)
    assert _connect(files, files.authority, "localhost") == "TLSv1.3"


@pytest.mark.parametrize("name", ["ca.crt", "server.key"])
def test_a_damaged_file_is_named_and_kept(tmp_path: Path, name: str) -> None:
    create_certificates(tmp_path, FEDERATION)
    (tmp_path / name).write_text("not PEM")
    with pytest.raises(ConsiliumError, match=f"{name}: .* cannot be read; restore it"):
        create_certificates(tmp_path, FEDERATION)
    assert (tmp_path / name).read_text() == "not PEM"
