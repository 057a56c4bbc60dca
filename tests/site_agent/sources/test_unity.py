from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from deploy.phantom.acquisition import Shot
from deploy.phantom.exports.layout import part_of, patient_of, record
from deploy.phantom.exports.unity import MACHINE, VIEWS, labels_of
from deploy.phantom.seeds import name_of, share_of
from federated.errors import DataError
from site_agent.sources.source import Annotation, Item, Refused
from site_agent.sources.unity import UnitySource
from tests.site_agent.sources.conftest import Exported

SOURCE = UnitySource()
NAME = f"01-{'ab' * 32}-0004.png"
POINT = {"type": "point", "x": "3", "y": "4.5"}


def _scan(root: Path) -> tuple[list[Item], list[Refused]]:
    found = list(SOURCE.scan(root))
    return [each for each in found if isinstance(each, Item)], [each for each in found if isinstance(each, Refused)]


def _set(root: Path, labels: Any, part: str = "all", views: str | None = "file,view\n", name: str = NAME) -> None:
    folder = root / "png-cache" / "01" / "ab" / "ab"
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.eye(16, dtype=np.uint8) * 255).save(folder / name, "PNG")
    (root / "labels").mkdir(exist_ok=True)
    content = labels if isinstance(labels, bytes) else json.dumps({NAME: {"labels": labels}}).encode()
    (root / "labels" / f"labels-{part}.json").write_bytes(content)
    if views is not None:
        (root / "view_index.csv").write_text(views)


def test_the_phantom_comes_back_as_it_was(exported: Exported) -> None:
    folder, order = exported("unity", patients=6, frames=8, size=200)
    assert SOURCE.recognises(folder)
    items, refused = _scan(folder)
    assert refused == []
    by_clip = {item.clip: item for item in items}
    assert len(by_clip) == len(items) == 6 * len(VIEWS)
    for number in range(1, 7):
        for view in VIEWS:
            code = hashlib.sha256(name_of(order.seed, number, view).encode()).hexdigest()
            item, phase = by_clip[code], share_of(order.seed, number, view, "phase")
            clip = record(order, number, patient_of(order, number), Shot(view), MACHINE, frames=(phase,))
            fold = {"train": "train", "val": "validation", "test": "test"}[part_of(number)]
            assert (item.label, item.fold, item.patient) == (view.lower(), fold, code)
            opened = SOURCE.open(pickle.loads(pickle.dumps(item)))
            assert (opened.count, opened.moving, opened.facts.doubts) == (1, False, ())
            np.testing.assert_array_equal(list(opened.frames()), clip.masked)
            truth = labels_of(view, clip)
            drawn = {each.name: each for each in opened.annotations()}
            assert set(drawn) == set(truth)
            for name, each in drawn.items():
                said = np.array([truth[name][axis].split() for axis in "xy"], float).T.reshape(-1, 2)
                assert each.kind == ("curve" if name.startswith("curve") else "points")
                np.testing.assert_array_equal(each.values, said)


def test_off_is_an_empty_annotation_and_blurred_is_none(tmp_path: Path) -> None:
    labels = {
        "lv-apex-endo": {"type": "off", "x": "", "y": ""},
        "curve-lv-endo": [{"type": "curve", "x": "1 2 3", "y": "4 5 6", "conf": "0.9"}, {"type": "off"}],
        "mv-ant-hinge": {"type": "blurred", "x": "", "y": ""},
        "mv-post-hinge": POINT,
    }
    _set(tmp_path, labels)
    (item,), _ = _scan(tmp_path)
    opened = SOURCE.open(item)
    found = [(each.name, each.kind, each.values.tolist()) for each in opened.annotations()]
    assert found == [
        ("lv-apex-endo", "points", []),
        ("curve-lv-endo", "curve", [[1, 4], [2, 5], [3, 6]]),
        ("curve-lv-endo", "curve", []),
        ("mv-post-hinge", "points", [[3, 4.5]]),
    ]
    assert all(each.values.shape[1] == 2 for each in opened.annotations())
    assert opened.facts.doubts == ()


def test_points_that_cannot_be_read_are_left_out_and_told(tmp_path: Path) -> None:
    wrong = [{"x": "1 2", "y": "3"}, {"x": "a", "y": "b"}, {"x": "nan", "y": "1"}, {"x": "", "y": ""}]
    labels: dict[str, Any] = {f"p{place}": {"type": "point", **each} for place, each in enumerate(wrong)}
    _set(tmp_path, labels | {"Mr Jones, born 1950": POINT, "good": POINT})
    (item,), _ = _scan(tmp_path)
    opened = SOURCE.open(item)
    assert [each.name for each in opened.annotations()] == ["good"]
    assert opened.facts.doubts == ("5 structures have no points that can be read: left out",)


@pytest.mark.parametrize(
    ("part", "fold"), [("train", "train"), ("tune", "validation"), ("ival", "test"), ("all", None)]
)
def test_the_list_an_image_is_in_says_its_fold(tmp_path: Path, part: str, fold: str | None) -> None:
    _set(tmp_path, {"p": POINT}, part)
    (item,), _ = _scan(tmp_path)
    assert item.fold == fold
    assert len(SOURCE.open(item).annotations()) == 1


def test_what_is_listed_and_not_there_or_there_and_not_named_is_refused(tmp_path: Path) -> None:
    other = f"02-{'0' * 64}-0001.png"
    _set(tmp_path, {"p": POINT}, views=f"file,view\n{other},plax\n{NAME},a4c\n{NAME},a2c\n")
    _set(tmp_path, {"p": POINT}, views=None, name="holiday.png")
    again = tmp_path / "png-cache" / "02" / NAME
    again.parent.mkdir()
    again.write_bytes(b"")
    items, refused = _scan(tmp_path)
    assert [item.label for item in items] == ["a4c"]
    assert [(each.name, each.reason) for each in refused] == [
        ("view_index.csv line 4", "repeats line 3, which is kept"),
        ("png-cache/01/ab/ab/holiday.png", "is not named as the images of this set are"),
        (f"png-cache/02/{NAME}", "repeats an image of this name"),
        (f"view_index.csv: {other}", "names an image that is not there"),
    ]


def test_images_alone_have_neither_view_nor_points(tmp_path: Path) -> None:
    _set(tmp_path, b"{}", views=None)
    (item,), refused = _scan(tmp_path)
    assert item.label == ""
    assert SOURCE.open(item).annotations() == ()
    assert [(each.name, each.reason) for each in refused] == [
        ("view_index.csv", "is not there: no image has a view"),
        ("labels", "holds no labels: nothing is drawn in any image"),
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"{", "is no JSON"),
        (b"\xff\xfe\xff", "is no JSON"),
        (b"[" * 200_000, "is no JSON"),
        (b"[1]", "holds no labels"),
        (b'{"a": 1}', "holds no labels"),
        (b'{"a": {"labels": {"p": {"x": "1"}}}}', "holds no labels"),
        (b'{"a": {"labels": {"p": 7}}}', "holds no labels"),
    ],
)
def test_labels_that_are_none_are_told_in_one_line(tmp_path: Path, content: bytes, reason: str) -> None:
    _set(tmp_path, content)
    with pytest.raises(DataError) as caught:
        _scan(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'labels' / 'labels-all.json'}: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_folders_are_not_recognised(tmp_path: Path) -> None:
    (tmp_path / "png-cache").mkdir()
    assert not SOURCE.recognises(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["labels", "type", "x", "y", NAME]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(JSON)
def test_any_labels_end_in_annotations_or_in_one_line(tmp_path: Path, told: Any) -> None:
    _set(tmp_path, json.dumps(told).encode())
    reason = ""
    drawn: tuple[Annotation, ...] = ()
    try:
        (item,), _ = _scan(tmp_path)
        drawn = SOURCE.open(item).annotations()
    except DataError as error:
        reason = str(error)
    assert "\n" not in reason
    assert all(np.isfinite(each.values).all() for each in drawn)
