from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deploy.phantom.acquisition import Shot
from deploy.phantom.exports.layout import patient_of, record
from deploy.phantom.exports.unity import MACHINE, labels_of, smooth
from deploy.phantom.seeds import share_of
from shared_models.phantom.labels import LV
from tests.deploy.phantom.reading import dice, filled, rows_of

Export = tuple[Path, Any]
NAME = re.compile(r"(0[12])-([0-9a-f]{64})-(\d{4})\.png")


@pytest.fixture
def export(exported: Callable[..., Export]) -> Export:
    return exported("unity", patients=6, size=200)


def _labels(folder: Path, part: str) -> dict[str, Any]:
    return json.loads((folder / "labels" / f"labels-{part}.json").read_text())


def _numbers(text: str) -> list[float]:
    return [float(word) for word in text.split()]


def test_images_lie_where_their_names_say(export: Export) -> None:
    folder, _ = export
    paths = list((folder / "png-cache").rglob("*.png"))
    assert len(paths) == 6 * 4
    for path in paths:
        named = NAME.fullmatch(path.name)
        assert named
        kind, code, _ = named.groups()
        assert path.relative_to(folder / "png-cache").parts[:3] == (kind, code[:2], code[2:4])
        with Image.open(path) as image:
            assert (image.mode, image.format) == ("L", "PNG")
    rows = rows_of(folder / "view_index.csv")
    assert {row["file"] for row in rows} == {path.name for path in paths}
    assert {row["view"] for row in rows} == {"plax", "a4c", "a2c", "a3c"}


def test_parts_are_disjoint_and_all_is_all_of_them_in_the_newer_form(export: Export) -> None:
    folder, _ = export
    parts = {part: _labels(folder, part) for part in ("train", "tune", "ival")}
    assert [len(part) for part in parts.values()] == [16, 4, 4]
    assert {name[:2] for name in parts["ival"]} == {"02"}
    everything = _labels(folder, "all")
    assert set(everything) == {name for part in parts.values() for name in part}
    for part in parts.values():
        for name, entry in part.items():
            newer = everything[name]["labels"]
            assert newer == {key: [value] for key, value in entry["labels"].items()}


def test_the_curve_and_the_points_are_those_of_the_ventricle(export: Export) -> None:
    folder, order = export
    views = {row["file"]: row["view"].upper() for row in rows_of(folder / "view_index.csv")}
    traced = 0
    for place, (name, entry) in enumerate(_labels(folder, "train").items()):
        view, number = views[name], [1, 2, 4, 5][place // 4]
        phase = share_of(order.seed, number, view, "phase")
        clip = record(order, number, patient_of(order, number), Shot(view), MACHINE, frames=(phase,))
        curve = entry["labels"]["curve-lv-endo"]
        if curve["type"] == "off":
            continue
        traced += 1
        assert curve["type"] == "curve"
        points = list(zip(_numbers(curve["x"]), _numbers(curve["y"]), strict=True))
        assert dice(filled(points, clip.labels.shape[1:]), clip.labels[0] == LV) > 0.93
        for key, point in (("mv-ant-hinge", points[0]), ("mv-post-hinge", points[-1])):
            said = entry["labels"][key]
            assert said["type"] == "point"
            assert (float(said["x"]), float(said["y"])) == pytest.approx(point, abs=0.06)
    assert traced >= 10


def test_hinges_are_on_their_sides() -> None:
    order = _order()
    for view, anterior_left in (("A4C", True), ("A2C", False), ("A3C", False)):
        clip = record(order, 2, patient_of(order, 2), Shot(view), MACHINE, frames=(0.0,), size=(200, 280))
        found = labels_of(view, clip)
        left = float(found["mv-ant-hinge"]["x"]) < float(found["mv-post-hinge"]["x"])
        assert left == anterior_left, view
    clip = record(order, 2, patient_of(order, 2), Shot("PLAX"), MACHINE, frames=(0.0,), size=(200, 280))
    found = labels_of("PLAX", clip)
    assert float(found["mv-ant-hinge"]["y"]) < float(found["mv-post-hinge"]["y"])
    heights = [float(found[key]["y"]) for key in ("lv-ivs-top", "lv-ivs-bottom", "lv-pw-top", "lv-pw-bottom")]
    assert heights == sorted(heights), "septum above the posterior wall"


def _order() -> Any:
    from deploy.phantom.exports.layout import ExportOrder

    return ExportOrder(patients=2, seed=5, frames=8, size=None)


def test_the_spline_goes_through_its_points() -> None:
    angle = np.linspace(0, np.pi, 7)
    arc = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    curve = smooth(arc, 61)
    np.testing.assert_allclose(np.hypot(*curve.T), 1, atol=2e-3)
    np.testing.assert_allclose(curve[::10], arc, atol=1e-9)
