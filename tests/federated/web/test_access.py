"""Who may see pages: tokens are told once and kept as digests; what is taken back is out at once."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from federated.errors import ConsiliumError
from federated.web.access import MAX_ENTRIES, Access, add_certificate, add_token, read_access, revoke
from tests.federated.web.certificates import authority, leaf

ROLES = ("viewer", "approver")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "access.toml"


def test_a_token_is_kept_as_its_digest_in_a_file_of_its_owner(path: Path) -> None:
    token = add_token(path, "ada", "viewer", days=3)
    kept = path.read_text()
    assert token not in kept
    assert hashlib.sha256(token.encode()).hexdigest() in kept
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(token) > 43, "256 bits and what it is for"


def test_who_shows_it_is_known_and_nobody_else(path: Path) -> None:
    ada, ben = add_token(path, "ada", "viewer", days=3), add_token(path, "ben", "approver", days=3)
    access = Access(path, ROLES)
    known = [access.by_token(token) for token in (ada, ben, ada + "x", ada[:-1], "", "None")]
    assert [one and (one.name, one.role) for one in known] == [
        ("ada", "viewer"),
        ("ben", "approver"),
        None,
        None,
        None,
        None,
    ]


def test_each_role_may_what_those_before_it_may(path: Path) -> None:
    ada, ben = (add_token(path, name, role, days=3) for name, role in zip(("ada", "ben"), ROLES, strict=True))
    access = Access(path, ROLES)
    viewer, approver = access.by_token(ada), access.by_token(ben)
    assert viewer
    assert approver
    assert [access.may(viewer, role) for role in ROLES] == [True, False]
    assert [access.may(approver, role) for role in ROLES] == [True, True]


def test_who_was_taken_back_is_out_at_once(path: Path) -> None:
    token = add_token(path, "ada", "viewer", days=3)
    access = Access(path, ROLES)
    person = access.by_token(token)
    assert person
    revoke(path, "ada")
    assert access.by_token(token) is None
    assert access.still(person.credential) is None
    add_token(path, "ada", "viewer", days=3)
    assert access.still(person.credential) is None, "another token under the same name is another one"


def test_a_token_ends(path: Path) -> None:
    token = add_token(path, "ada", "viewer", days=1)
    text = path.read_text()
    access = Access(path, ROLES)
    assert access.by_token(token)
    today, tomorrow = (f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}" for days in (0, 1))
    path.write_text(text.replace(tomorrow, today))
    os.utime(path, ns=(1, 1))
    assert access.by_token(token) is None


def test_a_role_of_another_house_is_none(path: Path) -> None:
    token = add_token(path, "ada", "operator", days=3)
    assert Access(path, ROLES).by_token(token) is None


def test_this_machine_reads_in_the_least_role_where_that_was_chosen(path: Path) -> None:
    person = Access(path, ROLES, loopback=True).anybody()
    assert person
    assert (person.role, person.by) == ("viewer", "open")
    assert Access(path, ROLES).anybody() is None


def test_a_file_that_others_read_lets_nobody_in(path: Path) -> None:
    token = add_token(path, "ada", "viewer", days=3)
    path.chmod(0o640)
    with pytest.raises(ConsiliumError, match="chmod 600"):
        Access(path, ROLES).by_token(token)


@pytest.mark.parametrize(
    "text",
    [
        "people = 3",
        "[[people]]\nname='a'\nrole='viewer'\nends='2099-01-01'",
        "[[people]]\nname='<b>'\nrole='viewer'\nends='2099-01-01'\ntoken='" + "0" * 64 + "'",
        "[[people]]\nname='a'\nrole='viewer'\nends='2099-01-01'\ntoken='plain'",
        "other = 1",
        "= nothing",
    ],
)
def test_a_damaged_file_lets_nobody_in(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConsiliumError, match=r"access\.toml"):
        Access(path, ROLES).by_token("any")


def test_a_name_is_given_once(path: Path) -> None:
    add_token(path, "ada", "viewer", days=3)
    with pytest.raises(ConsiliumError, match="is here already; revoke it first"):
        add_token(path, "ada", "viewer", days=3)
    with pytest.raises(ConsiliumError, match="is no name"):
        add_token(path, "Ada Lovelace", "viewer", days=3)
    with pytest.raises(ConsiliumError, match="nobody is called 'ben'"):
        revoke(path, "ben")
    assert [one.name for one in read_access(path).people] == ["ada"]


def test_the_file_does_not_grow_for_ever(path: Path) -> None:
    lines = (
        f"[[people]]\nname='p{number}'\nrole='viewer'\nends='2099-01-01'\ntoken='{number:064x}'"
        for number in range(MAX_ENTRIES)
    )
    path.write_text("\n".join(lines))
    path.chmod(0o600)
    with pytest.raises(ConsiliumError, match=f"holds {MAX_ENTRIES} people"):
        add_token(path, "ada", "viewer", days=3)


def test_a_certificate_is_known_by_its_digest(path: Path, tmp_path: Path) -> None:
    pem = leaf(tmp_path, authority(tmp_path, "ca"), "ada").certificate
    found = add_certificate(path, "ada", "viewer", pem, days=3)
    der = x509.load_pem_x509_certificate(pem.read_bytes()).public_bytes(Encoding.DER)
    assert found == hashlib.sha256(der).hexdigest()
    person = Access(path, ROLES).by_certificate(found)
    assert person
    assert (person.name, person.by) == ("ada", "certificate")
    assert Access(path, ROLES).by_token(found) is None
    with pytest.raises(ConsiliumError, match="is not a certificate in PEM"):
        add_certificate(path, "ben", "viewer", path, days=3)
    with pytest.raises(ConsiliumError, match="cannot be read"):
        add_certificate(path, "ben", "viewer", tmp_path / "none", days=3)
