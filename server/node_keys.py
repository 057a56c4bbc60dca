"""Which Flower node is which site: the key that a site enrolled is the only name that its SuperNode has for us."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import select

from federated.errors import ConsiliumError
from server.home import CoordinatorHome
from server.registry import Registry, SiteRow


def node_keys(home: CoordinatorHome) -> dict[str, bytes]:
    """Public node keys (PEM, as Flower stores them) of the enrolled sites that named one."""
    with Registry(home.registry_url).transaction() as session:
        rows = session.scalars(select(SiteRow).where(SiteRow.state == "enrolled").order_by(SiteRow.name))
        lines = {row.name: row.flower_public for row in rows if row.flower_public}
    return {site: read_node_key(line, where=site) for site, line in lines.items()}


def read_node_key(line: str, *, where: str) -> bytes:
    """PEM of an OpenSSH public key line.

    Raises:
        ConsiliumError: it is not an elliptic-curve key, which is all that Flower takes.
    """
    try:
        key = serialization.load_ssh_public_key(line.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConsiliumError("the node key is not an OpenSSH public key", where=where) from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ConsiliumError(
            "the node key is not an elliptic-curve key", where=where, cure="ssh-keygen -t ecdsa -b 384"
        )
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
