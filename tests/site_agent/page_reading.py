"""A page as its reader sees it: elements, attributes and words, every element closed in its turn."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "img", "br"}
FORBIDDEN = {"script", "link", "iframe", "object", "base", "form", "a"}


class Reader(HTMLParser):
    """Elements, attributes and text; every element is closed in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)


def read_page(page: str) -> Reader:
    """A page that is well formed."""
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def assert_needs_nothing_else(page: str) -> None:
    """No script, and nothing from anywhere else."""
    reader = read_page(page)
    assert not FORBIDDEN & set(reader.elements)
    assert not [name for name, _ in reader.attributes if name.startswith("on")]
    sources = [value or "" for name, value in reader.attributes if name in {"src", "href", "srcset", "xlink:href"}]
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not re.findall(r"https?:|//[a-z]|url\(|@import", page)
    assert "default-src 'none'" in page
