from __future__ import annotations

import csv
import pickle
from pathlib import Path

import numpy as np
import pytest

from deploy.phantom.acquisition import shot_named
from deploy.phantom.exports.layout import patient_of, record
from deploy.phantom.exports.metaimage import MACHINE
from deploy.phantom.meta_image import meta_image
from site_agent.sources.metaimage import MetaImageSource, open_metaimage
from site_agent.sources.source import Item, Refused
from site_agent.sources.volume_folder import BETWEEN
from tests.site_agent.sources.conftest import Exported

CLIP = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
SOURCE = MetaImageSource()


def _write(folder: Path, name: str, frames: np.ndarray = CLIP) -> None:
    for file in meta_image(f"{name}.mhd", frames, (0.3, 0.3)):
        (folder / file.path).parent.mkdir(parents=True, exist_ok=True)
        (folder / file.path).write_bytes(file.data)


def _scan(root: Path) -> tuple[list[Item], list[Refused]]:
    found = list(SOURCE.scan(root))
    return [each for each in found if isinstance(each, Item)], [each for each in found if isinstance(each, Refused)]


def test_the_phantom_comes_back_as_it_was(exported: Exported) -> None:
    folder, order = exported("metaimage", patients=2, frames=5, size=96)
    assert SOURCE.recognises(folder)
    items, refused = _scan(folder)
    assert refused == []
    assert len(items) == 2 * 3
    for item in items:
        shot = shot_named(item.clip.partition("/")[2])
        number = int(item.patient.removeprefix("phantom"))
        clip = record(order, number, patient_of(order, number), shot, MACHINE, marks=True)
        opened = SOURCE.open(pickle.loads(pickle.dumps(item)))
        assert item.label == shot.label
        assert item.site == "phantom"
        assert (opened.count, opened.moving, opened.facts.doubts) == (5, True, ())
        assert opened.facts.ejection_fraction == pytest.approx(clip.ejection_fraction, abs=1e-3)
        assert opened.facts.spacing_mm == pytest.approx((clip.take.spacing_mm,) * 2, rel=1e-6)
        np.testing.assert_array_equal(list(opened.frames()), clip.images)
        drawn = opened.annotations()
        assert [(each.frame, each.name, each.kind) for each in drawn] == [(n, "labels", "mask") for n in range(5)]
        np.testing.assert_array_equal([each.values for each in drawn], clip.labels)


def test_a_scanners_layers_are_an_image_and_its_mask(shared_data: Path) -> None:
    folder = shared_data / "vital_echo_mhd"
    with (folder / "index.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    items, refused = _scan(folder)
    assert {item.name for item in items} == {name for name, row in rows.items() if row["layer"] == "0"}
    assert {each.name for each in refused} == {name for name, row in rows.items() if row["layer"] in {"1", "2"}}
    assert {each.reason for each in refused} == {BETWEEN}
    for item in items:
        row, opened = rows[item.name], SOURCE.open(item)
        count, height, width = map(int, row["shape"].split("x"))
        (frame,) = opened.frames()
        assert (opened.count, opened.moving, frame.shape) == (count, False, (height, width))
        assert opened.facts.spacing_mm == (float(row["spacing_mm"]),) * 2
        assert item.label == row["view"]
    (mask,) = SOURCE.open(items[0]).annotations()
    assert (mask.name, mask.frame) == ("layer3", 0)
    assert (mask.values > 0).sum() * 0.305**2 == pytest.approx(float(rows[items[0].name]["model_area_mm2"]), abs=0.01)
    assert SOURCE.open(items[1]).annotations() == ()


def test_one_file_may_be_named_by_itself(tmp_path: Path) -> None:
    _write(tmp_path, "clip")
    (tmp_path / "clip.png").write_bytes(b"\x89PNG")
    assert SOURCE.recognises(tmp_path / "clip.mhd")
    assert not SOURCE.recognises(tmp_path / "clip.png")
    (item,), refused = _scan(tmp_path / "clip.mhd")
    assert (item.name, refused) == ("clip.mhd", [])
    np.testing.assert_array_equal(list(open_metaimage(item.path).frames()), CLIP)


def test_a_folder_of_other_files_is_not_recognised(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    assert not SOURCE.recognises(tmp_path)
