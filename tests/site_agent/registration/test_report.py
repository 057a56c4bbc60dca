"""The page on a training of registration."""

from __future__ import annotations

from pathlib import Path

import pytest

from federated.enrolment import Kit
from site_agent.home import SiteHome
from site_agent.registration.report import report
from site_agent.tasks.registration import train
from tests.site_agent.registration_making import BATCH, SIZE, registration_home
from tests.site_agent.sources.conftest import Exported, exported

__all__ = ["exported"]


@pytest.fixture
def home(tmp_path: Path, kit: Kit, exported: Exported) -> SiteHome:
    return registration_home(tmp_path / "site", kit, exported("camus", **SIZE)[0])


def test_the_page_shows_how_frames_are_brought_to_end_diastole(home: SiteHome) -> None:
    done = train(home, BATCH)
    page = report(home, done)
    assert len(page.history) == 2
    assert page.best == min(done.history, key=lambda epoch: epoch["similarity"])["epoch"]
    assert {picture.group for picture in page.pictures} == {"the worst", "about the middle"}
    assert all(picture.pixels.shape[1] % 3 == 0 for picture in page.pictures)
    assert [table.title.split(":")[-1].strip() for table in page.tables] == ["likeness", "Dice"]
    assert any("validation fold" in line for line in page.about)
