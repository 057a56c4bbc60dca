from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from site_agent.adopt import read_shelf
from site_agent.catalogue import Catalogue
from site_agent.web.experts import evidence, opinions, parts_of
from tests.site_agent.web.conftest import browser

if TYPE_CHECKING:
    from site_agent.home import SiteHome


def test_every_held_back_clip_is_answered_and_its_evidence_adds_up(north: SiteHome) -> None:
    release = read_shelf(north).releases[0]
    found = opinions(north, release.digest)
    clips = {(case.patient, case.clip) for case in Catalogue(north.catalogue_path).cases(fold="test")}
    assert len(found) == len(clips) > 0
    for one in found:
        parts = evidence(one.decision, {"north": "s0", "south": "s1"})
        assert sum(part.value for part in parts) == pytest.approx(1.0)
        added = [float(part.shown) for part in parts_of(one.decision, {"north": "s0", "south": "s1"})]
        assert sum(added) == pytest.approx(one.decision.scores[one.decision.best], abs=0.02)
        assert one.right in (None, one.decision.label == one.truth)


def test_it_is_asked_once_until_images_come(north: SiteHome) -> None:
    release = read_shelf(north).releases[0]
    assert opinions(north, release.digest) is opinions(north, release.digest)


def test_the_page_shows_pictures_and_whose_word_it_was(north: SiteHome) -> None:
    shown = browser(north, "viewer").get("/experts").text
    assert 'src="data:image/png;base64,' in shown
    assert "Whose word counted, for each view" in shown
    assert "south" in shown
    other = browser(north, "viewer").get("/experts?release=2").text
    assert '<option value="2" selected>' in other


@pytest.mark.parametrize("asked", ["99", "x", "<script>", "1;2"])
def test_another_release_is_not_here(north: SiteHome, asked: str) -> None:
    answer = browser(north, "viewer").get("/experts", params={"release": asked})
    assert answer.status_code == 404
    assert "<script" not in answer.text


def test_without_a_release_there_is_nothing_to_ask(home: SiteHome) -> None:
    assert "No release has come yet" in browser(home, "viewer").get("/experts").text
