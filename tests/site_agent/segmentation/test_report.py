"""The page on a training of segmentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from federated.enrolment import Kit
from site_agent.home import SiteHome
from site_agent.segmentation.report import SHOWN, report
from site_agent.tasks.segmentation import train
from site_agent.training_report.page import write_report
from tests.site_agent.segmentation_making import SETTINGS, STRUCTURES, segmentation_home
from tests.site_agent.sources.conftest import Exported, exported

__all__ = ["exported"]

SIZE = {"patients": 8, "frames": 8, "size": 64}


@pytest.fixture
def home(tmp_path: Path, kit: Kit, exported: Exported) -> SiteHome:
    return segmentation_home(tmp_path / "site", kit, exported("camus", **SIZE)[0])


def test_it_shows_how_it_went_what_it_reaches_and_where_it_is_worst(home: SiteHome, tmp_path: Path) -> None:
    found = report(home, train(home, "b0001"))
    assert len(found.history) == SETTINGS.epochs
    assert found.best in {1, 2}
    assert [name for name, _ in found.key] == list(STRUCTURES.values())
    worst = [picture for picture in found.pictures if picture.group == "the worst"]
    assert [picture.caption for picture in worst] == sorted(picture.caption for picture in worst)
    assert len(worst) <= SHOWN
    assert {picture.pixels.shape for picture in found.pictures} == {(64, 128, 3)}, "as drawn beside as found"
    assert {row[1] for table in found.tables[:1] for row in table.rows} == set(STRUCTURES.values())
    write_report(tmp_path / "page.html", found)
    page = (tmp_path / "page.html").read_text()
    assert "Training of segmentation" in page
    assert "validation fold" in page


def test_an_expert_that_was_there_already_has_the_same_page(home: SiteHome) -> None:
    first, again = (report(home, train(home, "b0001")) for _ in range(2))
    assert first.history == again.history
    assert [picture.caption for picture in first.pictures] == [picture.caption for picture in again.pictures]
