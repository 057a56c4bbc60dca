"""Keys of a small federation: what a party signs is spoilt before it is signed, so that the parsers behind are met."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated.canonical import digest
from federated.keys import Party, TrustFile, public_hex
from federated.manifest import SITE_KINDS

HUB, ADA, DPO, EVE = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in range(1, 5))
TRUST = TrustFile(
    federation="test",
    parties=(
        Party(name="hub", role="coordinator", public=public_hex(HUB)),
        Party(name="ada", role="site", public=public_hex(ADA)),
        Party(name="dpo", role="approver", public=public_hex(DPO), site="ada"),
    ),
)


def key_of(kind: str) -> Ed25519PrivateKey:
    """Of whoever sends this kind."""
    return ADA if kind in SITE_KINDS else HUB


def passage_of(kind: str) -> dict[str, Any]:
    """What an envelope says of a parcel of this kind."""
    there_and_back = ("ada", "hub") if kind in SITE_KINDS else ("hub", "ada")
    return {
        "federation": "test",
        "sender": there_and_back[0],
        "recipient": there_and_back[1],
        "sequence": 2,
        "previous": digest(b"the one before"),
        "kind": kind,
        "policy": digest(b"a policy"),
        "filters": {"batch": "5 <= 12", "cell": "5 <= 6"},
        "approval": "standing",
        "issued": "2026-11-21T06:00:00Z",
    }


def statement_of(kind: str, subject: str, predicate_type: str, predicate: dict[str, Any]) -> dict[str, Any]:
    """An in-toto statement before it is signed."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": kind, "digest": {"sha256": subject.removeprefix("sha256:")}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    }
