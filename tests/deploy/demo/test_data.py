"""Folders with an index of their own: sites, labels, and who arrives when."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.demo.data import arrival_order, folder_material, plain_code, plain_name
from federated.errors import DataError


def _index(folder: Path, *rows: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "index.csv").write_text("\n".join(["path,label,hospital,split", *rows]) + "\n", encoding="utf-8")
    return folder


def test_a_folder_says_its_sites_and_labels(tmp_path: Path) -> None:
    folder = _index(tmp_path / "x", "a.png,B lines,St. Mary", "b.png,healthy,St. Mary", "c.png,healthy,North")
    material = folder_material(folder, "site=hospital")
    assert material.sites == {"st.-mary": "St. Mary", "north": "North"}
    assert material.labels == {"B lines": "B-lines", "healthy": "healthy"}
    assert material.taught == {"st.-mary": ("B-lines", "healthy"), "north": ("healthy",)}
    assert arrival_order(material, "") == ("north", "st.-mary")
    assert arrival_order(material, "St. Mary,north") == ("st.-mary", "north")


def test_a_site_whose_images_all_test_never_arrives(tmp_path: Path) -> None:
    held = ("c.png,sick,South,test", "d.png,healthy,South,test", "e.png,healthy,East,test")
    folder = _index(tmp_path / "x", "a.png,sick,North", "b.png,healthy,North,train", *held)
    material = folder_material(folder, "site=hospital")
    assert (material.arriving, material.testing) == (("north",), ("south", "east"))
    assert material.taught["south"] == ()
    assert arrival_order(material, "") == arrival_order(material, "North") == ("north",)
    with pytest.raises(DataError, match=r"'north,south' does not name every site once; sites: north$"):
        arrival_order(material, "north,south")


@pytest.mark.parametrize("order", ["north", "north,north,st.-mary", "north,south"])
def test_an_order_must_name_every_site_once(tmp_path: Path, order: str) -> None:
    folder = _index(tmp_path / "x", "a.png,sick,St. Mary", "c.png,healthy,North")
    with pytest.raises(DataError, match=r"--order: .* does not name every site once; sites: north,st.-mary"):
        arrival_order(folder_material(folder, "site=hospital"), order)


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        (("a.png,healthy,North",), "site=hospital", "names one site only"),
        (("a.png,healthy,North", "b.png,healthy,"), "site=hospital", "does not say the site of every image"),
        (("a.png,healthy,North", "b.png,healthy,South"), "", "does not say the site of every image"),
        (("a.png,healthy,North", "b.png,healthy,north"), "site=hospital", "differ in case or punctuation only"),
        (("a.png,a b,North", "b.png,a-b,South"), "site=hospital", "differ in case or punctuation only"),
        (("a.png,sick,North,test", "b.png,sick,South,test"), "site=hospital", "puts every image into the test split"),
        (("a.png,healthy,North",), "site=clinic", "has no column 'clinic'"),
    ],
)
def test_a_folder_that_cannot_be_used(tmp_path: Path, rows: tuple[str, ...], columns: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        folder_material(_index(tmp_path / "x", *rows), columns)


def test_words_become_names_and_codes() -> None:
    assert plain_name("  São João / 2 ") == "s-o-jo-o-2"
    assert plain_code("A4C (apical)") == "A4C-apical"
    assert plain_name("///") == "site"


def test_lung_ultrasound_has_four_sites(shared_data: Path) -> None:
    columns = "site=site_group,patient=split_group,clip=clip_id"
    material = folder_material(shared_data / "pocus_lung_multisite", columns)
    order = arrival_order(material, "")
    assert order == ("neuruppin", "northumbria", "pocus_atlas", "web_and_publications")
    assert material.taught["northumbria"] == ("healthy", "pneumonia")
