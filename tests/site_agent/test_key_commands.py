from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from federated import passphrases
from federated.enrolment import Kit, read_request, write_kit
from federated.keys import fingerprint, public_hex, read_private_key
from federated.pkcs8 import is_encrypted
from site_agent.home import SiteHome
from site_agent.policy import default_policy, read_signed_policy, write_policy

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from tests.site_agent.conftest import Run

SITE, APPROVER = "the site's own words", "the approver's words"


@pytest.fixture(autouse=True)
def _a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passphrases, "_given", [])
    monkeypatch.setattr(passphrases, "_opened", {})
    monkeypatch.setattr("sys.stdin", io.StringIO())


@pytest.fixture
def words(tmp_path: Path) -> Path:
    path = tmp_path / "words"
    path.write_text(f"{SITE}\n{APPROVER}\n", encoding="utf-8")
    return path


@pytest.fixture
def sealed(home: SiteHome, run: Run, words: Path) -> SiteHome:
    """A home whose keys are encrypted, and a process that knows no passphrase."""
    assert run("keys", "encrypt", "--new-passphrase-file", words).code == 0
    passphrases._opened.clear()
    return home


def test_each_key_has_a_passphrase_of_its_own(sealed: SiteHome, run: Run) -> None:
    assert public_hex(read_private_key(sealed.site_key_path, SITE))
    assert public_hex(read_private_key(sealed.approver_key_path, APPROVER))
    rows = {row["name"]: row for row in run("keys", "status", "--json").json}
    assert {name: row["encrypted"] for name, row in rows.items()} == {
        "site": True,
        "approver": True,
        "node": False,
        "secret": False,
    }
    assert "SuperNode reads it by itself" in rows["node"]["note"]


def test_a_command_that_signs_needs_the_passphrase_and_others_do_not(sealed: SiteHome, run: Run, words: Path) -> None:
    write_policy(sealed, default_policy("test", "ada"))
    told = run("policy", "--sign")
    assert (told.code, told.out) == (1, "")
    assert told.err.count("\n") == 1
    assert "approver.pem: is encrypted, and there is nobody to ask for its passphrase" in told.err
    assert run("keys", "status").code == 0
    assert run("--passphrase-file", words, "policy", "--sign").code == 0
    assert read_signed_policy(sealed).policy == default_policy("test", "ada")


def test_a_wrong_passphrase_is_one_line(sealed: SiteHome, run: Run, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("words of nobody here\n")
    told = run("--passphrase-file", tmp_path / "wrong", "keys", "decrypt")
    assert told.code == 1
    assert told.err.strip().endswith("site.pem: the passphrase is another")
    assert is_encrypted(sealed.site_key_path.read_bytes())


def test_keys_are_decrypted_again_one_by_one(sealed: SiteHome, run: Run, words: Path) -> None:
    assert run("--passphrase-file", words, "keys", "decrypt", "site").code == 0
    assert public_hex(read_private_key(sealed.site_key_path))
    assert is_encrypted(sealed.approver_key_path.read_bytes())
    told = run("keys", "decrypt", "coordinator")
    assert (told.code, "key 'coordinator': is not here; here are: site, approver" in told.err) == (1, True)


def test_an_approver_elsewhere_is_said(tmp_path: Path, kit: Kit, run: Run) -> None:
    (tmp_path / "approver.pub").write_text("ab" * 32)
    SiteHome.create(tmp_path / "ada", kit, tmp_path / "approver.pub")
    rows = {row["name"]: row["note"] for row in run("keys", "status", "--json").json}
    assert rows["approver"] == "kept elsewhere, by the approver"


def test_a_site_may_join_with_encrypted_keys_from_the_start(
    tmp_path: Path, kit: Kit, coordinator_key: Ed25519PrivateKey, run: Run, words: Path
) -> None:
    write_kit(kit, coordinator_key, tmp_path / "kit.json")
    told = fingerprint(bytes.fromhex(kit.coordinator_public))
    done = run("--passphrase-file", words, "join", "kit.json", "--fingerprint", told, "--encrypt")
    assert done.code == 0
    assert "ada, the home of ada in " in done.out
    home = SiteHome(tmp_path / "ada")
    key = read_private_key(home.site_key_path, SITE)
    assert public_hex(read_private_key(home.approver_key_path, APPROVER))
    of_site = fingerprint(bytes.fromhex(public_hex(key)))
    assert read_request(home.request_path, fingerprint=of_site).site == "ada"
    plain = [path for path in home.path.rglob("*") if path.is_file() and b"BEGIN PRIVATE KEY" in path.read_bytes()]
    assert plain == []
    assert not any(word in done.out + done.err for word in (SITE, APPROVER))


def test_nobody_joins_with_a_passphrase_that_is_too_short(
    tmp_path: Path, kit: Kit, coordinator_key: Ed25519PrivateKey, run: Run
) -> None:
    write_kit(kit, coordinator_key, tmp_path / "kit.json")
    told = fingerprint(bytes.fromhex(kit.coordinator_public))
    (tmp_path / "short").write_text("short\n")
    done = run("--passphrase-file", "short", "join", "kit.json", "--fingerprint", told, "--encrypt")
    assert (done.code, "has 5 letters" in done.err) == (1, True)
    assert not (tmp_path / "ada").exists()
