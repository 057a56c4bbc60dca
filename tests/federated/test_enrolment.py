from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from federated.canonical import canonical
from federated.enrolment import (
    KIT_TYPE,
    REQUEST_TYPE,
    ROTATION_TYPE,
    Kit,
    Request,
    Rotation,
    read_kit,
    read_request,
    read_rotation,
    write_kit,
    write_request,
    write_rotation,
)
from federated.errors import ConsiliumError, ContractError, SignatureError
from federated.keys import Party, fingerprint, public_hex, spoken_fingerprint
from federated.manifest import FrontEndCard
from federated.signing import sign_document
from federated.vocabulary import plain_vocabulary

Key = Ed25519PrivateKey
HUB, ADA, NEW, STRANGER = (Key.from_private_bytes(bytes([number]) * 32) for number in (1, 2, 3, 4))
APPROVER = Party(name="approver", role="approver", public="05" * 32, site="ada")


def _told(key: Key) -> str:
    return spoken_fingerprint(fingerprint(bytes.fromhex(public_hex(key))))


def _kit(**changes: Any) -> Kit:
    fields = {
        "federation": "test",
        "coordinator": "hub",
        "coordinator_public": public_hex(HUB),
        "site": "ada",
        "invitation": "ab" * 16,
        "superlink": "hub.example.org:9092",
        "ca_certificate": "",
        "task": "classification",
        "front_end": FrontEndCard(name="pixels", config={"size": 8}, digest="sha256:" + "1" * 64, features=3),
        "vocabulary": plain_vocabulary("views", ["a4c", "plax"]),
    }
    return Kit.model_validate(fields | changes)


def _request(**changes: Any) -> Request:
    fields = {
        "federation": "test",
        "site": "ada",
        "site_public": public_hex(ADA),
        "approvers": (APPROVER,),
        "invitation": "ab" * 16,
        "flower_public": "ecdsa-sha2-nistp384 AAAA",
    }
    return Request.model_validate(fields | changes)


ROTATION = Rotation(federation="test", site="ada", old_public=public_hex(ADA), new_public=public_hex(NEW))


def test_documents_survive_writing(tmp_path: Path) -> None:
    path = tmp_path / "document.json"
    write_kit(_kit(), HUB, path)
    assert read_kit(path, fingerprint=_told(HUB)) == _kit()
    write_request(_request(), ADA, path)
    assert read_request(path, fingerprint=_told(ADA)) == _request()
    write_rotation(ROTATION, ADA, NEW, path)
    assert read_rotation(path) == ROTATION


def _write_any(name: str, path: Path) -> Callable[[], object]:
    """Writes a document; returns how to read it."""
    if name == "kit":
        write_kit(_kit(), HUB, path)
        return lambda: read_kit(path, fingerprint=_told(HUB))
    if name == "request":
        write_request(_request(), ADA, path)
        return lambda: read_request(path, fingerprint=_told(ADA))
    write_rotation(ROTATION, ADA, NEW, path)
    return lambda: read_rotation(path)


@pytest.mark.parametrize("name", ["kit", "request", "rotation"])
def test_no_byte_can_change_unnoticed(name: str, tmp_path: Path) -> None:
    path = tmp_path / "document.json"
    read = _write_any(name, path)
    data = path.read_bytes()
    for place in range(0, len(data), 7):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises((ContractError, SignatureError)):
            read()
    path.write_bytes(data)
    read()


@pytest.mark.parametrize("name", ["kit", "request"])
def test_the_fingerprint_told_by_another_channel_decides(name: str, tmp_path: Path) -> None:
    path = tmp_path / "document.json"
    _write_any(name, path)
    read: Callable[..., object] = read_kit if name == "kit" else read_request
    key = HUB if name == "kit" else ADA
    for told in (_told(STRANGER), _told(key)[:-5], ""):
        with pytest.raises(SignatureError, match="not the one you were told; ask the sender") as refusal:
            read(path, fingerprint=told)
        assert _told(key) in str(refusal.value)


def test_a_stranger_cannot_sign_for_somebody_else(tmp_path: Path) -> None:
    path = tmp_path / "document.json"
    with pytest.raises(SignatureError, match="not the one the document names"):
        write_kit(_kit(), STRANGER, path)
    with pytest.raises(SignatureError, match="not the one the document names"):
        write_rotation(ROTATION, ADA, STRANGER, path)
    assert not path.exists()
    path.write_bytes(sign_document(canonical(_kit().model_dump(mode="json")), KIT_TYPE, [STRANGER]))
    with pytest.raises(SignatureError, match="a signature is missing or does not verify"):
        read_kit(path, fingerprint=_told(HUB))


@pytest.mark.parametrize("keys", [[ADA], [NEW], [ADA, STRANGER]])
def test_a_rotation_needs_both_keys(keys: list[Key], tmp_path: Path) -> None:
    path = tmp_path / "rotation.json"
    path.write_bytes(sign_document(canonical(ROTATION.model_dump(mode="json")), ROTATION_TYPE, keys))
    with pytest.raises(SignatureError, match="a signature is missing or does not verify"):
        read_rotation(path)


def test_one_document_is_not_another(tmp_path: Path) -> None:
    path = tmp_path / "document.json"
    write_kit(_kit(), HUB, path)
    with pytest.raises(ContractError, match=r"is a 'application/vnd\.consilium\.kit\+json', expected"):
        read_request(path, fingerprint=_told(HUB))
    path.write_bytes(sign_document(canonical(_kit().model_dump(mode="json")), REQUEST_TYPE, [HUB]))
    with pytest.raises(ContractError, match=r"document\.json"):
        read_request(path, fingerprint=_told(HUB))


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"more": 1},
        {"invitation": "short"},
        {"superlink": "https://hub:9092"},
        {"superlink": "hub"},
        {"ca_certificate": "not PEM"},
        {"site": "Ada Hospital"},
    ],
)
def test_fields_of_a_kit_are_checked(change: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "kit.json"
    body = _kit().model_dump(mode="json") | change
    path.write_bytes(sign_document(canonical(body), KIT_TYPE, [HUB]))
    with pytest.raises(ContractError, match=next(iter(change))):
        read_kit(path, fingerprint=_told(HUB))


def test_a_payload_in_another_form_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kit.json"
    body = json.dumps(_kit().model_dump(mode="json"), indent=1).encode()
    path.write_bytes(sign_document(body, KIT_TYPE, [HUB]))
    with pytest.raises(ContractError, match="not in canonical form"):
        read_kit(path, fingerprint=_told(HUB))


@pytest.mark.parametrize(
    "approver",
    [
        Party(name="approver", role="approver", public="05" * 32, site="ben"),
        Party(name="ada", role="site", public="05" * 32),
        Party(name="approver", role="approver", public="05" * 32, site="ada", revoked=True),
    ],
)
def test_approvers_in_a_request_are_this_sites(approver: Party) -> None:
    with pytest.raises(ValidationError, match="an approver is not this site's"):
        _request(approvers=(approver,))


@pytest.mark.parametrize("line", ["ssh-ed25519 AAAA", "ecdsa-sha2-nistp384 AAAA\nmore", "ecdsa-sha2-nistp384"])
def test_a_node_key_is_one_line_of_the_kind_flower_takes(line: str) -> None:
    with pytest.raises(ValidationError, match="flower_public"):
        _request(flower_public=line)


def test_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConsiliumError, match="cannot be read"):
        read_kit(tmp_path / "missing.json", fingerprint=_told(HUB))


def test_a_certificate_authority_travels_with_the_kit(tmp_path: Path) -> None:
    pem = "-----BEGIN CERTIFICATE-----\nMIIB+/==\n-----END CERTIFICATE-----\n"
    path = tmp_path / "kit.json"
    write_kit(_kit(ca_certificate=pem), HUB, path)
    assert read_kit(path, fingerprint=_told(HUB)).ca_certificate == pem
