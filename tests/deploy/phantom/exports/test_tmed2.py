from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deploy.phantom.exports.tmed2 import padded
from tests.deploy.phantom.reading import rows_of

Export = tuple[Path, Any]
ROOT = "approved_users_only"
VIEWS = {"PLAX", "PSAX", "A4C", "A2C", "A4CorA2CorOther"}


@pytest.fixture
def export(exported: Callable[..., Export]) -> Export:
    return exported("tmed2", patients=8, size=0)


def test_every_labelled_image_is_there_and_no_other(export: Export) -> None:
    root = export[0] / ROOT
    rows = rows_of(root / "labels_per_image.csv")
    assert list(rows[0]) == ["query_key", "view_label", "diagnosis_label"]
    files = {path.name: path for path in root.rglob("labeled/*.png")}
    assert {row["query_key"] for row in rows} == set(files)
    assert Counter(row["view_label"] for row in rows) == dict.fromkeys(VIEWS, 8)
    for row in rows:
        assert re.fullmatch(r"\d+s\d+_\d+\.png", row["query_key"])
        set_name = files[row["query_key"]].parent.parent.name
        both = set_name == "view_and_diagnosis_labeled_set"
        assert row["diagnosis_label"] == ("no_AS" if both else "Not_Provided")
        assert both or set_name == "view_labeled_set"
    assert len(list(root.rglob("unlabeled/*.png"))) == 16


def test_images_are_squares_of_112_with_black_at_the_bottom(export: Export) -> None:
    for path in (export[0] / ROOT).rglob("*.png"):
        image = Image.open(path)
        assert (image.mode, image.size) == ("L", (112, 112))
        pixels = np.asarray(image)
        assert not pixels[84:].any()
        assert pixels[:76].any()


def test_padding_is_at_the_right_or_at_the_bottom_only() -> None:
    image = np.arange(6, dtype=np.uint8).reshape(2, 3) + 1
    np.testing.assert_array_equal(padded(image), [[1, 2, 3], [4, 5, 6], [0, 0, 0]])
    np.testing.assert_array_equal(padded(image.T), [[1, 4, 0], [2, 5, 0], [3, 6, 0]])


@pytest.mark.parametrize("size", ["DEV479", "DEV165", "DEV56"])
def test_folds_divide_patients_and_lead_to_files(export: Export, size: str) -> None:
    root = export[0] / ROOT
    for fold in range(3):
        rows = rows_of(root / size / f"TMED2_fold{fold}_labeledpart.csv")
        if rows:
            wanted = ["query_key", "view_label", "diagnosis_label", "SourceFolder"]
            assert list(rows[0]) == [*wanted, "view_classifier_split", "diagnosis_classifier_split"]
        splits = {(row["query_key"].split("s")[0], row["view_classifier_split"]) for row in rows}
        assert len({patient for patient, _ in splits}) == len(splits), "a patient is in one part"
        assert {split for _, split in splits} <= {"train", "val", "test"}
        for row in rows:
            assert (root / row["SourceFolder"] / row["query_key"]).is_file()
            diagnosed = row["diagnosis_label"] != "Not_Provided"
            assert row["diagnosis_classifier_split"] == (row["view_classifier_split"] if diagnosed else "Not_Provided")


def test_smaller_folds_lack_some_that_train_and_keep_all_that_test(export: Export) -> None:
    root = export[0] / ROOT
    rows = {size: rows_of(root / size / "TMED2_fold0_labeledpart.csv") for size in ("DEV479", "DEV165", "DEV56")}
    keys = {size: {row["query_key"]: row["view_classifier_split"] for row in found} for size, found in rows.items()}
    assert keys["DEV56"].items() <= keys["DEV165"].items() <= keys["DEV479"].items()
    assert len(keys["DEV479"]) == 40
    assert len(keys["DEV56"]) < 40


def test_unlabelled_images_are_listed_apart(export: Export) -> None:
    root = export[0] / ROOT
    rows = rows_of(root / "DEV479" / "TMED2_fold0_unlabeledpart.csv")
    assert {row["view_label"] for row in rows} == {"Not_Provided"}
    assert all((root / row["SourceFolder"] / row["query_key"]).is_file() for row in rows)
