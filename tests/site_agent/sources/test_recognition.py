"""Every layout is recognised by its own source and by no other of them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from PIL import Image

from federated.errors import DataError
from federated.vocabulary import builtin_vocabulary
from site_agent.sources import source_of, sources
from site_agent.sources.index import Columns
from tests.site_agent.sources.conftest import Exported

SOURCES = tuple(source for source in sources() if source.name not in {"dicom", "images"})
PLAIN = ("dicom",)
LAYOUTS = tuple(source.name for source in SOURCES if source.name != "nifti")


@pytest.mark.parametrize("name", [*LAYOUTS, *PLAIN])
def test_an_export_is_taken_by_its_own_source_alone(exported: Exported, name: str) -> None:
    folder, _ = exported(name, patients=1, frames=4, size=64)
    assert [source.name for source in SOURCES if source.recognises(folder)] == [name] * (name in LAYOUTS)


def test_a_folder_of_many_images_is_told_fast(tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "00000.png")
    for number in range(1, 5000):
        (tmp_path / f"{number:05d}.png").hardlink_to(tmp_path / "00000.png")
    began = time.perf_counter()
    assert not any(source.recognises(tmp_path) for source in SOURCES)
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize("name", ["gone", "empty"])
def test_nothing_is_recognised_where_nothing_is(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    assert not any(source.recognises(tmp_path / name) for source in SOURCES)


def test_words_of_a_layout_are_views_of_what_it_shows() -> None:
    for source in SOURCES:
        codes = builtin_vocabulary("muscle" if source.name == "muscle" else "heart").codes
        words = [word.lower() for word, _, _ in source.labels]
        assert len(set(words)) == len(words)
        assert all(code in codes and relation == "same" for _, code, relation in source.labels)


def test_an_index_of_ours_goes_before_the_form_of_the_files_beside_it(exported: Exported) -> None:
    folder, _ = exported("dicom", patients=1, frames=4, size=64)
    assert source_of(folder).name == "dicom"
    index = folder / "index.csv"
    index.write_text("path,label\n", encoding="utf-8")
    try:
        assert source_of(folder).name == "images"
    finally:
        index.unlink()


def test_an_index_that_lists_volumes_is_read_with_what_lies_beside_them(exported: Exported, tmp_path: Path) -> None:
    folder, _ = exported("metaimage", patients=1, frames=4, size=64)
    assert source_of(folder).name == "metaimage"
    for first, name in (("a.mhd", "metaimage"), ("a.png", "images"), ("a.nii.gz", "images")):
        (tmp_path / "index.csv").write_text(f"path,label\n{first},x\n", encoding="utf-8")
        (tmp_path / "a.mhd").write_bytes(b"header")
        assert source_of(tmp_path).name == name


def test_columns_that_are_named_are_an_index_s(exported: Exported) -> None:
    folder, _ = exported("dicom", patients=1, frames=4, size=64)
    assert source_of(folder, columns=Columns(label="view")).name == "images"


@pytest.mark.parametrize(("name", "what"), [("xml", "there is no format 'xml'"), ("auto", "is not there")])
def test_what_is_not_known_is_told(tmp_path: Path, name: str, what: str) -> None:
    with pytest.raises(DataError, match=what):
        source_of(tmp_path / "nowhere", name)
