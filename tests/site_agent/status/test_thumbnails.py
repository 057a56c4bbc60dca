"""A few small pictures of each view, of different patients, from the working images alone."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from site_agent.home import SiteHome
from site_agent.status import thumbnails as module
from site_agent.status.thumbnails import EACH, MOST, SIDE, thumbnails

if TYPE_CHECKING:
    from tests.site_agent.conftest import Federation


@pytest.fixture
def ada(federation: Federation) -> SiteHome:
    home = federation.join("ada")
    federation.take_in(home, {"dark": 5, "light": 2}, each=2)
    return home


def test_views_with_pictures_of_different_patients(ada: SiteHome) -> None:
    found = thumbnails(ada.archive)
    assert {label: len(pictures) for label, pictures in found.items()} == {"dark": EACH, "light": 2}
    means = {label: [np.asarray(_open(png)).mean() for png in pictures] for label, pictures in found.items()}
    assert max(means["dark"]) < 110 < min(means["light"])
    keys = {
        row[0]: row[1] for row in ada.archive.catalogue.rows("SELECT item, patient FROM clips WHERE label = 'dark'")
    }
    shown = {
        patient
        for key, patient in keys.items()
        for png in found["dark"]
        if np.array_equal(np.asarray(_open(png)), ada.archive.cache.frames(key)[0])
    }
    assert len(shown) == EACH
    assert thumbnails(ada.archive) == found


def _open(png: bytes) -> Image.Image:
    assert png.startswith(b"\x89PNG")
    return Image.open(io.BytesIO(png))


def test_every_view_comes_before_the_second_picture_of_any(ada: SiteHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    assert {label: len(pictures) for label, pictures in thumbnails(ada.archive).items()} == {"dark": 2, "light": 1}


def test_large_images_become_small(ada: SiteHome) -> None:
    """24 pictures, were they pure noise, are less than a third of a megabyte."""
    noise = np.random.default_rng(0).integers(0, 256, (3, 256, 200), np.uint8)
    keys = [row[0] for row in ada.archive.catalogue.rows("SELECT item FROM clips WHERE label = 'light'")]
    for key in keys:
        ada.archive.cache.stage(key, {"frames": noise})
        ada.archive.cache.settle(key)
    sizes = [len(png) for png in thumbnails(ada.archive)["light"]]
    assert {_open(png).size for png in thumbnails(ada.archive)["light"]} == {(75, SIDE)}
    assert max(sizes) * MOST < 2**20 / 3


def test_an_image_that_is_gone_has_none(ada: SiteHome) -> None:
    for (key,) in ada.archive.catalogue.rows("SELECT item FROM clips WHERE label = 'light'"):
        ada.archive.cache.remove(key)
    assert set(thumbnails(ada.archive)) == {"dark", "light"}
    assert thumbnails(ada.archive)["light"] == []


def test_an_empty_site_has_none(federation: Federation) -> None:
    assert thumbnails(federation.join("empty").archive) == {}
