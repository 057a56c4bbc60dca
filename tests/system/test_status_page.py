"""The status page in a real browser: light and dark, in its colours, without anything cut off at the side."""

from __future__ import annotations

import io
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from site_agent.status.page import status_page
from tests.site_agent.status_making import STATUS
from tests.system.browsing import DARK, GROUND, browser, count, seen

__all__ = ["browser"]

pytestmark = pytest.mark.system

TRAIN = {"light": (43, 108, 176), "dark": (99, 164, 230)}
WHITE = 250


@pytest.fixture
def page(tmp_path: Path) -> Path:
    picture = io.BytesIO()
    Image.fromarray(np.full((60, 60), WHITE, np.uint8)).save(picture, "PNG")
    path = tmp_path / "page.html"
    path.write_text(status_page(STATUS, {"399214001": [picture.getvalue()]}, datetime.now(UTC)), encoding="utf-8")
    return path


@pytest.mark.parametrize(("mode", "flags"), [("light", ()), ("dark", (DARK,))])
def test_in_light_and_dark(mode: str, flags: tuple[str, ...], browser: str, page: Path) -> None:
    pixels = seen(browser, page, *flags)
    assert tuple(pixels[2, 2]) == GROUND[mode]
    bars = count(pixels, TRAIN[mode])
    assert 1000 < bars < 20_000, "the bars are there, and are no more than bars"
    assert count(pixels, (WHITE,) * 3) > 3000, "the picture is shown, its data: address is let through"


def test_on_a_narrow_screen_nothing_hangs_over(browser: str, page: Path) -> None:
    """The margin at the right is free from top to bottom."""
    pixels = seen(browser, page, width=500)
    assert (pixels[:, -12:] == GROUND["light"]).all()


def test_it_prints(browser: str, page: Path) -> None:
    pdf = page.with_suffix(".pdf")
    how = ["--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"]
    command = [
        browser,
        *how,
        DARK,
        f"--user-data-dir={page.parent / 'profile'}",
        f"--print-to-pdf={pdf}",
        page.as_uri(),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=90)
    assert pdf.read_bytes().startswith(b"%PDF")
    assert pdf.stat().st_size > 10_000
