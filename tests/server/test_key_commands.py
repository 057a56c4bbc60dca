from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import Result
from typer.testing import CliRunner

from federated import passphrases
from federated.errors import ConsiliumError
from federated.key_agent import VARIABLE, key_from_agent
from federated.keys import public_hex, read_private_key
from federated.passphrases import name_of
from server.commands import app
from server.home import CoordinatorHome
from server.superlink import SuperLink

if TYPE_CHECKING:
    from tests.server.conftest import World

WORDS = "the coordinator's own words"


@pytest.fixture(autouse=True)
def _a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passphrases, "_given", [])
    monkeypatch.setattr(passphrases, "_opened", {})
    monkeypatch.setattr("sys.stdin", io.StringIO())


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def words(tmp_path: Path) -> str:
    (tmp_path / "words").write_text(f"{WORDS}\n")
    return str(tmp_path / "words")


@pytest.fixture
def sealed(world: World, words: str) -> CoordinatorHome:
    home = world.coordinator.home
    done = _run("keys", "encrypt", "--new-passphrase-file", words, "--home", str(home.path))
    assert done.exit_code == 0, done.output
    passphrases._opened.clear()
    return home


def test_the_key_is_encrypted_and_needed_where_something_is_signed(sealed: CoordinatorHome, words: str) -> None:
    here = ("--home", str(sealed.path))
    assert public_hex(read_private_key(sealed.key_path, WORDS))
    assert '"encrypted": true' in _run("keys", "status", "--json", *here).output
    invite = ("invite", "ben", "--out", str(sealed.path / "ben.json"), *here)
    refused = _run(*invite)
    assert isinstance(refused.exception, ConsiliumError)
    assert "nobody to ask for its passphrase" in str(refused.exception)
    assert _run("--passphrase-file", words, *invite).exit_code == 0


def test_it_is_decrypted_again(sealed: CoordinatorHome, words: str) -> None:
    done = _run("--passphrase-file", words, "keys", "decrypt", "--home", str(sealed.path))
    assert done.exit_code == 0
    assert public_hex(read_private_key(sealed.key_path))


def test_a_home_may_be_made_so_from_the_start(tmp_path: Path, words: str) -> None:
    made = _run(
        *("--passphrase-file", words, "init", "--federation", "test", "--name", "hub", "--labels", "a,b"),
        *("--front-end", "pixels", "--encrypt", "--home", str(tmp_path / "hub")),
    )
    assert made.exit_code == 0, made.output
    assert public_hex(read_private_key(tmp_path / "hub" / "keys" / "coordinator.pem", WORDS))
    assert WORDS not in made.output


def test_processes_of_an_event_get_the_key_and_no_passphrase(
    sealed: CoordinatorHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SuperLink's environment names a socket; who is started with it finds the key there."""
    passphrases._given.append(WORDS)
    link = SuperLink(sealed, "127.0.0.1:18000")
    link._lend_key()
    try:
        environment = link._environment()
        assert WORDS not in str(environment)
        monkeypatch.setenv(VARIABLE, environment[VARIABLE])
        found = key_from_agent(name_of(sealed.key_path.read_bytes()))
        assert found is not None
        assert public_hex(found) == public_hex(sealed.key())
    finally:
        link._stop()
    assert not Path(environment[VARIABLE]).exists()


def test_a_process_that_nobody_can_type_into_opens_the_home(sealed: CoordinatorHome) -> None:
    """As Flower starts the coordinator's part of an event, with nothing but the SuperLink's environment."""
    passphrases._given.append(WORDS)
    told = "import sys; from pathlib import Path; from federated.keys import public_hex; from server.home import "
    told += "CoordinatorHome; print(public_hex(CoordinatorHome(Path(sys.argv[1])).key()))"
    command = [sys.executable, "-c", told, str(sealed.path)]
    link = SuperLink(sealed, "127.0.0.1:18000")
    link._lend_key()
    try:
        environment = link._environment()
        done = _alone(command, environment)
    finally:
        link._stop()
    assert done.stdout.strip() == public_hex(sealed.key())
    assert "nobody to ask for its passphrase" in _alone(command, environment).stderr


def _alone(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A process without a terminal."""
    return subprocess.run(
        command, env=environment, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )


def test_a_plain_key_is_lent_to_nobody(world: World) -> None:
    link = SuperLink(world.coordinator.home, "127.0.0.1:18000")
    link._lend_key()
    assert link._environment()[VARIABLE] == ""
