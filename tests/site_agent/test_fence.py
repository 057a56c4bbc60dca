from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest

from federated.errors import ConsiliumError
from site_agent.certificate import ask, take
from site_agent.fence import TEMPLATE, Groups, build_fence, forwarder_configuration, group_number
from site_agent.home import SiteHome
from site_agent.node import read_settings
from tests.site_agent.test_certificate import certified

BUNDLE = "sha256:" + "7" * 64
OWN = Groups(os.getgid(), os.getgid())


@pytest.fixture
def certified_home(home: SiteHome, tmp_path: Path) -> SiteHome:
    ask(home)
    take(home, certified(home, tmp_path / "ada.crt"))
    return home


def test_the_node_gets_its_key_and_the_forwarder_the_certificate_and_neither_more(
    certified_home: SiteHome, tmp_path: Path
) -> None:
    folder = tmp_path / "etc"
    build_fence(certified_home, folder, OWN, BUNDLE)
    keys = certified_home.keys_path
    assert {path.name for path in folder.iterdir()} == {"node", "forwarder"}
    assert {path.name for path in (folder / "node").iterdir()} == {"node.toml", "flower", "authority.crt"}
    assert (folder / "node" / "flower").read_bytes() == (keys / "flower").read_bytes()
    assert (folder / "forwarder" / "client.key").read_bytes() == (keys / "client.key").read_bytes()
    secrets = [(keys / name).read_bytes() for name in ("site.pem", "approver.pem", "secret")]
    written = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert not any(secret in written for secret in secrets)
    settings = read_settings(folder / "node")
    assert (settings.site, settings.gate, settings.bundle) == ("ada", "127.0.0.1:18000", BUNDLE)
    assert settings.forwarder == "/run/consilium-forwarder/forwarder.sock"


def test_only_the_owner_may_change_anything_and_others_than_the_group_see_nothing(
    certified_home: SiteHome, tmp_path: Path
) -> None:
    folder = tmp_path / "etc"
    build_fence(certified_home, folder, OWN, BUNDLE)
    modes = {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()}
    assert modes == {0o640}
    assert {(folder / name).stat().st_mode & 0o777 for name in ("node", "forwarder")} == {0o750}


def test_the_node_trusts_the_forwarder_that_was_made_with_it_and_no_other(
    certified_home: SiteHome, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        build_fence(certified_home, tmp_path / name, OWN, BUNDLE)
    shown = tmp_path / "one" / "forwarder"
    versions = [_handshake(shown, tmp_path / name / "node" / "authority.crt") for name in ("one", "two")]
    assert versions == [True, False]


def _handshake(shown: Path, believed: Path) -> bool:
    wires = [ssl.MemoryBIO() for _ in range(4)]
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(shown / "server.crt", shown / "server.key")
    client_context = ssl.create_default_context(cafile=str(believed))
    client = client_context.wrap_bio(wires[0], wires[1], server_hostname="127.0.0.1")
    server = server_context.wrap_bio(wires[2], wires[3], server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                return False
            wires[2].write(wires[1].read())
            wires[0].write(wires[3].read())
    return client.version() is not None


def test_made_anew_it_is_replaced(certified_home: SiteHome, tmp_path: Path) -> None:
    build_fence(certified_home, tmp_path / "etc", OWN, BUNDLE)
    build_fence(certified_home, tmp_path / "etc", OWN, "sha256:" + "8" * 64)
    assert read_settings(tmp_path / "etc" / "node").bundle == "sha256:" + "8" * 64
    assert _handshake(tmp_path / "etc" / "forwarder", tmp_path / "etc" / "node" / "authority.crt")


def test_without_a_certificate_there_is_no_fence(home: SiteHome, tmp_path: Path) -> None:
    with pytest.raises(ConsiliumError, match="has no certificate for the gate; ask for one with"):
        build_fence(home, tmp_path / "etc", OWN, BUNDLE)
    assert not (tmp_path / "etc").exists()


def test_a_site_that_passes_files_has_no_gate(certified_home: SiteHome, tmp_path: Path) -> None:
    certified_home.config = certified_home.config.model_copy(update={"superlink": ""})
    with pytest.raises(ConsiliumError, match="no gate to pass"):
        build_fence(certified_home, tmp_path / "etc", OWN, BUNDLE)


@pytest.mark.parametrize(
    ("gate", "name"), [("fed.hospital.example:8443", "fed.hospital.example"), ("10.1.2.3:443", "localhost")]
)
def test_the_forwarder_goes_to_the_gate_of_the_kit_and_to_nothing_else(gate: str, name: str) -> None:
    text = forwarder_configuration(gate, Path("/srv/forwarder"), Path("/srv/run"))
    assert f"server {gate};" in text
    assert f"proxy_ssl_name {name};" in text
    assert "proxy_ssl_verify on;" in text
    assert "listen unix:/srv/run/forwarder.sock ssl;" in text
    for shipped in ("fed.example.org", "/etc/consilium", "/run/consilium-forwarder"):
        assert shipped in TEMPLATE.read_text()
        assert shipped not in text


def test_a_group_is_known_by_name_or_number() -> None:
    assert group_number("root") == 0
    assert group_number("60102") == 60102
    with pytest.raises(ConsiliumError, match=r"nosuchgroup: is no group of this machine; make the users of"):
        group_number("nosuchgroup")
