"""Tokens by command, and who is let in at which door."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from federated.errors import ConsiliumError
from federated.web.access import Access, read_access
from federated.web.commands import access_of, door_of, token_commands
from federated.web.door import Door
from tests.federated.web.certificates import authority

ROLES = ("viewer", "operator")


def _run(home: Path, *words: str) -> str:
    app = token_commands(ROLES, Path("nowhere"), lambda folder: folder / "access.toml")
    result = CliRunner().invoke(app, [*words, "--home", str(home)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_token_from_its_making_to_its_end(tmp_path: Path) -> None:
    token = _run(tmp_path, "add", "ada", "--role", "operator", "--days", "3").strip()
    person = Access(tmp_path / "access.toml", ROLES).by_token(token)
    assert person
    assert person.role == "operator"
    (listed,) = json.loads(_run(tmp_path, "list", "--json"))
    assert (listed["name"], listed["role"], listed["known by"]) == ("ada", "operator", "token")
    assert token not in _run(tmp_path, "list")
    assert _run(tmp_path, "revoke", "ada") == "ada is out\n"
    assert read_access(tmp_path / "access.toml").people == ()


def test_the_least_role_unless_another_is_asked_for(tmp_path: Path) -> None:
    pem = authority(tmp_path, "ca").certificate
    assert _run(tmp_path, "add", "ada", "--certificate", str(pem)).startswith("certificate ")
    (person,) = read_access(tmp_path / "access.toml").people
    assert (person.role, person.token) == ("viewer", None)


def test_no_such_role(tmp_path: Path) -> None:
    with pytest.raises(ConsiliumError, match="no such role 'emperor'; take viewer or operator"):
        _run(tmp_path, "add", "ada", "--role", "emperor")


def test_who_is_let_in_at_which_door(tmp_path: Path) -> None:
    path, cure = tmp_path / "access.toml", "make a token"
    with pytest.raises(ConsiliumError, match="nobody is let in; make a token, or --open"):
        access_of(path, ROLES, Door(), loopback=False, cure=cure)
    for door in (Door(host="10.0.0.7"), Door(names=("audit.example",))):
        with pytest.raises(ConsiliumError, match="for this machine alone"):
            access_of(path, ROLES, door, loopback=True, cure=cure)
    assert access_of(path, ROLES, Door(), loopback=True, cure=cure).anybody()
    _run(tmp_path, "add", "ada")
    assert access_of(path, ROLES, Door(), loopback=False, cure=cure).anybody() is None


def test_the_door_of_the_options() -> None:
    assert door_of("127.0.0.1", 0, None, None, None, None) == Door(port=0)
