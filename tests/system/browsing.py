"""A page as a real browser shows it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DARK = "--blink-settings=preferredColorScheme=0"
SIZE = (1200, 1500)
GROUND = {"light": (246, 247, 249), "dark": (18, 22, 28)}


@pytest.fixture(scope="module")
def browser() -> str:
    """A program that shows pages."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.fail(f"this test needs one of {', '.join(BROWSERS)}", pytrace=False)
    return found


def seen(browser: str, page: Path, *flags: str, width: int = SIZE[0]) -> NDArray[np.uint8]:
    """(H, W, 3) of a page."""
    picture = page.with_suffix(".png")
    how = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={width},{SIZE[1]}"]
    command = [
        browser,
        *how,
        *flags,
        f"--user-data-dir={page.parent / 'profile'}",
        f"--screenshot={picture}",
        page.as_uri(),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=90)
    return np.asarray(Image.open(picture).convert("RGB"))


def count(pixels: NDArray[np.uint8], colour: tuple[int, int, int]) -> int:
    """Pixels of a colour."""
    return int((np.abs(pixels.astype(int) - colour).max(axis=2) <= 2).sum())
