from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated import key_agent
from federated.key_agent import VARIABLE, KeyAgent, key_from_agent

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
NAME = "ab" * 32


def test_a_process_that_is_told_of_the_agent_gets_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with KeyAgent(NAME, KEY) as agent:
        monkeypatch.setenv(VARIABLE, str(agent.path))
        for _ in range(3):
            found = key_from_agent(NAME)
            assert found is not None
            assert found.private_bytes_raw() == KEY.private_bytes_raw()


def test_another_process_gets_it_too_and_its_environment_holds_no_key() -> None:
    told = (
        "import os; from federated.key_agent import key_from_agent;"
        f"print(key_from_agent('{NAME}').private_bytes_raw().hex()); print(sorted(os.environ.values()))"
    )
    with KeyAgent(NAME, KEY) as agent:
        environment = os.environ | {VARIABLE: str(agent.path)}
        command = [sys.executable, "-c", told]
        run = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60)
    raw = KEY.private_bytes_raw().hex()
    first, rest = run.stdout.split("\n", 1)
    assert first == raw
    assert raw not in rest


def test_it_has_one_key_only(monkeypatch: pytest.MonkeyPatch) -> None:
    with KeyAgent(NAME, KEY) as agent:
        monkeypatch.setenv(VARIABLE, str(agent.path))
        assert key_from_agent("cd" * 32) is None


def test_its_folder_is_open_to_its_user_alone_and_goes_with_it() -> None:
    with KeyAgent(NAME, KEY) as agent:
        assert agent.path.parent.stat().st_mode & 0o777 == 0o700
    assert not agent.path.parent.exists()


def test_without_an_agent_there_is_no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert key_from_agent(NAME) is None
    monkeypatch.setenv(VARIABLE, str(tmp_path / "gone"))
    assert key_from_agent(NAME) is None


def test_another_user_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_agent, "_user_of", lambda _: os.getuid() + 1)
    with KeyAgent(NAME, KEY) as agent:
        monkeypatch.setenv(VARIABLE, str(agent.path))
        assert key_from_agent(NAME) is None
