from __future__ import annotations

from pathlib import Path

from site_agent.hearts import hearts_of
from site_agent.home import SiteHome
from site_agent.reconstruction.report import report
from site_agent.tasks.reconstruction import train
from site_agent.training_report.page import write_report
from tests.site_agent.reconstruction_making import BATCH


def test_the_page_shows_the_validation_fold(home: SiteHome, tmp_path: Path) -> None:
    page = report(home, train(home, BATCH))
    facts = dict(page.facts)
    assert facts["validation hearts"] == len(hearts_of(home, fold="validation")) == 1
    assert facts["views"] == "A4C,A2C"
    assert page.best == 1
    assert page.pictures[0].group == "the worst"
    assert page.pictures[0].pixels.shape == (192, 288)
    assert page.tables[0].rows[0][0] == "ada"
    assert page.notes == []
    write_report(tmp_path / "page.html", page)
    assert "Training of reconstruction" in (tmp_path / "page.html").read_text()
