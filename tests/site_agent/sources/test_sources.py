"""Which source reads a root: the one that is named, or the first that recognises it."""

from __future__ import annotations

from pathlib import Path

import pytest

from federated.errors import DataError
from site_agent.sources import AUTO, source_of, sources
from site_agent.sources.folder import FolderSource
from site_agent.sources.index import Columns
from tests.site_agent.intake_making import picture


def test_names_are_words_that_differ_and_each_says_what_it_is() -> None:
    names = [source.name for source in sources()]
    assert len(set(names)) == len(names)
    assert AUTO not in names
    assert all(name and not set(name) - set("abcdefghijklmnopqrstuvwxyz0123456789-") for name in names)
    assert all(source.about for source in sources())


def test_a_named_source_reads_whatever_the_root_looks_like(tmp_path: Path) -> None:
    for source in sources():
        assert source_of(tmp_path, source.name).name == source.name
    with pytest.raises(DataError, match=r"--format: there is no format 'cuneiform'; known are auto, .*images"):
        source_of(tmp_path, "cuneiform")


def test_a_plain_folder_is_of_images_with_the_columns_asked_for(tmp_path: Path) -> None:
    picture(tmp_path / "a" / "1.png", 1)
    assert source_of(tmp_path, columns=Columns(patient="case")) == FolderSource(Columns(patient="case"))


def test_nothing_and_what_nobody_knows_is_told_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is not there; name a folder, an index\.csv or a file"):
        source_of(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(DataError, match=r"notes\.txt: has no form that is known; name one with --format"):
        source_of(tmp_path / "notes.txt")
