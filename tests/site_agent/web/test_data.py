from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from site_agent.status.status import site_status
from site_agent.web.data import address_of, pictures
from tests.site_agent.web.conftest import browser

if TYPE_CHECKING:
    from site_agent.home import SiteHome


def test_the_first_page_counts_what_is_here_and_what_waits(north: SiteHome) -> None:
    status, shown = site_status(north), browser(north, "viewer").get("/").text
    for number in (status.holdings.patients, status.holdings.clips, status.holdings.images):
        assert f"<dd>{number:,}</dd>" in shown
    assert "1 parcel waits" in shown
    for batch in status.holdings.batches:
        assert batch.name in shown
    assert shown.count('src="data:image/png;base64,') > 3


def test_a_home_without_images_says_what_to_do(home: SiteHome) -> None:
    shown = browser(home, "viewer").get("/").text
    assert "consilium site ingest FOLDER" in shown
    assert "nothing may leave" in shown


def test_a_picture_is_an_address() -> None:
    assert base64.b64decode(address_of(b"png").partition(",")[2]) == b"png"
    assert pictures({"a": [b"1"], "b": [b"2"]}, {"a": "view"})[0][1] == "view"
    assert pictures({"b": [b"2"]}, {})[0][1] == "b"
