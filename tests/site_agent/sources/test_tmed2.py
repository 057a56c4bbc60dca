from __future__ import annotations

import csv
import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from federated.errors import DataError
from site_agent.sources.source import Item, Refused
from site_agent.sources.tmed2 import LABELS, WEAK, Tmed2Source
from tests.site_agent.sources.conftest import Exported

SOURCE = Tmed2Source()
HEADER = "query_key,view_label,diagnosis_label\n"


def _scan(root: Path) -> tuple[list[Item], list[Refused]]:
    found = list(SOURCE.scan(root))
    return [each for each in found if isinstance(each, Item)], [each for each in found if isinstance(each, Refused)]


def _rows(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return {row["query_key"]: row for row in csv.DictReader(file)}


def _set(root: Path, rows: str, *images: str) -> None:
    for name in images:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.eye(16, dtype=np.uint8) * 255).save(path, "PNG")
    (root / "labels_per_image.csv").write_text(HEADER + rows)


def test_the_phantom_comes_back_as_it_was(exported: Exported) -> None:
    folder, _ = exported("tmed2", patients=6, frames=8, size=0)
    root = folder / "approved_users_only"
    assert SOURCE.recognises(folder)
    assert SOURCE.recognises(root)
    items, refused = _scan(folder)
    assert refused == []
    table = _rows(root / "labels_per_image.csv")
    folds = _rows(root / "DEV479" / "TMED2_fold0_labeledpart.csv")
    told = [item for item in items if item.path.name in table]
    assert len(told) == len(table) == 6 * 5
    for item in told:
        row, opened = table[item.path.name], SOURCE.open(pickle.loads(pickle.dumps(item)))
        assert item.path.parent.name == "labeled"
        assert item.label == ("" if row["view_label"] == WEAK else row["view_label"])
        assert opened.facts.words.get("view_label") == (WEAK if row["view_label"] == WEAK else None)
        diagnosed = row["diagnosis_label"] != "Not_Provided"
        assert opened.facts.words.get("diagnosis") == (row["diagnosis_label"] if diagnosed else None)
        split = folds[item.path.name]["view_classifier_split"]
        assert item.fold == {"train": "train", "val": "validation", "test": "test"}[split]
        assert item.patient == item.path.name.split("s")[0]
    assert Counter(item.label for item in items) == {"": 6 + 12} | {word: 6 for word, _, _ in LABELS}
    assert {item.patient for item in items} == {str(number) for number in range(1, 7)}
    (frame,) = SOURCE.open(told[0]).frames()
    np.testing.assert_array_equal(frame, np.asarray(Image.open(told[0].path)))


def test_lines_that_lead_nowhere_are_refused_and_other_files_passed_over(tmp_path: Path) -> None:
    rows = "1s1_0.png,PLAX,\n1s1_0.png,PSAX,\n2s1_0.png,A4C,\n../3s1_0.png,A4C,\nThumbs.db,A4C,\n4s1_0.png,,weird\n"
    _set(tmp_path, rows, *(f"view_labeled_set/labeled/{name}.png" for name in ("1s1_0", "4s1_0", "5s1_0")))
    _set(tmp_path, rows, "a_set/labeled/1s1_0.png", "unlabeled_set/unlabeled/6s1_0.png")
    (tmp_path / "view_labeled_set" / "labeled" / ".DS_Store").write_bytes(b"stray")
    items, refused = _scan(tmp_path)
    assert [(item.path.name, item.label, item.patient) for item in items] == [
        ("1s1_0.png", "PLAX", "1"),
        ("4s1_0.png", "", "4"),
        ("5s1_0.png", "", "5"),
        ("6s1_0.png", "", "6"),
    ]
    assert SOURCE.open(items[1]).facts.words == {}
    assert [(each.name, each.reason) for each in refused] == [
        ("DEV479/TMED2_fold0_labeledpart.csv", "is not there: no image asks for a fold"),
        ("view_labeled_set/labeled/1s1_0.png", "repeats an image of this name"),
        ("labels_per_image.csv line 3", "repeats line 2, which is kept"),
        ("labels_per_image.csv line 4", "names an image that is not there"),
        ("labels_per_image.csv line 5", "names no image"),
        ("labels_per_image.csv line 6", "names no image"),
    ]


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x89PNG\r\n\x1a\n" + bytes(50)])
def test_a_damaged_image_is_refused_when_it_is_opened(tmp_path: Path, content: bytes) -> None:
    _set(tmp_path, "1s1_0.png,PLAX,\n", "view_labeled_set/labeled/1s1_0.png")
    (item,), _ = _scan(tmp_path)
    item.path.write_bytes(content)
    with pytest.raises(DataError, match=r"is empty|is not a readable image"):
        list(SOURCE.open(item).frames())


def test_an_image_whose_name_tells_no_patient_is_told(tmp_path: Path) -> None:
    _set(tmp_path, "1s1_0.png,PLAX,\n", "a_set/labeled/1s1_0.png", "a_set/labeled/best.png", "a_set/unlabeled/last.PNG")
    items, refused = _scan(tmp_path)
    assert [item.path.name for item in items] == ["1s1_0.png"]
    assert [(each.name, each.reason) for each in refused[1:]] == [
        ("a_set/labeled/best.png", "is not named as the images of this set are"),
        ("a_set/unlabeled/last.PNG", "is not named as the images of this set are"),
    ]


def test_a_table_without_its_columns_is_told_in_one_line(tmp_path: Path) -> None:
    _set(tmp_path, "", "view_labeled_set/labeled/1s1_0.png")
    (tmp_path / "labels_per_image.csv").write_text("key,view_label\n")
    with pytest.raises(DataError, match="has no column query_key; its columns are: key, view_label"):
        _scan(tmp_path)


def test_other_folders_are_not_recognised(tmp_path: Path) -> None:
    (tmp_path / "labels_per_image.csv").write_text(HEADER)
    assert not SOURCE.recognises(tmp_path)
