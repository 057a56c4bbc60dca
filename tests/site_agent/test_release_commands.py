"""Commands about releases: measured, adopted, refused, applied to images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from site_agent.home import SiteHome

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation, Run


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    return federation.hospital("ada", {"dark": 24, "light": 24})


def test_work_adopts_when_asked_and_predict_leaves_out_what_cannot_be_read(
    run: Run, federation: Federation, ada: SiteHome
) -> None:
    federation.event(ada)
    assert "balanced accuracy 100.0 %" in run("work", "--adopt").out
    (federation.folder / "broken.png").write_bytes(b"no image")
    good = next((federation.folder / "images of ada from 0").glob("*.png"))
    result = run("predict", good, federation.folder / "broken.png", "--out", "answers.jsonl")
    assert result.code == 1
    assert "left out" in result.err
    assert len(Path("answers.jsonl").read_text().splitlines()) == 2
    nothing = run("predict", federation.folder / "broken.png", "--out", "nothing.jsonl")
    assert "none of the 1 images can be used" in nothing.err
    assert not Path("nothing.jsonl").exists()


def test_refuse_and_recall_leave_no_release_in_use(run: Run, federation: Federation, ada: SiteHome) -> None:
    federation.event(ada, adopting=True)
    assert "release 1 is refused; none answers here" in run("refuse", "1", "--reason", "drift").out
    result = run("predict", federation.folder)
    assert result.code == 1
    assert "no release answers here; consilium site evaluate, then consilium site adopt" in result.err


def test_a_standing_word_adopts_without_asking(run: Run, federation: Federation, ada: SiteHome) -> None:
    assert "adopted without asking" in run("adopt", "--always", "--floor", "0.5").out
    federation.event(ada)
    assert run("status", "--json").json["answers"] == 1
    assert "a person decides" in run("adopt", "--ask").out


def test_a_release_is_named_by_its_number(run: Run, federation: Federation, ada: SiteHome) -> None:
    federation.event(ada)
    run("work")
    assert "there is no such release; releases here: 1" in run("evaluate", "7").err
    assert run("evaluate", "1", "--json").json["known"] > 0
    assert "release 1 is pinned and answers here" in run("adopt", "1", "--pin").out


def test_pin_keeps_a_release(run: Run, federation: Federation, ada: SiteHome) -> None:
    federation.event(ada)
    run("work")
    assert "was not evaluated on your own patients yet; consilium site evaluate 1" in run("pin", "1").err
    run("evaluate", "1")
    assert "release 1 is pinned and answers here" in run("pin", "1", "--reason", "a study").out
    assert run("status", "--json").json["releases"][0]["state"] == "pinned"


def test_predict_keeps_to_the_list_of_releases_that_stand(run: Run, federation: Federation, ada: SiteHome) -> None:
    federation.event(ada, adopting=True)
    (federation.folder / "releases.status").write_bytes(federation.coordinator.release_status())
    said = run("import", federation.folder / "releases.status").out
    assert "took in 0 parcels and 0 answers, and the list of releases that stand; next" in said
    assert "these releases stand: 1" in run("status").out
    good = next((federation.folder / "images of ada from 0").glob("*.png"))
    assert run("predict", good, "--out", "answers.jsonl").code == 0
    federation.coordinator.recall(1, "an artefact")
    (federation.folder / "releases.status").write_bytes(federation.coordinator.release_status())
    run("import", federation.folder)
    result = run("predict", good, "--out", "others.jsonl")
    assert (result.code, len(result.err.splitlines())) == (1, 1)
    assert "release 1: does not stand, by the coordinator's list" in result.err
    assert not Path("others.jsonl").exists()


def test_no_release_yet_is_one_line(run: Run, ada: SiteHome) -> None:
    assert "no release has come yet; consilium site import and then work; or consilium site run" in run("evaluate").err


def test_a_floor_outside_0_to_1_is_refused(run: Run, ada: SiteHome) -> None:
    result = run("work", "--adopt", "--floor", "1.5")
    assert result.code == 2
    assert "Traceback" not in result.err
