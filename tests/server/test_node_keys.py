from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from federated.errors import ConsiliumError
from federated.keys import fingerprint, public_hex
from server.node_keys import node_keys, read_node_key
from tests.server.conftest import Site

if TYPE_CHECKING:
    from tests.server.conftest import World

OPENSSH = (serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)


def _enrol(world: World, name: str, line: str) -> None:
    site = Site(name, world.coordinator)
    told = fingerprint(bytes.fromhex(public_hex(site.key)))
    world.coordinator.enrol(world.request(site, flower_public=line), told)


def test_enrolled_sites_and_nobody_else_have_nodes(world: World) -> None:
    keys = {name: ec.generate_private_key(ec.SECP384R1()).public_key() for name in ("ada", "ben")}
    for name, key in keys.items():
        _enrol(world, name, key.public_bytes(*OPENSSH).decode())
    world.join("cem")
    world.coordinator.invite("dan")
    found = node_keys(world.coordinator.home)
    assert {name: serialization.load_pem_public_key(pem) for name, pem in found.items()} == keys
    world.coordinator.revoke("ben")
    assert set(node_keys(world.coordinator.home)) == {"ada"}


def _another_kind_of_key() -> str:
    return ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(*OPENSSH).decode()


@pytest.mark.parametrize(
    ("make", "what"),
    [(lambda: "nonsense", "not an OpenSSH public key"), (_another_kind_of_key, "not an elliptic-curve key")],
    ids=["nonsense", "another kind"],  # the same in every worker
)
def test_a_key_that_flower_does_not_take_is_told_with_its_site(make: Callable[[], str], what: str) -> None:
    with pytest.raises(ConsiliumError, match=f"ada: the node key .*{what}"):
        read_node_key(make(), where="ada")
