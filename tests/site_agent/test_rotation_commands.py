from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from federated.keys import create_private_key, public_hex, read_private_key, write_trust

if TYPE_CHECKING:
    from pathlib import Path

    from site_agent.home import SiteHome
    from tests.site_agent.conftest import Federation, Run


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    return federation.join("ada")


def test_a_key_changes_hands_by_file(federation: Federation, ada: SiteHome, run: Run, tmp_path: Path) -> None:
    old = public_hex(ada.key())
    begun = run("rotate")
    assert begun.code == 0
    assert "consilium coordinator rotate rotation.json" in begun.out
    write_trust(federation.coordinator.trust(), tmp_path / "keys.toml")
    early = run("rotate", "--taken", tmp_path / "keys.toml")
    assert (early.code, early.err.count("\n")) == (1, 1)
    federation.coordinator.rotate(ada.path / "rotation.json")
    write_trust(federation.coordinator.trust(), tmp_path / "keys.toml")
    done = run("rotate", "--taken", tmp_path / "keys.toml")
    assert (done.code, done.out) == (0, "site: the new key signs from now on\n")
    assert public_hex(ada.key()) != old


def test_an_approver_who_keeps_the_key_elsewhere_appoints_the_next(ada: SiteHome, run: Run, tmp_path: Path) -> None:
    old = tmp_path / "approver.pem"
    ada.approver_key_path.replace(old)
    told = run("rotate", "--approver")
    assert (told.code, "name it with --key" in told.err) == (1, True)
    told = run("rotate", "--approver", "--key", old)
    assert (told.code, "name the next one with --new-key" in told.err) == (1, True)
    create_private_key(tmp_path / "next.pem")
    told = run("rotate", "--approver", "--key", old, "--new-key", tmp_path / "next.pem")
    assert told.code == 0
    assert "approver-rotation.json" in told.out


def test_what_was_stopped_half_way_is_finished_first(federation: Federation, ada: SiteHome, run: Run) -> None:
    from site_agent.rotation import begin, next_key_path, note_taken

    federation.coordinator.rotate(begin(ada))
    public = public_hex(read_private_key(next_key_path(ada, "site")))
    assert note_taken(ada, public)
    assert run("rotate").out == "site: the new key signs from now on\n"
    assert public_hex(ada.key()) == public
