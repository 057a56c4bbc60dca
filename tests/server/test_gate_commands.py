from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from typer.testing import CliRunner

from federated.errors import ConsiliumError
from server.commands import app
from tests.server.test_client_certificates import _ask, _enrol

if TYPE_CHECKING:
    from tests.server.conftest import World


@pytest.fixture
def run(world: World) -> Callable[..., Any]:
    home = world.coordinator.home.path
    return lambda *words: CliRunner().invoke(app, ["certificate", *(str(word) for word in words), "--home", str(home)])


def test_a_request_becomes_a_certificate_and_a_site_can_be_struck(
    world: World, run: Callable[..., Any], tmp_path: Path
) -> None:
    out = tmp_path / "ada.crt"
    result = run(_ask(tmp_path, _enrol(world, "ada")), "--out", out)
    assert result.stdout == f"wrote {out} for ada; it counts once nginx has read the gate's list again\n"
    assert x509.load_pem_x509_certificate(out.read_bytes()).subject.rfc4514_string() == "CN=ada"
    result = run("--strike", "ada")
    assert result.stdout == "1 certificates of ada are off the gate's list, once nginx has read it again\n"
    assert (world.coordinator.home.certificates_path / "gate-sites.conf").read_text() == ""


def test_neither_or_both_is_one_line(run: Callable[..., Any], tmp_path: Path) -> None:
    for words in ([], [tmp_path / "request", "--strike", "ada"]):
        result = run(*words)
        assert result.exit_code == 1
        assert isinstance(result.exception, ConsiliumError)
        assert "name a site's request, or a site with --strike" in str(result.exception)
