from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from federated.web.access import read_access
from site_agent.web.house import ROLES

if TYPE_CHECKING:
    from site_agent.home import SiteHome
    from tests.site_agent.conftest import Run


def test_somebody_is_let_in_and_out_again(home: SiteHome, run: Run) -> None:
    made = run("web", "token", "add", "eve", "--role", "approver", "--home", home.path)
    assert made.code == 0
    assert made.out.startswith("consilium_")
    assert [one.role for one in read_access(home.path / "access.toml").people] == ["approver"]
    assert made.out.strip() not in (home.path / "access.toml").read_text()
    assert run("web", "token", "revoke", "eve", "--home", home.path).code == 0
    assert read_access(home.path / "access.toml").people == ()


def test_nothing_is_served_where_nobody_is_let_in(home: SiteHome, run: Run) -> None:
    told = run("web")
    assert told.code == 1
    assert "nobody is let in" in told.err
    assert "consilium site web token add NAME" in told.err


@pytest.mark.usefixtures("home")
def test_beyond_this_machine_only_with_tls(run: Run) -> None:
    assert run("web", "--host", "0.0.0.0", "--open").code == 1


def test_roles_of_commands_and_pages_are_the_same() -> None:
    from site_agent.web import commands

    assert commands.ROLES == ROLES
