from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from site_agent import node, supernode
from site_agent.commands import app
from site_agent.flower_executor import own_bundle
from site_agent.home import SiteHome
from site_agent.node import read_settings
from site_agent.service import Door
from tests.site_agent.test_certificate import certified

pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")  # Flower's, of its own builder


def _run(*words: object) -> Any:
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_from_the_request_to_the_fence(home: SiteHome, tmp_path: Path) -> None:
    at_home = ("--home", home.path)
    assert "send " in _run("certificate", *at_home)
    assert "counts until " in _run("certificate", certified(home, tmp_path / "ada.crt"), *at_home)
    groups = ("--node-group", os.getgid(), "--forwarder-group", os.getgid())
    told = _run("fence", tmp_path / "etc", *groups, *at_home)
    assert f"the node runs {own_bundle()} and nothing else" in told
    assert read_settings(tmp_path / "etc" / "node").bundle == own_bundle()
    other = "sha256:" + "5" * 64
    _run("fence", tmp_path / "etc", *groups, "--bundle", other, *at_home)
    assert read_settings(tmp_path / "etc" / "node").bundle == other


def test_the_agent_answers_at_the_door_that_was_named(home: SiteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[tuple[str, Door]] = []
    monkeypatch.setattr(supernode, "serve", lambda opened, door: served.append((opened.config.site, door)))
    _run("agent", "--socket", "/run/x/agent.sock", "--group", "60102", "--home", home.path)
    assert served == [("ada", Door(Path("/run/x/agent.sock"), 60102))]


def test_the_node_needs_its_folder_and_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Path] = []
    monkeypatch.setattr(node, "run_node", ran.append)
    _run("node", tmp_path)
    assert ran == [tmp_path]
