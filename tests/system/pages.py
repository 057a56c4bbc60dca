"""Pages as a real browser shows them, and what every page has to be: readable without scripts, by keys, anywhere."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

BROAD, NARROW, TALL = 1200, 390, 900
KEEP = "PICTURES"  # a folder where pictures of pages are kept, where this variable of the environment names one
COLOURS = 200
PAPER = 688  # pixels between the margins of a sheet of A4
WIDER = "[...document.querySelectorAll('.wide')].filter(x => x.scrollWidth > x.clientWidth + 1).map(x => x.ariaLabel)"
FOCUSABLE = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']"


@contextmanager
def browsing(program: str) -> Iterator[Browser]:
    """A browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def page_of(
    browser: Browser, *, width: int = BROAD, dark: bool = False, headers: Mapping[str, str] | None = None
) -> Iterator[Page]:
    """A page without scripts, on which nothing may be refused by the page's own policy."""
    context = browser.new_context(
        viewport={"width": width, "height": TALL},
        color_scheme="dark" if dark else "light",
        java_script_enabled=False,
        extra_http_headers=dict(headers or {}),
    )
    page, complaints = context.new_page(), list[str]()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    try:
        yield page
        assert not [each for each in complaints if "Content Security Policy" in each or "Refused" in each], complaints
    finally:
        context.close()


def keep(page: Page, name: str) -> None:
    """A picture of the whole page, with few colours, where pictures are wanted."""
    folder = os.environ.get(KEEP)
    if folder:
        whole = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
        whole.quantize(COLOURS, dither=Image.Dither.NONE).save(Path(folder) / f"{name}.png", optimize=True)


def require_readable(page: Page) -> None:
    """One heading, a main part, a language; tables with captions, pictures with names, fields with labels."""
    found = _count(page, {"h1": "h1", "main": "main#content", "language": "html[lang=en]", "scripts": "script"})
    assert found == {"h1": 1, "main": 1, "language": 1, "scripts": 0}
    wrong = {
        "tables without a caption": "table:not(:has(> caption))",
        "columns without a scope": "thead th:not([scope])",
        "pictures without a name": "svg[role=img]:not(:has(> title))",
        "pictures without words": "svg[role=img]:not(:has(> desc))",
        "images without words": "img:not([alt])",
        "regions without a name": "[role=region]:not([aria-label])",
        "own styles": "[style]",
    }
    assert {what: number for what, number in _count(page, wrong).items() if number} == {}
    for field in page.locator("input:not([type=hidden]), select, textarea").all():
        assert page.locator(f"label[for='{field.get_attribute('id')}']").count() == 1
    names = [each.get_attribute("id") for each in page.locator("[id]").all()]
    assert len(set(names)) == len(names), "an id is there twice"


def require_fits(page: Page) -> None:
    """Nothing makes the page itself wider than the screen."""
    wide: Any = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide[0] <= wide[1], page.url


def require_keyboard(page: Page) -> None:
    """The first key leads past the menu; every place can be reached by keys, in the order of the page, and is seen."""
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["x"] >= 0  # type: ignore[index]
    reached, total = 1, page.locator(FOCUSABLE).count()
    for _ in range(total - 1):
        page.keyboard.press("Tab")
        outline: Any = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", page.evaluate("document.activeElement.outerHTML")
        reached += 1
    assert reached == total


def require_fits_paper(page: Page) -> None:
    """No table and no plot is cut off at the side of a sheet of A4."""
    page.emulate_media(media="print")
    page.set_viewport_size({"width": PAPER, "height": TALL})
    wide: Any = page.evaluate(WIDER)
    assert wide == [], page.url


def require_prints(page: Page) -> bytes:
    """As it is printed: without what only a screen needs."""
    page.emulate_media(media="print")
    hidden = [page.locator(each) for each in (".top ul", ".skip", "form")]
    assert not [each for group in hidden for each in group.all() if each.is_visible()]
    page.emulate_media(media="screen")
    data = page.pdf(prefer_css_page_size=True)
    assert data.startswith(b"%PDF")
    return data


def _count(page: Page, selectors: Mapping[str, str]) -> dict[str, int]:
    return {name: page.locator(selector).count() for name, selector in selectors.items()}
