"""What is alike is told at the command line, in a table and as a picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from federated.enrolment import Kit
from site_agent.commands import app
from site_agent.home import SiteHome
from site_agent.retrieval.similar import home_cases
from tests.site_agent.retrieval_making import SIZE, retrieval_home
from tests.site_agent.sources.conftest import Exported, exported

__all__ = ["exported"]


@pytest.fixture
def home(tmp_path: Path, exported: Exported, kit: Kit) -> SiteHome:
    return retrieval_home(tmp_path / "site", kit, exported("muscle", **SIZE)[0])


def test_the_command_prints_a_table_and_writes_a_sheet(home: SiteHome, tmp_path: Path) -> None:
    case, image = home_cases(home)[9], tmp_path / "asked.png"
    Image.fromarray(home.archive.cache.frames(case.key, [case.place])[0]).save(image)
    run = CliRunner().invoke(
        app, ["similar", str(image), "--home", str(home.path), "--count", "3", "--sheet", str(tmp_path / "sheet.png")]
    )
    assert run.exit_code == 0, run.output
    assert "by the front end, there being no encoder" in run.output
    assert (tmp_path / "sheet.png").is_file()
    run = CliRunner().invoke(app, ["similar", str(image), "--home", str(home.path), "--count", "3", "--json"])
    found = json.loads(run.output)
    assert len(found) == 3
    assert found[0]["similarity"] == pytest.approx(1, abs=1e-3)
