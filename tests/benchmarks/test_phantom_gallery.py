"""Names become families by rule, what has none is left out aloud, and the halves never change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.phantom_gallery import FAMILIES, family_of, may_guide, read_gallery
from tests.benchmarks.phantom_toys import write_gallery

BY_FAMILY = {
    "apical-two": ("a2ch-full", "a2ch-la", "A2C", "apical two chamber"),
    "apical-three": ("a3ch-outflow", "a3ch-lv", "AP-3C"),
    "apical-four": ("a4ch-ias", "a4ch-la", "a4ch-rv", "Apical 4-Chamber"),
    "apical-five": ("a5ch-full", "a5ch-outflow", "A5C"),
    "plax": ("plax-full-la", "plax-full-rv-ao", "plax-valves-av", "PLAX"),
    "psax": ("psax-all", "psax-tv", "psax-av", "psax-pv", "psax-lv-apex"),
    "subcostal": ("subcostal-heart", "subcostal-ivc", "SC-4C"),
}
WITHOUT = ("doppler-ao", "doppler-tissue-rv", "mmode-plax-av", "mmode-ivc", "suprasternal", "apex", "plax-tv", "lung")


@pytest.mark.parametrize(("family", "view"), [(family, view) for family, views in BY_FAMILY.items() for view in views])
def test_names_become_families(family: str, view: str) -> None:
    assert family_of(view) == (family, "")


@pytest.mark.parametrize("view", [*WITHOUT, "", "?!"])
def test_other_names_have_none_and_a_reason(view: str) -> None:
    family, why = family_of(view)
    assert family is None
    assert why


def test_the_rules_know_every_family() -> None:
    assert set(BY_FAMILY) == set(FAMILIES)


def test_halves_are_fixed_by_the_name() -> None:
    assert may_guide("03_a2ch-lv")
    assert not may_guide("01_a2ch-full")
    assert 400 < sum(may_guide(str(number)) for number in range(1000)) < 600


def test_a_gallery_is_read_and_what_is_left_out_is_told(tmp_path: Path) -> None:
    views = ["a4ch-full", "doppler-ao", "plax-full-lv", "gone", "mystery", "psax-av"]
    write_gallery(tmp_path, views, {"a4ch-full": "apical-four", "plax-full-lv": "plax"})
    (tmp_path / "02_plax-full-lv.png").write_bytes(b"no image")
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(tmp_path / "05_psax-av.png")
    found = read_gallery(tmp_path)
    assert [(shot.name, shot.family) for shot in found.shots] == [("00_a4ch-full", "apical-four")]
    why = {one.view: one.why for one in found.left_out}
    assert set(why) == set(views) - {"a4ch-full"}
    assert why["doppler-ao"] == "no B-mode image"
    assert why["plax-full-lv"].startswith("cannot be read")
    assert "nothing but its background" in why["psax-av"]


def test_one_half_can_be_read_alone(tmp_path: Path) -> None:
    write_gallery(tmp_path, ["a4ch-full", "plax-full-lv", "psax-av", "a2ch-la", "a3ch-lv", "subcostal-ivc"], {})
    halves = [{shot.name for shot in read_gallery(tmp_path, development=half).shots} for half in (True, False)]
    assert halves[0] | halves[1] == {shot.name for shot in read_gallery(tmp_path).shots}
    assert not halves[0] & halves[1]
    assert all(may_guide(name) for name in halves[0])


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no index"):
        read_gallery(tmp_path)
    (tmp_path / "index.csv").write_text("file,label\na.png,psax\n", encoding="utf-8")
    with pytest.raises(ValueError, match="needs the columns path and view"):
        read_gallery(tmp_path)
