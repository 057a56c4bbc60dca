"""Text is planted where it is said to be; a detector that finds everything, or nothing, gets the figures it should."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import burnt_in
from benchmarks.burnt_in import (
    COLOURS,
    STYLES,
    Planted,
    _claims,
    _ground,
    _place,
    _plant_all,
    _recall_rows,
    _stamp,
    plant,
)

SECTOR = np.zeros((200, 300), dtype=bool)
SECTOR[20:180, 30:270] = True
GREY = np.full((200, 300), 60, dtype=np.uint8)


@pytest.mark.parametrize("style", STYLES)
def test_words_are_drawn_in_their_box_and_nowhere_else(style):
    box = _place(_stamp("MRN 4711", 15), SECTOR, np.random.default_rng(0))
    assert box is not None
    x0, y0, x1, y1 = box
    assert SECTOR[y0 : y1 + 1, x0 : x1 + 1].mean() > 0.98
    changed = np.abs(plant(GREY, "MRN 4711", box, 15, COLOURS["white"], style).astype(int) - 60).max(-1) > 25
    assert changed[y0 : y1 + 1, x0 : x1 + 1].mean() > 0.15
    around = np.ones_like(changed)
    around[max(0, y0 - 9) : y1 + 10, max(0, x0 - 9) : x1 + 10] = False
    assert not changed[around].any()


def test_words_that_do_not_fit_are_not_planted():
    assert _place((10, 400), SECTOR, np.random.default_rng(0)) is None
    assert _place((10, 260), SECTOR, np.random.default_rng(0)) is None  # wider than the sector


@pytest.mark.parametrize(("grey", "name"), [(0, "dark"), (30, "middling"), (80, "bright"), (255, "bright")])
def test_grounds_go_by_their_mean(grey, name):
    assert _ground(np.full((3, 3), grey, dtype=np.uint8)) == name


@pytest.mark.parametrize("found", [True, False])
def test_recall_is_that_of_the_detector(found, monkeypatch):
    everywhere = ((0, 0, 299, 199),) if found else ()
    monkeypatch.setattr(burnt_in, "find_text", lambda *_: everywhere)
    planted = list(_plant_all(GREY, SECTOR, np.random.default_rng(0)))
    assert {one.height for one in planted} == {6, 8, 11, 15, 20}  # taller ones are over 12 % of 200 rows
    rows = list(_recall_rows(planted))
    assert {row["%"] for row in rows} == {100.0 * found}
    assert rows[-1]["texts"] == len(planted)


def test_claims_leave_out_what_can_hardly_be_seen():
    planted = [
        Planted(15, "white", "plain", "bright", found=True),
        Planted(15, "grey", "plain", "bright", found=False),
        Planted(6, "white", "plain", "dark", found=False),
    ]
    claims = _claims(planted, 0.02, ({"image": "256x256", "grey still": 3.0},))
    assert [(claim.value, claim.holds) for claim in claims] == [
        (1.0, True),
        (pytest.approx(1 / 3), None),
        (0.02, False),
        (3.0, True),
    ]
