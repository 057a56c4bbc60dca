from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from site_agent.adopt import model_of, read_shelf
from site_agent.asking import Reader
from site_agent.decisions.book import now
from site_agent.decisions.noting import note
from site_agent.predict import predict
from tests.site_agent.web.conftest import browser

if TYPE_CHECKING:
    from site_agent.home import SiteHome


@pytest.fixture
def answering(own: SiteHome, north: SiteHome, tmp_path: Path) -> SiteHome:
    """A hospital that has answered a folder whose names are hostile."""
    source = next((north.path.parent).glob("images of north*"))
    images = tmp_path / "images"
    images.mkdir()
    for number, path in enumerate(sorted(source.glob("dark-*.png"))[:3]):
        (images / f"<b>{number}&amp;.png").write_bytes(path.read_bytes())
    model = model_of(own, read_shelf(own).releases[0].digest)
    logged = partial(note, own, now())
    done = predict(model, Reader(own, model.manifest), [images], tmp_path / "said.jsonl", None, logged)
    assert done.images == 3
    return own


def test_answers_are_listed_and_each_is_taken_apart(answering: SiteHome) -> None:
    viewer = browser(answering, "viewer")
    shown = viewer.get("/decisions").text
    assert "<b>" not in shown
    assert "&lt;b&gt;0&amp;amp;.png" in shown
    one = viewer.get("/decisions/0")
    assert one.status_code == 200
    assert "Whose part in the answer" in one.text
    assert "How well each site is qualified" in one.text


@pytest.mark.parametrize("number", ["9999", "-1", "x", "1" * 40, "٣"])
def test_there_is_no_other_answer(answering: SiteHome, number: str) -> None:
    assert browser(answering, "viewer").get(f"/decisions/{number}").status_code == 404


def test_where_nothing_was_answered_there_is_no_page(north: SiteHome) -> None:
    viewer = browser(north, "viewer")
    assert "Nothing was answered here yet" in viewer.get("/decisions").text
    assert viewer.get("/decisions/0").status_code == 404
