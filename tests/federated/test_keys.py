from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from federated.errors import ConsiliumError, SignatureError
from federated.keys import (
    Party,
    Role,
    TrustFile,
    create_private_key,
    fingerprint,
    fingerprint_matches,
    public_hex,
    read_private_key,
    read_trust,
    signer,
    spoken_fingerprint,
    verifier,
    write_trust,
)

SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
SIGNATURE = (
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd"
    "25bf5f0595bbe24655141438e7a100b"
)


def test_published_vector() -> None:
    """RFC 8032, section 7.1, test 1."""
    key = Ed25519PrivateKey.from_private_bytes(SEED)
    assert public_hex(key) == PUBLIC
    assert signer(key).sign(b"").signature == SIGNATURE


def test_key_id_is_the_fingerprint() -> None:
    key = Ed25519PrivateKey.from_private_bytes(SEED)
    party = Party(name="ada", role="site", public=PUBLIC)
    assert party.key_id == fingerprint(bytes.fromhex(PUBLIC)) == signer(key).sign(b"x").keyid
    assert party.verifier().keyid == party.key_id == verifier(PUBLIC, where="test").keyid


digits = st.text("0123456789abcdef", min_size=64, max_size=64)


@given(digits, st.integers(32, 64))
def test_a_fingerprint_may_be_told_in_groups_and_in_part(key_id: str, length: int) -> None:
    told = " ".join(key_id[i : i + 4] for i in range(0, length, 4))[: length + length // 4]
    assert fingerprint_matches(key_id, key_id[:length])
    assert fingerprint_matches(key_id, told.upper()) == (len(told.replace(" ", "")) >= 32)
    assert fingerprint_matches(key_id, spoken_fingerprint(key_id))
    assert fingerprint_matches(key_id, f" {key_id[:32].upper()}-{key_id[32:64]}\n")


@given(digits, st.integers(0, 31), st.integers(0, 31), st.sampled_from("0123456789abcdef"))
def test_a_short_or_wrong_fingerprint_is_none(key_id: str, length: int, place: int, digit: str) -> None:
    assert not fingerprint_matches(key_id, key_id[:length])
    changed = key_id[:place] + digit + key_id[place + 1 :]
    assert fingerprint_matches(key_id, changed) == (changed == key_id)
    assert not fingerprint_matches(key_id, key_id + digit)
    assert not fingerprint_matches(key_id, "")


def test_private_key_file(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "site.pem"
    key = create_private_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert public_hex(read_private_key(path)) == public_hex(key)
    with pytest.raises(ConsiliumError, match="never overwritten"):
        create_private_key(path)


def test_a_key_others_can_read_is_refused_with_the_cure(tmp_path: Path) -> None:
    path = tmp_path / "site.pem"
    create_private_key(path)
    path.chmod(0o640)
    with pytest.raises(ConsiliumError, match=f"other users can read this key; chmod 600 {path}"):
        read_private_key(path)


def _pem(key: object, password: bytes | None = None) -> bytes:
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)  # type: ignore[attr-defined]


PUBLIC_PEM = (
    Ed25519PrivateKey.generate()
    .public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is not a PEM key"),
        (b"no key", "is not a PEM key"),
        (PUBLIC_PEM, "is the public key; name the private one"),
        (_pem(Ed25519PrivateKey.generate(), b"secret"), "is encrypted, and no passphrase was given"),
        (_pem(ec.generate_private_key(ec.SECP384R1())), "not an Ed25519 key"),
    ],
)
def test_another_file_is_no_key(data: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "site.pem"
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(ConsiliumError, match=reason):
        read_private_key(path)


def test_a_key_under_a_passphrase(tmp_path: Path) -> None:
    path = tmp_path / "site.pem"
    key = create_private_key(path, "twelve letters")
    assert path.stat().st_mode & 0o777 == 0o600
    assert public_hex(read_private_key(path, "twelve letters")) == public_hex(key)
    with pytest.raises(ConsiliumError, match="the passphrase is another") as caught:
        read_private_key(path, "twelve lettres")
    assert "lettres" not in str(caught.value)
    with pytest.raises(ConsiliumError, match="is encrypted, and no passphrase was given"):
        read_private_key(path)


def test_what_the_library_encrypted_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "site.pem"
    key = Ed25519PrivateKey.from_private_bytes(SEED)
    path.write_bytes(_pem(key, b"twelve letters"))
    path.chmod(0o600)
    assert public_hex(read_private_key(path, "twelve letters")) == PUBLIC


def test_a_passphrase_is_of_no_matter_where_none_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "site.pem"
    key = create_private_key(path)
    assert public_hex(read_private_key(path, "any")) == public_hex(key)


def test_missing_key_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConsiliumError, match=r"cannot be read \(No such file or directory\)"):
        read_private_key(tmp_path / "missing.pem")


def test_full_disk_leaves_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConsiliumError, match="the disk is full"):
        create_private_key(tmp_path / "site.pem")
    assert list(tmp_path.iterdir()) == []


def _trust() -> TrustFile:
    return TrustFile(
        federation="test",
        parties=(
            Party(name="ada", role="site", public="01" * 32, revoked=True),
            Party(name="ada", role="site", public="02" * 32),
            Party(name="ben", role="site", public="03" * 32),
            Party(name="dr-a", role="approver", public="04" * 32, site="ada"),
            Party(name="hub", role="coordinator", public="05" * 32),
        ),
    )


def test_trust_file_survives_writing(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    write_trust(_trust(), path)
    assert read_trust(path) == _trust()


def test_a_key_that_was_replaced_counts_for_what_was_signed_before_and_a_revoked_one_does_not() -> None:
    trust = _trust()
    assert [party.public[:2] for party in trust.with_former().find(role="site", name="ada")] == ["01", "02"]
    gone = Party(name="eve", role="site", public="09" * 32, revoked=True)
    trust = trust.model_copy(update={"parties": (*trust.parties, gone)})
    assert trust.with_former().find(role="site", name="eve") == ()
    assert trust.with_former().with_former() == trust.with_former()


def test_only_keys_that_count_are_found() -> None:
    trust = _trust()
    assert [party.public[:2] for party in trust.find(role="site", name="ada")] == ["02"]
    assert [party.name for party in trust.find(role="site")] == ["ada", "ben"]
    assert [party.name for party in trust.find(role="approver", site="ada")] == ["dr-a"]
    assert trust.find(role="approver", site="ben") == ()
    assert trust.find(role="coordinator", name="ada") == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("federation = ", "cannot be read"),
        ('federation = "test"', "parties"),
        ('federation = "test"\nparties = 5', "parties"),
        ('federation = "test"\nparties = [1]', "parties"),
        ('federation = "Two Words"\nparties = []', "federation"),
        ('federation = "test"\n[[parties]]\nname = "a"\nrole = "site"\npublic = "00"', "public"),
        ('federation = "test"\n[[parties]]\nname = "a"\nrole = "boss"\npublic = "' + "0" * 64 + '"', "role"),
        (
            'federation = "test"\n[[parties]]\nname = "a"\nrole = "site"\nsite = "b"\npublic = "' + "0" * 64 + '"',
            "site",
        ),
    ],
)
def test_a_wrong_trust_file_is_one_line(text: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(text)
    with pytest.raises(ConsiliumError, match=reason):
        read_trust(path)


@pytest.mark.parametrize("role", ["site", "coordinator"])
def test_nobody_but_an_approver_belongs_to_a_site(role: Role) -> None:
    with pytest.raises(ValidationError, match="approver"):
        Party(name="ada", role=role, public="04" * 32, site="ada")


def test_an_approver_of_releases_is_no_approver_of_a_site() -> None:
    trust = TrustFile(federation="test", parties=(Party(name="ada", role="approver", public="04" * 32),))
    assert trust.find(role="approver", site="ada") == ()


def test_bytes_of_another_length_are_no_key() -> None:
    with pytest.raises(SignatureError, match="not an Ed25519 key"):
        verifier("00" * 31, where="test")
