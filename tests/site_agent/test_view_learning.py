"""The expert of views, trained at the site's command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import tomli_w

from federated.errors import ConsiliumError
from site_agent.agent import work
from site_agent.expert_settings import ExpertSettings
from site_agent.home import SiteHome
from site_agent.panel import own_experts
from site_agent.view_learning import report, train

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation, Run

TINY = ExpertSettings(architecture="small_resnet18", side=16, width=4, epochs=2)


@pytest.fixture
def plain(federation: Federation) -> SiteHome:
    return federation.hospital("ada", {"dark": 12, "light": 12}, "weights")


@pytest.fixture
def ada(plain: SiteHome) -> SiteHome:
    config = plain.config.model_copy(update={"expert": TINY})
    (plain.path / "config.toml").write_text(tomli_w.dumps(config.model_dump(mode="json")))
    return SiteHome(plain.path)


def test_what_is_trained_is_what_work_sends(ada: SiteHome) -> None:
    done = train(ada, "b0001")
    assert [epoch["epoch"] for epoch in done.history] == [1, 2]
    assert train(ada, "b0001").history == done.history
    written = done.path.stat().st_mtime_ns
    work(ada)
    assert done.path.stat().st_mtime_ns == written, "it is not trained a second time"
    sent = own_experts(ada)["b0001"]
    assert sent.labels == done.expert.labels
    assert all((sent.state[name] == array).all() for name, array in done.expert.state.items())


def test_the_page_shows_how_it_went_and_where_it_is_worst(ada: SiteHome) -> None:
    found = report(ada, train(ada, "b0001"))
    assert [epoch["epoch"] for epoch in found.history] == [1, 2]
    (table,) = found.tables
    images = sum(count for row in table.rows for count in row[1:] if isinstance(count, int))
    assert ("validation images", images) in list(found.facts)
    assert 0 < len(found.pictures) <= images
    assert {picture.group for picture in found.pictures} == {"the worst"}


def test_a_linear_head_is_not_trained_ahead(plain: SiteHome) -> None:
    with pytest.raises(ConsiliumError, match=r"fitted when it is sent; set architecture = \"small_resnet18\""):
        train(plain, "b0001")


def test_backmix_is_chosen_at_the_command_and_remembered(run: Run, ada: SiteHome) -> None:
    result = run("train", "--task", "views", "--augment", "backmix")
    assert (result.code, len(result.err.splitlines())) == (1, 1)
    assert "the sector of no image is known" in result.err, "these images have none"
    assert SiteHome(ada.path).config.expert.augment == "backmix"
    result = run("train", "--task", "views", "--augment", "none", "--report", "page.html")
    assert (result.code, result.err) == (0, "")
    assert "trained in 2 epochs" in result.out
    assert SiteHome(ada.path).config.expert == TINY
    assert Path("page.html").read_text().startswith("<!DOCTYPE html>")
    for task, augment, told in (("views", "rain", "augment"), ("segmentation", "backmix", "learnt with by views")):
        wrong = run("train", "--task", task, "--augment", augment)
        assert (wrong.code, "Traceback" in wrong.err) == (1, False)
        assert told in wrong.err


def test_where_all_images_show_the_same_the_page_says_that_nothing_was_learnt(federation: Federation) -> None:
    plain = federation.hospital("ada", {"dark": 12}, "weights")
    config = plain.config.model_copy(update={"expert": TINY})
    (plain.path / "config.toml").write_text(tomli_w.dumps(config.model_dump(mode="json")))
    home = SiteHome(plain.path)
    done = train(home, "b0001")
    assert done.history == ()
    assert "nothing to tell apart" in report(home, done).notes[0]
