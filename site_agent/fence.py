"""What stands between the coordinator's programs and the site: two folders, for the node and for the forwarder.

Neither holds anything of the site's home but the node's own key and the certificate for the gate. The node trusts the
forwarder by a certificate made here; the forwarder trusts the gate by the authority in the kit.
"""

from __future__ import annotations

import grp
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import tomli_w
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from federated.errors import ConsiliumError, cannot_read
from federated.files import cannot_write, write_whole
from site_agent.certificate import private_pem, standing
from site_agent.home import SiteHome
from site_agent.node import AUTHORITY, KEY, SETTINGS, NodeSettings

TEMPLATE = Path(__file__).resolve().parents[1] / "deploy" / "nginx" / "forwarder.conf"
SHIPPED_FOLDER, SHIPPED_RUN, SHIPPED_GATE = "/etc/consilium/forwarder", "/run/consilium-forwarder", "fed.example.org"
AGENT_SOCKET = Path("/run/consilium/agent.sock")
FORWARDER_FOLDER = Path(SHIPPED_RUN)
FORWARDER_SOCKET = "forwarder.sock"
DAYS = 3650


@dataclass(frozen=True)
class Groups:
    """Numbers of the OS groups that may read the node's folder, and the forwarder's."""

    node: int
    forwarder: int


def build_fence(
    home: SiteHome,
    folder: Path,
    groups: Groups,
    bundle: str,
    *,
    agent: Path = AGENT_SOCKET,
    forwarder: Path = FORWARDER_FOLDER,
) -> None:
    """Writes both folders, or writes them anew.

    Args:
        home: the site's.
        folder: where they go; only its owner can change them afterwards.
        groups: who may read which.
        bundle: digest of the only bundle that the node is to run.
        agent: the agent's socket.
        forwarder: where the forwarder's socket and its temporary files lie.

    Raises:
        ConsiliumError: the kit named no gate, the site has no certificate for it, or a file cannot be written.
    """
    certificate, key = standing(home)
    gate = home.config.superlink
    if not gate:
        raise ConsiliumError("the kit named no SuperLink, so that there is no gate to pass", where=str(home.path))
    own = ec.generate_private_key(ec.SECP384R1())
    shown = _self_signed(own)
    settings = NodeSettings(
        site=home.config.site, gate=gate, agent=str(agent), forwarder=str(forwarder / FORWARDER_SOCKET), bundle=bundle
    )
    node_files = {
        SETTINGS: tomli_w.dumps(settings.model_dump(mode="json")).encode(),
        KEY: _read(home.flower_key_path),
        AUTHORITY: shown,
    }
    forwarder_files = {
        "nginx.conf": forwarder_configuration(gate, folder / "forwarder", forwarder).encode(),
        "server.crt": shown,
        "server.key": private_pem(own),
        "client.crt": _read(certificate),
        "client.key": _read(key),
        "ca.crt": _read(home.ca_path),
    }
    _write(folder / "node", node_files, groups.node)
    _write(folder / "forwarder", forwarder_files, groups.forwarder)


def forwarder_configuration(gate: str, folder: Path, run: Path) -> str:
    """The configuration that is shipped, for this gate and these folders."""
    host = gate.rpartition(":")[0]
    text = TEMPLATE.read_text(encoding="utf-8").replace(f"server {SHIPPED_GATE}:443;", f"server {gate};")
    named = text.replace(f"proxy_ssl_name {SHIPPED_GATE};", f"proxy_ssl_name {_certified(host)};")
    placed = named.replace(SHIPPED_GATE, host).replace(SHIPPED_FOLDER, str(folder))
    return placed.replace(SHIPPED_RUN, str(run))


def group_number(named: str) -> int:
    """The number of an OS group.

    Raises:
        ConsiliumError: there is none of this name.
    """
    if named.isdecimal():
        return int(named)
    try:
        return grp.getgrnam(named).gr_gid
    except KeyError as error:
        cure = "make the users of deploy/systemd/consilium.sysusers, or name another group"
        raise ConsiliumError("is no group of this machine", where=named, cure=cure) from error


def _certified(host: str) -> str:
    """A name in the gate's certificate: nginx compares no addresses, and the coordinator's always names localhost."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host
    return "localhost"


def _self_signed(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The forwarder's certificate, which the node is told and nobody else believes."""
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Consilium forwarder")]), datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), address]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise cannot_read(path, error) from error


def _write(folder: Path, files: Mapping[str, bytes], group: int) -> None:
    """Files that a group may read, and only their owner may change."""
    try:
        if not folder.parent.exists():
            folder.parent.mkdir(parents=True)
            folder.parent.chmod(0o755)  # nothing but the two folders lies there
        folder.mkdir(exist_ok=True)
        for name, data in files.items():
            write_whole(folder / name, data, mode=0o600)
            _give(folder / name, group, 0o640)
        _give(folder, group, 0o750)
    except OSError as error:
        raise cannot_write(folder, error) from error


def _give(path: Path, group: int, mode: int) -> None:
    os.chown(path, -1, group)
    path.chmod(mode)
