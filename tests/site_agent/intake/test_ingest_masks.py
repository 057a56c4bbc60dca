"""A hospital's own masks: named in the index, taken in with their images, and told where they cannot be used."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deploy.phantom.acquisition import Shot
from deploy.phantom.orders import Pictures, SiteOrder
from deploy.phantom.site_images import site_plan
from deploy.phantom.workplace import fill
from federated.enrolment import Kit
from shared_models.phantom.labels import LABEL_NAMES, LV
from site_agent.home import SiteHome
from site_agent.intake.quarantine import item_names
from site_agent.truth import AORTA, LA, MYOCARDIUM, RA, RV, STRUCTURES, MaskedCase, masked_cases
from site_agent.truth import LV as LEFT
from tests.site_agent.truth_making import heart_home, take_in

ORDER = SiteOrder("north", 3, {Shot("A4C"): 1.0, Shot("PLAX"): 0.5})
CHAMBERS = (LEFT, MYOCARDIUM, LA, RV, RA, AORTA)
FRAMES = 10  # two more than become cases


def _made(folder: Path, frames: int = 1) -> Path:
    fill(
        folder, site_plan("generate", [ORDER], Pictures(seed=4, size=64, frames=frames, truth=True), {"site": "north"})
    )
    return folder


@pytest.fixture(scope="module")
def stills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _made(tmp_path_factory.mktemp("stills"))


@pytest.fixture
def home(tmp_path: Path, kit: Kit) -> SiteHome:
    return heart_home(tmp_path / "site", kit)


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "index.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _write(folder: Path, rows: list[dict[str, str]]) -> Path:
    """An index elsewhere, of the same images."""
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def _labels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def _by_name(home: SiteHome, cases: list[MaskedCase]) -> dict[str, MaskedCase]:
    names = item_names(home.archive)
    return {names[each.case.key]: each for each in cases}


def test_masks_of_the_phantoms_stills_are_its_truth(home: SiteHome, stills: Path) -> None:
    report = take_in(home, stills)
    assert report.doubts == ()
    found = _by_name(home, masked_cases(home, CHAMBERS))
    rows = _rows(stills)
    assert len(found) == len(rows) == report.images
    for row in rows:
        each, drawn = found[row["path"]], _labels(stills / row["mask"])
        np.testing.assert_array_equal(each.mask, np.where(drawn >= LV, drawn.astype(int) - LV + 1, 0))
        assert each.labelled == (1, 2, 3, 4, 5, 6)
        assert each.view == row["label"]
        assert each.spacing_mm == float(row["spacing_mm"])


def test_masks_of_whole_clips_lie_on_every_frame(home: SiteHome, tmp_path: Path) -> None:
    report = take_in(home, _made(tmp_path / "clips", frames=FRAMES))
    found = masked_cases(home, CHAMBERS, most=None)
    assert len(found) == report.clips * FRAMES > report.images
    assert {each.case.frame for each in found} == set(range(FRAMES))


def test_masks_may_come_after_the_images(home: SiteHome, stills: Path, tmp_path: Path) -> None:
    rows = [row | {name: str(stills / row[name]) for name in ("path", "mask")} for row in _rows(stills)]
    folder = tmp_path / "listed"
    folder.mkdir()
    _write(folder, [{name: value for name, value in row.items() if name != "mask"} for row in rows])
    first = take_in(home, folder)
    second = take_in(home, _write(folder, rows))
    assert (second.batches, second.skipped) == ((), first.images), "the images are the same"
    assert len(masked_cases(home, CHAMBERS)) == first.images


def test_a_mask_that_cannot_be_used_is_told_and_its_image_taken(home: SiteHome, stills: Path, tmp_path: Path) -> None:
    rows = [row | {name: str(stills / row[name]) for name in ("path", "mask")} for row in _rows(stills)][:4]
    small, strange, text = tmp_path / "small.png", tmp_path / "strange.png", tmp_path / "text.png"
    Image.fromarray(np.full((60, 64), LV, np.uint8)).save(small)
    Image.fromarray(np.full((64, 64), 99, np.uint8)).save(strange)
    text.write_text("no picture")
    for row, mask in zip(rows, (small, strange, text), strict=False):
        row["mask"] = str(mask)
    folder = tmp_path / "listed"
    folder.mkdir()
    report = take_in(home, _write(folder, rows))
    assert report.images == 4
    assert [doubt.line for doubt in report.doubts] == [
        "the mask 'index' has 64x60 pixels, its frame 0 has 64x64: left out",
        "its mask holds the values 99, which stand for nothing (known are 0 to 7): left out",
        "its mask is not a readable picture: left out",
    ]
    assert [doubt.name for doubt in report.doubts] == [row["path"] for row in rows[:3]]
    assert len(masked_cases(home, CHAMBERS)) == 1


def test_one_frame_of_a_clip_may_have_a_mask(home: SiteHome, tmp_path: Path) -> None:
    clips = _made(tmp_path / "clips", frames=FRAMES)
    row = {name: value for name, value in _rows(clips)[0].items() if name != "mask"}
    drawn = np.zeros((64, 64), np.uint8)
    drawn[20:30, 10:40] = LV
    Image.fromarray(drawn).save(clips / "seven.png")
    _write(clips, [row | {"frame": "7", "mask": "seven.png"}, row | {"frame": "2", "mask": ""}])
    take_in(home, clips)
    (each,) = masked_cases(home, CHAMBERS)
    assert (each.case.frame, each.case.place) == (7, 0)
    np.testing.assert_array_equal(each.mask, drawn == LV)


def test_a_still_that_is_said_to_be_a_frame_keeps_its_mask(home: SiteHome, stills: Path) -> None:
    row = _rows(stills)[0]
    folder = stills.parent / "numbered"
    folder.mkdir()
    paths = {name: str(stills / row[name]) for name in ("path", "mask")}
    take_in(home, _write(folder, [row | paths | {"frame": "5", "clip": "one"}]))
    (each,) = masked_cases(home, CHAMBERS)
    assert each.case.frame == 5


def test_the_values_are_those_of_the_phantom() -> None:
    words = {LEFT: "left ventricle", MYOCARDIUM: "myocardium", LA: "left atrium"}
    words |= {RV: "right ventricle", RA: "right atrium", AORTA: "aorta"}
    assert {value: words[code] for value, code in STRUCTURES["index"].items()} == dict(enumerate(LABEL_NAMES[LV:], LV))
