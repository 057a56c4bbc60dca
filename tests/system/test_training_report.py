"""The report on a training in a real browser: curves and outlines in their colours, nothing cut off at the side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from site_agent.overlay import colour_of, overlay
from site_agent.training_report import Picture, Report, Table, write_report
from tests.system.browsing import DARK, GROUND, browser, count, seen

__all__ = ["browser"]

pytestmark = pytest.mark.system

CURVE = {"light": (31, 111, 139), "dark": (108, 195, 221)}
SIDE = 100


@pytest.fixture
def page(tmp_path: Path) -> Path:
    labels = np.zeros((SIDE, SIDE), np.uint8)
    labels[20:80, 20:80] = 1
    labels[30:70, 30:70] = 2
    drawn = overlay(np.full((SIDE, SIDE), 40, np.uint8), labels, None)
    columns = ["structure", *(f"a long name of figure {number}, mm" for number in range(9))]
    report = Report(
        title="segmentation of b0001",
        facts=[("patients", 12), ("network", "a U-Net of 16 channels and 4 levels")],
        history=[{"epoch": epoch, "loss": 1 / epoch, "dice": 1 - 1 / epoch} for epoch in range(1, 21)],
        tables=[Table("Structures", columns, [["left ventricle", *([0.5] * 9)]])],
        pictures=[Picture(f"patient {number}", drawn, "the worst") for number in range(4)],
        key=[("left ventricle", colour_of(1))],
        best=17,
    )
    write_report(tmp_path / "report.html", report)
    return tmp_path / "report.html"


@pytest.mark.parametrize(("mode", "flags"), [("light", ()), ("dark", (DARK,))])
def test_in_light_and_dark(mode: str, flags: tuple[str, ...], browser: str, page: Path) -> None:
    pixels = seen(browser, page, *flags)
    assert tuple(pixels[2, 2]) == GROUND[mode]
    assert 500 < count(pixels, CURVE[mode]) < 8000, "curves, and no areas"
    assert count(pixels, (40, 40, 40)) > 4 * 100 * SIDE, "four pictures"
    assert count(pixels, colour_of(1)) > 100, "the key, at least; outlines are smoothed as they are enlarged"


def test_on_a_narrow_screen_nothing_hangs_over(browser: str, page: Path) -> None:
    """The margin at the right is free from top to bottom: a wide table moves in its own frame."""
    pixels = seen(browser, page, width=500)
    assert (pixels[:, -12:] == GROUND["light"]).all()
