from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy.phantom.meta_image import meta_image
from federated.errors import DataError
from site_agent.sources.metaimage import FORM
from site_agent.sources.source import Item, Refused
from site_agent.sources.volume_folder import BETWEEN, open_item, scan_folder

CLIP = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


def _write(folder: Path, name: str, frames: np.ndarray = CLIP) -> None:
    for file in meta_image(f"{name}.mhd", frames, (0.3, 0.3)):
        (folder / file.path).parent.mkdir(parents=True, exist_ok=True)
        (folder / file.path).write_bytes(file.data)


def _scan(root: Path) -> tuple[list[Item], list[Refused]]:
    found = list(scan_folder(root, FORM))
    return [each for each in found if isinstance(each, Item)], [each for each in found if isinstance(each, Refused)]


def test_without_an_index_headers_are_items_and_label_maps_go_with_them(tmp_path: Path) -> None:
    for name in ("b/clip", "b/clip_gt", "a", "lonely_labels"):
        _write(tmp_path, name)
    items, refused = _scan(tmp_path)
    assert refused == []
    assert [item.name for item in items] == ["a.mhd", "lonely_labels.mhd", "b/clip.mhd"]
    assert items[2].companions == tuple(tmp_path / "b" / name for name in ("clip.raw", "clip_gt.mhd"))
    assert [each.name for each in open_item(items[2], FORM).annotations()] == ["gt", "gt"]
    assert {(item.label, item.patient, item.fold) for item in items} == {("", "", None)}


def test_a_label_map_that_does_not_fit_is_left_out_and_the_clip_stays(tmp_path: Path) -> None:
    _write(tmp_path, "clip")
    _write(tmp_path, "clip_gt", CLIP[:, :2])
    (tmp_path / "clip_mask.mhd").write_text("torn")
    (item,), _ = _scan(tmp_path)
    opened = open_item(item, FORM)
    assert len(list(opened.frames())) == 2
    assert opened.annotations() == ()
    assert opened.facts.doubts == (
        "its label map gt has 4x2 pixels, its image 4x3: left out",
        "its label map mask is no MetaImage header: DimSize, ElementType or ElementDataFile is missing: left out",
    )


def test_lines_of_the_index_that_lead_nowhere_are_refused(tmp_path: Path) -> None:
    _write(tmp_path, "clip")
    (tmp_path / "notes.txt").write_text("no image")
    index = tmp_path / "index.csv"
    index.write_text("path,split,ejection_fraction\nclip.mhd,VAL,250\nclip.mhd,test,50\nnotes.txt,,\ngone.mhd,,\n")
    (item,), refused = _scan(tmp_path)
    assert (item.name, item.fold) == ("clip.mhd", "validation")
    facts = open_item(item, FORM).facts
    assert facts.ejection_fraction is None
    assert facts.doubts == ("ejection fraction of 250 is not between 0 and 100: left out",)
    assert refused == [
        Refused("index.csv line 3", index, "repeats line 2, which is kept"),
        Refused("index.csv line 4", index, "leads to a file that is no MetaImage header"),
        Refused("index.csv line 5", index, "leads to no file below this folder"),
    ]


def test_a_layer_is_an_item_only_where_it_is_alone(tmp_path: Path) -> None:
    for name in ("a_layer0", "a_layer1", "a_layer3", "b_layer2"):
        _write(tmp_path, name)
    items, refused = _scan(tmp_path)
    assert [item.name for item in items] == ["a_layer0.mhd", "b_layer2.mhd"]
    assert refused == [Refused("a_layer1.mhd", tmp_path / "a_layer1.mhd", BETWEEN)]
    assert {each.name for each in open_item(items[0], FORM).annotations()} == {"layer3"}


def test_a_damaged_label_map_is_told_when_it_is_read(tmp_path: Path) -> None:
    _write(tmp_path, "clip")
    _write(tmp_path, "clip_gt")
    header = (tmp_path / "clip_gt.mhd").read_text().replace("MET_UCHAR", "MET_CHAR")
    (tmp_path / "clip_gt.mhd").write_text(header)
    (tmp_path / "clip_gt.raw").write_bytes(b"\xff" * CLIP.size)
    (item,), _ = _scan(tmp_path)
    with pytest.raises(DataError, match="no labels from 0 to 255"):
        open_item(item, FORM).annotations()


def test_images_of_another_form_are_told_and_other_files_are_not(tmp_path: Path) -> None:
    _write(tmp_path, "clip")
    for name in ("still.png", "deep/volume.nii.gz", "deep/clip.dcm", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"whatever")
    items, refused = _scan(tmp_path)
    assert [item.name for item in items] == ["clip.mhd"]
    assert [each.name for each in refused] == ["still.png", "deep/clip.dcm", "deep/volume.nii.gz"]
    assert {each.reason for each in refused} == {"is no MetaImage header; --format images reads files of several forms"}


def test_an_index_without_paths_is_told(tmp_path: Path) -> None:
    _write(tmp_path, "clip")
    (tmp_path / "index.csv").write_text("file,label\nclip.mhd,a\n")
    with pytest.raises(DataError, match="has no column path; its columns are: file, label"):
        _scan(tmp_path)
