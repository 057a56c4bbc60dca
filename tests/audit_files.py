"""Parcels of a small federation as files, and what an auditor finds in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated.audit.outcome import Audit
from federated.audit.verification import verify
from federated.envelope import Parcel, Passage, seal
from federated.keys import Party, TrustFile, public_hex

HUB, ADA, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2, 3))
TRUST = TrustFile(
    federation="test",
    parties=(
        Party(name="hub", role="coordinator", public=public_hex(HUB)),
        Party(name="ada", role="site", public=public_hex(ADA)),
    ),
)


def seal_as(manifest: Any, data: bytes, key: Ed25519PrivateKey | None = None, **changes: Any) -> Parcel:
    from_site = hasattr(manifest, "site")
    fields = {
        "federation": "test",
        "sender": "ada" if from_site else "hub",
        "recipient": "hub" if from_site else "ada",
        "sequence": 1,
        "previous": None,
        "kind": manifest.kind,
        "policy": None,
        "filters": {},
        "approval": "none",
        "issued": "2020-01-01T00:00:00Z",
    }
    return seal(manifest, data, Passage.model_validate(fields | changes), [key or (ADA if from_site else HUB)])


def written(path: Path, parcel: Parcel) -> Path:
    path.write_bytes(parcel.to_bytes())
    return path


def verdicts(audit: Audit) -> dict[str, bool | None]:
    return {check.name: check.ok for check in audit.checks}


def found_by(audit: Audit, name: str) -> str:
    (found,) = [check.found for check in audit.checks if check.name == name]
    return found


def audited(path: Path, release: Path | None = None) -> Audit:
    (audit,) = verify([path], TRUST, release)
    return audit
