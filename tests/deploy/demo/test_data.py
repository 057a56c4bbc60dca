"""Digits as made-up sites, and folders with an index of their own."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deploy.demo.data import (
    DIGIT_SITES,
    arrival_order,
    digits_material,
    folder_material,
    plain_code,
    plain_name,
    write_digits,
)
from federated.errors import DataError


def _digest(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def _index(folder: Path, *rows: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "index.csv").write_text("\n".join(["path,label,hospital", *rows]) + "\n", encoding="utf-8")
    return folder


def test_digits_are_the_same_every_time(tmp_path: Path) -> None:
    write_digits(tmp_path / "one")
    write_digits(tmp_path / "two")
    assert _digest(tmp_path / "one") == _digest(tmp_path / "two")


def test_digits_have_overlapping_labels_and_held_back_strangers(tmp_path: Path) -> None:
    write_digits(tmp_path)
    material = digits_material(tmp_path)
    assert material.codes == tuple("0123456789")
    assert material.taught == {name: tuple(site.labels) for name, site in DIGIT_SITES.items()}
    assert set.intersection(*(set(labels) for labels in material.taught.values())) == {"4"}
    with material.index.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len({row["patient"] for row in rows}) == len(rows)
    strangers = Counter((row["site"], row["label"]) for row in rows if row["split"] == "test")
    assert all(count == 12 and label not in DIGIT_SITES[site].labels for (site, label), count in strangers.items())
    assert len(strangers) == sum(10 - len(site.labels) for site in DIGIT_SITES.values())


def test_made_up_scanners_differ_as_they_say(tmp_path: Path) -> None:
    write_digits(tmp_path)
    spread = {}
    for name in DIGIT_SITES:
        images = [np.asarray(Image.open(path), dtype=float) for path in sorted((tmp_path / name).glob("*.png"))[:40]]
        assert {image.shape for image in images} == {(32, 32)}
        spread[name] = float(np.mean([image.std() for image in images]))
    assert spread["digits-b"] < 0.75 * spread["digits-a"]
    assert spread["digits-b"] < 0.75 * spread["digits-c"]


def test_a_folder_says_its_sites_and_labels(tmp_path: Path) -> None:
    folder = _index(tmp_path / "x", "a.png,B lines,St. Mary", "b.png,healthy,St. Mary", "c.png,healthy,North")
    material = folder_material(folder, "site=hospital")
    assert material.sites == {"st.-mary": "St. Mary", "north": "North"}
    assert material.labels == {"B lines": "B-lines", "healthy": "healthy"}
    assert material.taught == {"st.-mary": ("B-lines", "healthy"), "north": ("healthy",)}
    assert arrival_order(material, "") == ("north", "st.-mary")
    assert arrival_order(material, "St. Mary,north") == ("st.-mary", "north")


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
