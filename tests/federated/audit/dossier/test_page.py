"""One file that stands alone: nothing from anywhere, nothing foreign as markup, everything of the dossier in it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from federated.audit.bundle import open_bundle
from federated.audit.dossier.assembly import assemble
from federated.audit.dossier.document import Dossier
from federated.audit.dossier.page import page
from federated.audit.dossier.stated import Stated
from federated.audit.given import newest
from federated.manifest import ReleaseManifest
from tests.federated.audit.dossier.test_markdown import EVIL

EMPTY = {"meta", "link", "br", "rect", "line", "circle"}


class Reader(HTMLParser):
    """Tags that are open, words, identifiers, and everything that would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.ids: list[str] = []
        self.fetched: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        found = dict(attrs)
        self.ids += [str(found["id"])] if "id" in found else []
        self.fetched += [str(found[name]) for name in ("src", "href") if name in found]
        assert not [name for name in found if name.startswith("on")]
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in EMPTY:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture
def made(whole: Any, tmp_path: Path) -> tuple[Dossier, ReleaseManifest]:
    bundle = open_bundle(whole.write(tmp_path / "it.bundle"))
    head = newest(bundle)
    return assemble(bundle, head, Stated(ethics=EVIL), (), None), head.manifest


def _read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def test_it_stands_alone(made: tuple[Dossier, ReleaseManifest]) -> None:
    text = page(*made)
    reader = _read(text)
    assert {address[:1] for address in reader.fetched} == {"#"}
    assert {address[1:] for address in reader.fetched} - {"content"} <= set(reader.ids)
    assert len(reader.ids) == len(set(reader.ids))
    assert "url(" not in text
    assert "@import" not in text
    assert '"Segoe UI"' in text  # the style sheet is not escaped


def test_nothing_foreign_is_markup(made: tuple[Dossier, ReleaseManifest]) -> None:
    reader = _read(page(*made))
    assert "script" not in reader.tags
    shown = " ".join("".join(reader.words).split())
    assert "<script>alert(1)</script> | **bold** [x](javascript:y)" in shown


def test_every_fact_and_every_row_is_in_it(made: tuple[Dossier, ReleaseManifest]) -> None:
    shown = " ".join(" ".join(_read(page(*made)).words).split())
    for section in made[0].sections:
        assert section.title in shown
        for line in section.lines:
            assert " ".join(line.said.split()) in shown
        for grid in section.grids:
            cells = [part for row in grid.rows for cell in row for part in cell.split()]
            assert not [part for part in cells if part not in shown]


def test_patients_are_drawn_by_label_and_hospital(made: tuple[Dossier, ReleaseManifest]) -> None:
    found = re.findall(r"<title>(\w+) (\w+): 12</title>", page(*made))
    expected = {(label, site.name) for site in made[1].sites for label in site.patients}
    assert set(found) == expected
