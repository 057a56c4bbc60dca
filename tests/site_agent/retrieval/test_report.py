"""The page on a training of retrieval."""

from __future__ import annotations

from pathlib import Path

import pytest

from federated.enrolment import Kit
from site_agent.home import SiteHome
from site_agent.retrieval.report import report
from site_agent.tasks.retrieval import train
from tests.site_agent.retrieval_making import SIZE, retrieval_home
from tests.site_agent.sources.conftest import Exported, exported

__all__ = ["exported"]


@pytest.fixture
def home(tmp_path: Path, exported: Exported, kit: Kit) -> SiteHome:
    return retrieval_home(tmp_path / "site", kit, exported("muscle", **SIZE)[0])


def test_the_page_on_a_training_shows_what_is_taken_for_alike(home: SiteHome) -> None:
    page = report(home, train(home, "b0001"))
    assert len(page.history) == 2
    assert page.best == 2
    assert len(page.pictures) == 6
    assert {picture.caption for picture in page.pictures} <= {"THIGH-L", "THIGH-R"}
    assert page.tables[0].rows
